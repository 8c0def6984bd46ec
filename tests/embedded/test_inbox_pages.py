"""The pages of the development mailbox over HTTP: what they show, and what they do not let happen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from services.embedded.inbox.answer import Server
from services.embedded.inbox.app import application
from services.embedded.inbox.forms import MAX_BYTES
from tests.embedded.inboxes import ANNA, plain, put, rich

ORIGIN: Final = "http://127.0.0.1:8025"
NOWHERE: Final = Server(host="127.0.0.1", port=1)
HOSTILE: Final = "\"'><script>alert(1)</script><b"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(application(tmp_path, NOWHERE), base_url=ORIGIN) as client:
        yield client


def test_everybody_is_listed_with_the_number_of_their_mails(client: TestClient, tmp_path: Path) -> None:
    assert "Nothing was sent yet" in client.get("/").text
    put(tmp_path, plain())
    put(tmp_path, plain(), minute=1)
    put(tmp_path, plain(), person="odd/../name@x.example")
    page = client.get("/").text
    assert re.findall(r'class="count">([^<]*)<', page) == ["2 e-mails", "1 e-mail"]
    (link,) = re.findall(r'href="(/people/odd[^"]*)"', page)
    assert "odd/../name@x.example" in client.get(link).text


def test_an_inbox_is_a_list_of_conversations(client: TestClient, tmp_path: Path) -> None:
    put(tmp_path, plain("First", message_id="<1@x>"))
    newest = put(tmp_path, plain("Second", references="<1@x>", subject="Re: A ticket"), minute=1)
    put(tmp_path, plain("Other", subject="Of somebody else"), person="b@x.example")
    page = client.get(f"/people/{ANNA.upper()}").text
    assert page.count('class="row"') == 1
    assert f"/mails/{newest}" in page
    assert "Second" in page
    assert "somebody else" not in page
    assert client.get("/people/nobody@x.example").status_code == 404


def test_a_mail_is_shown_in_each_of_its_ways(client: TestClient, tmp_path: Path) -> None:
    source = rich(
        "<p>In HTML</p>", "See https://x.example/a?b=c&d", reply_to="reply+1@mail.example"
    ).as_bytes()
    identifier = put(tmp_path, source)
    page = client.get(f"/mails/{identifier}").text
    assert f'src="/mails/{identifier}/body"' in page
    assert "reply+1@mail.example" in page
    assert "In HTML" not in page
    text = client.get(f"/mails/{identifier}?show=text").text
    assert 'href="https://x.example/a?b=c&amp;d"' in text
    shown = client.get(f"/mails/{identifier}?show=source").text
    assert "Content-Type: multipart/alternative" in shown
    assert "&lt;p&gt;In HTML&lt;/p&gt;" in shown
    kept = client.get(f"/mails/{identifier}/source")
    assert kept.content.endswith(source)
    assert kept.headers["content-disposition"].startswith("attachment;")


def test_the_html_of_a_mail_comes_in_a_sandbox(client: TestClient, tmp_path: Path) -> None:
    html = "<p>Zażółć</p><script>alert(1)</script>"
    body = client.get(f"/mails/{put(tmp_path, rich(html).as_bytes())}/body")
    assert html in body.text
    policy = dict(rule.split(" ", 1) for rule in body.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'unsafe-inline'"
    assert policy["img-src"] == "data:"
    assert policy["sandbox"].split() == ["allow-popups", "allow-popups-to-escape-sandbox"]
    assert "script-src" not in policy
    assert body.headers["content-type"] == "text/html; charset=utf-8"
    assert body.headers["x-content-type-options"] == "nosniff"


def test_attachments_are_only_ever_downloaded(client: TestClient, tmp_path: Path) -> None:
    message = rich("x")
    message.add_attachment("<script>alert(1)</script>", subtype="html", filename='a"\\;żółty.html')
    identifier = put(tmp_path, message.as_bytes())
    (link,) = re.findall(r'href="(/mails/[^"]*/attachments/[^"]*)"', client.get(f"/mails/{identifier}").text)
    file = client.get(link)
    assert file.content.strip() == b"<script>alert(1)</script>"
    assert file.headers["content-type"] == "application/octet-stream"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(
        r"attachment; filename=\"[\w.-]+\"; filename\*=UTF-8''[\w.%-]+", file.headers["content-disposition"]
    )
    for number in ("0", "2", "-1", "x"):
        assert client.get(f"/mails/{identifier}/attachments/{number}").status_code == 404


def test_what_a_hostile_mail_says_is_only_ever_text(client: TestClient, tmp_path: Path) -> None:
    message = rich("x", HOSTILE, subject=HOSTILE)
    for name in ("From", "To", "Reply-To"):
        del message[name]
    source = message.as_bytes()
    named = f'"{HOSTILE[1:]}" <a@x.example>, {HOSTILE}@x.example'
    head = "".join(f"{name}: {named}\r\n" for name in ("From", "To", "Cc", "Reply-To"))
    file = f"Content-Disposition: attachment; filename*=utf-8''{'%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E'}"
    identifier = put(tmp_path, head.encode() + source)
    attached = put(tmp_path, f"{head}Message-ID: <{HOSTILE[3:7]}>\r\n{file}\r\n\r\nx".encode(), minute=1)
    pages = ["/", f"/people/{ANNA}", f"/write?from={ANNA}"]
    pages.append("/write?from=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    for shown in ("html", "text", "source"):
        pages += [f"/mails/{identifier}?show={shown}", f"/mails/{attached}?show={shown}"]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "identifier", ["..%2f..%2fetc%2fpasswd", "20261124T090000.000000-..%2f..%2fx", "%00", "x"]
)
def test_what_is_no_id_is_not_found(client: TestClient, identifier: str) -> None:
    for path in ("", "/body", "/source", "/attachments/1"):
        assert client.get(f"/mails/{identifier}{path}").status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8025", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
def test_a_name_that_was_bound_to_this_machine_reads_nothing(
    client: TestClient, tmp_path: Path, host: str
) -> None:
    put(tmp_path, plain())
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert ANNA not in answer.text


def test_both_names_of_this_machine_are_its_own(client: TestClient) -> None:
    assert client.get("/", headers={"host": "localhost:8025"}).status_code == 200


_FIELD: Final = b"--b\r\nContent-Disposition: form-data; name=to\r\n\r\nx\r\n"
_FORM: Final = {"from": ANNA, "to": "a@x.example", "text": "x", "subject": "x"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_of_another_page_sends_nothing(
    client: TestClient, tmp_path: Path, headers: dict[str, str]
) -> None:
    identifier = put(tmp_path, plain())
    for path in ("/write", f"/mails/{identifier}/answer"):
        answer = client.post(path, data=_FORM, headers=headers)
        assert answer.status_code == 403
        assert "did not come from a page of this mailbox" in answer.text
    assert client.post("/write", data=_FORM, headers={"sec-fetch-site": "same-origin"}).status_code == 503


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"to=a@b", 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", _FIELD, 400),
        ("multipart/form-data; boundary=ż", b"x", 400),
        ("application/x-www-form-urlencoded", b"x" * (MAX_BYTES + 1), 413),
        (
            "multipart/form-data; boundary=b",
            _FIELD * 99,
            413,
        ),
    ],
)
def test_a_form_that_is_none_is_refused_in_words(
    client: TestClient, content_type: str, body: bytes, status: int
) -> None:
    headers = {"origin": ORIGIN, "content-type": content_type.encode("utf-8")}
    answer = client.post("/write", content=body, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert "nothing was sent" in answer.text


def test_without_a_listener_the_form_says_that_nothing_takes_answers(tmp_path: Path) -> None:
    identifier = put(tmp_path, plain())
    with TestClient(application(tmp_path, None), base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        for page in (f"/mails/{identifier}", "/write"):
            told = client.get(page).text
            assert "Nothing takes answers here" in told
            assert "<form" not in told
        assert client.post("/write", data=_FORM).status_code == 503
        assert client.post(f"/mails/{identifier}/answer", data=_FORM).status_code == 503


@pytest.mark.parametrize(
    ("path", "headers", "language"),
    [
        ("/", {}, "en"),
        ("/", {"accept-language": "pl-PL,pl;q=0.9,en;q=0.8"}, "pl"),
        ("/?lang=pl", {"accept-language": "en"}, "pl"),
        ("/?lang=en", {"accept-language": "pl"}, "en"),
        ("/?lang=%22%3E", {"accept-language": "pl"}, "pl"),
    ],
)
def test_the_language_is_the_readers_or_the_one_that_was_asked_for(
    client: TestClient, tmp_path: Path, path: str, headers: dict[str, str], language: str
) -> None:
    put(tmp_path, plain())
    answer = client.get(path, headers=headers)
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
    links: Any = re.findall(r'href="(/[^"]*)"', answer.text.replace("/style.css", "style.css"))
    assert all(("lang=" in link) == (path in {"/?lang=pl", "/?lang=en"}) for link in links)


def test_a_directory_that_cannot_be_read_is_told_in_words(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _locked(_path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", _locked)  # root, as which tests run in containers, may read anything
    answer = client.get("/")
    assert answer.status_code == 503
    assert "cannot be read" in answer.text
