"""Answers from the development mailbox: what a mail client would write, over real SMTP."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.embedded.inbox.answer import Server, Written, answer_subject, answered_at, compose, is_address
from services.embedded.inbox.app import application
from services.embedded.inbox.parts import Attachment, Correspondent, Head, taken_apart
from services.embedded.ports import ReservedPort
from tests.embedded.inboxes import ANNA, put, rich
from tests.notify.servers import MailDouble, mail_server
from tests.signin.serving import served

AT: Final = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)
REPLY_TO: Final = "reply+" + "a2b3" * 11 + "abc@mail.example"
LONG_ID: Final = f"<{'0a' * 40}@a-rather-long-domain.mail.example>"
ORIGINAL: Final = rich(
    "<p>Dzień <b>dobry</b></p><script>alert(1)</script>",
    "Dzień dobry\n> earlier\n",
    from_="Casetrail <support@mail.example>",
    subject="[483-029-1746] Zażółć",
    message_id=LONG_ID,
    references="<root@mail.example> <1@mail.example>",
    reply_to=REPLY_TO,
    date="Tue, 24 Nov 2026 09:00:00 +0000",
).as_bytes()
WRITTEN: Final = Written(
    sender=ANNA,
    recipient=REPLY_TO,
    subject="Re: [483-029-1746] Zażółć",
    text="Dziękuję,\nto działa.\n\nFrom here <on>\n.\n",
    message_id="<0123@acme.example>",
)


def _composed(written: Written = WRITTEN, *, quote: bool = True, language: Any = "en") -> EmailMessage:
    original = taken_apart(ORIGINAL)
    raw = compose(
        written,
        at=AT,
        language=language,
        answered=original.head,
        quoted=original if quote else None,
    )
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    message: Any = message_from_bytes(raw, policy=default)
    return message  # type: ignore[no-any-return]


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_an_answer_refers_to_what_it_answers() -> None:
    message = _composed()
    assert message["In-Reply-To"].strip() == LONG_ID
    assert str(message["References"]).split() == ["<root@mail.example>", "<1@mail.example>", LONG_ID]
    assert message["Subject"] == "Re: [483-029-1746] Zażółć"
    assert (message["From"], message["To"]) == (ANNA, REPLY_TO)
    assert message["Date"].datetime == AT
    assert "Auto-Submitted" not in message


def test_an_answer_to_what_has_only_an_in_reply_to_keeps_it() -> None:
    head = Head(message_id="<2@x>", in_reply_to=("<1@x>",))
    message = message_from_bytes(compose(WRITTEN, at=AT, language="en", answered=head), policy=default)
    assert message["References"] == "<1@x> <2@x>"


def test_the_text_stands_above_the_quotation_in_both_bodies() -> None:
    message = _composed()
    text = _body(message, "plain")
    assert text.startswith("Dziękuję,\nto działa.\n\nFrom here <on>\n.\n\n\nOn 24/11/2026 ")
    assert text.endswith(", Casetrail wrote:\n> Dzień dobry\n>> earlier\n")
    html = _body(message, "html")
    assert html.index("Dziękuję,<br>to działa.") < html.index("<blockquote") < html.index("<b>dobry</b>")
    assert "From here &lt;on&gt;" in html
    assert "alert(1)" not in html


def test_the_line_above_the_quotation_is_in_the_language_of_the_reader() -> None:
    assert "W dniu 24.11.2026 o " in _body(_composed(language="pl"), "plain")


def test_without_the_quotation_only_the_text_is_sent() -> None:
    assert _body(_composed(quote=False), "plain") == WRITTEN.text
    assert "blockquote" not in _body(_composed(quote=False), "html")


def test_a_mail_that_is_only_html_is_quoted_in_words() -> None:
    original = taken_apart(b"Content-Type: text/html\r\n\r\n<style>p{}</style><p>One</p><p>T&amp;wo</p>")
    raw = compose(WRITTEN, at=AT, language="en", quoted=original)
    message: Any = message_from_bytes(raw, policy=default)
    assert _body(message, "plain").endswith("> One\n> T&wo\n")


def test_files_are_attached_with_their_names() -> None:
    files = (
        Attachment(name="plan żółty.csv", media_type="text/csv", content=b"a;b\r\n\xff"),
        Attachment(name="x\r\nBcc: y@x.example", media_type="message/rfc822", content=b"\0"),
    )
    message = _composed(
        Written(sender=ANNA, recipient=REPLY_TO, subject="s", text="t", message_id="<1@x>", files=files)
    )
    attached: Any = list(message.iter_attachments())
    assert [(part.get_filename(), part.get_content_type()) for part in attached] == [
        ("plan żółty.csv", "text/csv"),
        ("x Bcc: y@x.example", "application/octet-stream"),
    ]
    assert [part.get_payload(decode=True) for part in attached] == [b"a;b\r\n\xff", b"\0"]
    assert message["Bcc"] is None


def test_a_subject_cannot_add_a_header() -> None:
    written = Written(sender=ANNA, recipient=REPLY_TO, subject="a\r\nBcc: x@y", text="", message_id="<1@x>")
    message = message_from_bytes(compose(written, at=AT, language="en"), policy=default)
    assert (message["Subject"], message["Bcc"]) == ("a Bcc: x@y", None)


def test_an_answer_goes_to_reply_to_and_else_to_the_sender() -> None:
    sender, other = Correspondent("Casetrail", "a@x.example"), Correspondent("", "b@x.example")
    assert answered_at(Head(senders=(sender,), reply_to=(other,))) == "b@x.example"
    assert answered_at(Head(senders=(sender,))) == "a@x.example"
    assert answered_at(Head()) == ""


def test_re_is_put_before_a_subject_once() -> None:
    assert answer_subject(Head(subject="Odp: x")) == "Odp: x"
    assert answer_subject(Head(subject="x")) == "Re: x"


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@", "@b", "a b@c", "<a@b>", "a@b\r\nRCPT TO:<c@d>", "a@b>", "ą@b.example", "a@b,c@d"],
)
def test_what_is_no_address_is_sent_nothing(address: str) -> None:
    assert not is_address(address)


# Over HTTP and SMTP


async def _post(origin: str, path: str, fields: dict[str, str], **more: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=origin, headers={"origin": origin}) as client:
        return await client.post(path, data=fields, **more)


def _fields(**changes: str) -> dict[str, str]:
    return {"to": REPLY_TO, "subject": "Re: x", "text": "One\r\nTwo", "quote": "yes"} | changes


def _server(double: MailDouble) -> Server:
    return Server(host="127.0.0.1", port=double.port)


async def test_an_answer_reaches_the_listener_with_the_person_as_its_sender(tmp_path: Path) -> None:
    identifier = put(tmp_path, ORIGINAL)
    seen: list[str | None] = []

    async with (
        mail_server() as double,
        served(lambda _origin: application(tmp_path, _server(double))) as origin,
    ):
        taken = double.handle_DATA

        async def noting(server: SMTP, _session: Session, envelope: Envelope) -> str:
            seen.append(envelope.mail_from)
            return await taken(server, _session, envelope)

        double.handle_DATA = noting  # type: ignore[method-assign]
        files = [("files", ("żółty.txt", b"\0\xff", "text/plain")), ("files", ("", b"", ""))]
        done = await _post(origin, f"/mails/{identifier}/answer", _fields(), files=files)
        ((recipient, message),) = double.taken
    assert done.status_code == 200
    assert "250 2.0.0 Ok: queued as 4B1F" in done.text
    assert (seen, recipient) == ([ANNA], REPLY_TO)
    assert message["In-Reply-To"].strip() == LONG_ID
    assert _body(message, "plain").startswith("One\nTwo\n\nOn ")
    (attached,) = list(message.iter_attachments())
    assert attached.get_filename() == "żółty.txt"
    assert attached.get_payload(decode=True) == b"\0\xff"


async def test_sending_the_same_form_again_repeats_the_message_id(tmp_path: Path) -> None:
    identifier = put(tmp_path, ORIGINAL)
    async with (
        mail_server() as double,
        served(lambda _origin: application(tmp_path, _server(double))) as origin,
    ):
        fields = _fields(message_id=f"<{'0a' * 16}@acme.example>")
        for _ in range(2):
            await _post(origin, f"/mails/{identifier}/answer", fields)
        await _post(origin, f"/mails/{identifier}/answer", _fields(message_id="<forged>\r\nBcc: x@y"))
        ids = [str(message["Message-ID"]) for _, message in double.taken]
    assert ids[:2] == [f"<{'0a' * 16}@acme.example>"] * 2
    assert ids[2] not in {ids[0], "<forged>"}


@pytest.mark.parametrize(
    ("answer", "status", "heading"),
    [
        ("550 5.7.1 <b>closed</b>", 422, "The server refused the e-mail"),
        ("451 4.3.0 later", 503, "The server did not take the e-mail for now"),
    ],
)
@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_a_refusal_is_shown_and_the_text_is_kept(
    tmp_path: Path, step: str, answer: str, status: int, heading: str
) -> None:
    identifier = put(tmp_path, ORIGINAL)
    async with (
        mail_server() as double,
        served(lambda _origin: application(tmp_path, _server(double))) as origin,
    ):
        getattr(double, step).append(answer)
        done = await _post(origin, f"/mails/{identifier}/answer", _fields(text="My <words>"))
    assert done.status_code == status
    assert heading in done.text
    assert answer.replace("<", "&lt;").replace(">", "&gt;") in done.text
    assert "My &lt;words&gt;</textarea>" in done.text


async def test_a_listener_that_is_away_is_told_in_words(tmp_path: Path) -> None:
    identifier = put(tmp_path, ORIGINAL)
    port = ReservedPort()  # nobody listens on it
    away = Server(host="127.0.0.1", port=port.number)
    async with served(lambda _origin: application(tmp_path, away)) as origin:
        done = await _post(
            origin, f"/mails/{identifier}/answer", _fields(), headers={"accept-language": "pl"}
        )
    port.release()
    assert done.status_code == 503
    assert "Serwer nie odpowiedział" in done.text
    assert "One\nTwo</textarea>" in done.text


async def test_a_new_mail_goes_to_whom_it_is_written_to(tmp_path: Path) -> None:
    async with (
        mail_server() as double,
        served(lambda _origin: application(tmp_path, _server(double))) as origin,
    ):
        fields = {"from": "stranger@x.example", "to": "support@mail.example", "subject": "Hi", "text": "Help"}
        done = await _post(origin, "/write", fields)
        refused = await _post(origin, "/write", fields | {"from": "x", "to": "a@b\r\nDATA", "text": " "})
        ((recipient, message),) = double.taken
    assert (done.status_code, recipient, message["From"]) == (
        200,
        "support@mail.example",
        "stranger@x.example",
    )
    assert message["In-Reply-To"] is None
    assert refused.status_code == 422
    assert refused.text.count("is no e-mail address") == 2
    assert "is needed" in refused.text
