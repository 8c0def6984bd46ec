"""E-mails as they go out: both parts say everything, and what a person wrote stays in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

import lxml.html  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.number import shown
from contracts.tickets.events import CloseReason
from contracts.wording import LANGUAGES, Language, Wording
from services.notify import words
from services.notify.compose import AddressNotSupported, compose
from services.notify.marked_up import marked_up, plain
from services.notify.received.delimiters import DELIMITERS
from services.notify.updates import File, What, Why
from tests.notify.letters import EMAIL, NOW, NUMBER, PORTAL, REFERENCE, TEXTS, envelope, every_kind, news
from tests.notify.test_threading import check_strictly, decoded

KINDS = sorted(every_kind("en"))
OF_A_TICKET = {"reply-refused", "address-fails"}
ABOUT_A_TICKET = [kind for kind in KINDS if kind.endswith(("-member", "-agent")) or kind == "reply-refused"]


def _parts(raw: bytes) -> tuple[str, str]:
    """Text and HTML, as a parser without our policy reads them off the wire."""
    message = BytesParser(policy=compat32).parsebytes(raw)
    assert message.get_content_type() == "multipart/alternative"
    text, html = (part for part in message.walk() if not part.is_multipart())
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return _decoded(text), _decoded(html)


def _decoded(part: Message[str, str]) -> str:
    assert part.get_content_charset() == "utf-8"
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def _seen(html: str) -> str:
    """What a reader sees of the page, with one space for all white space."""
    body = lxml.html.document_fromstring(html).body
    for comment in body.xpath("//comment()"):
        comment.drop_tree()
    for line_break in body.xpath("//br"):
        line_break.tail = f"\n{line_break.tail or ''}"
    return " ".join(body.text_content().split())


def _mail(kind: str, language: Language) -> tuple[str, str]:
    return _parts(bytes(compose(every_kind(language)[kind], envelope(language))))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_strictly_right_on_the_wire(kind: str, language: Language) -> None:
    raw = bytes(compose(every_kind(language)[kind], replace(envelope(language), earlier=("<a@b.example>",))))
    check_strictly(raw, ["From", "To", "Reply-To", "Subject", "Date", "Message-ID"])
    message = BytesParser(policy=compat32).parsebytes(raw)
    expected = "auto-replied" if kind in {"reply-refused", "unassigned"} else "auto-generated"
    assert message["Auto-Submitted"] == expected
    assert message["Content-Language"] == language
    assert message["In-Reply-To"] == "<a@b.example>"
    assert decoded(message["Subject"]).startswith("Re: [") == (kind in ABOUT_A_TICKET or kind in OF_A_TICKET)
    assert message["Precedence"] is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_text_and_html_both_have_the_reference_and_every_link(kind: str, language: Language) -> None:
    text, html = _mail(kind, language)
    assert REFERENCE in text
    assert REFERENCE in _seen(html)
    links = {link for _, attribute, link, _ in lxml.html.fromstring(html).iterlinks() if attribute == "href"}
    assert links
    for link in links:
        assert link in text
        assert link.startswith("https://")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ABOUT_A_TICKET)
def test_what_is_about_a_ticket_has_its_number_the_whole_text_and_the_line_for_answers(
    kind: str, language: Language
) -> None:
    text, html = _mail(kind, language)
    assert text.startswith(DELIMITERS[language] + "\n")
    assert shown(NUMBER) in text
    assert TEXTS[language] in text
    seen = _seen(html)
    assert DELIMITERS[language] in seen
    assert shown(NUMBER) in seen
    assert " ".join(TEXTS[language].split()) in seen


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_languages_share_no_sentence(kind: str) -> None:
    lines = {language: set(_lines(_mail(kind, language)[0])) for language in LANGUAGES}
    assert lines["en"] & lines["pl"] <= {"Casetrail", "Which area?", "Product feed"}


def _lines(text: str) -> Iterator[str]:
    """Lines of words, without what is the same in every language: values, addresses, file names."""
    for line in text.splitlines():
        if re.search("[a-z]{3}", line) and not re.search(
            "Acme|Anna|Jan Nowak|https?://|serwera[.]pdf|feed[.]csv", line
        ):
            yield line.strip()


def test_every_sentence_is_there_in_every_language() -> None:
    ours = [value for name, value in vars(words).items() if name.isupper()]
    table = [value for value in ours if isinstance(value, Wording)]
    for value in ours:
        if isinstance(value, dict):
            table += value.values()
    assert len(table) > 40
    for wording in table:
        assert wording.en.strip()
        assert wording.pl.strip()
        assert re.findall("{.*?}", wording.en) == re.findall("{.*?}", wording.pl)
    for kinds, sayings in (
        (What, words.HEADINGS),
        (What, words.BY),
        (What, words.NEXT),
        (What, words.NEXT_OF_AGENT),
    ):
        assert set(sayings) == set(kinds)
    assert set(words.REASONS) == set(CloseReason)
    assert set(words.WHYS) == set(Why)


def test_a_closing_without_a_note_says_why_and_offers_the_two_ways_on() -> None:
    text, html = _parts(bytes(compose(news(What.CLOSED, text=None), envelope())))
    for part in (text, _seen(html)):
        assert "solved" in part
        assert "None" not in part
    for link in (f"{PORTAL}/tickets/{NUMBER}/reopen", f"{PORTAL}/tickets/new?follows={NUMBER}"):
        assert link in text
        assert link.replace("&", "&amp;") in html


def test_an_agent_is_told_where_an_answer_goes_and_a_member_is_not() -> None:
    told = [compose(news(What.REPLIED, why=why), envelope()) for why in (Why.AGENT, Why.MEMBER)]
    agent, member = (_parts(bytes(each))[0] for each in told)
    assert "goes to the partner" in agent
    assert "goes to the partner" not in member


def test_a_mail_that_belongs_nowhere_is_answered_without_repeating_anything() -> None:
    text, _ = _mail("unassigned", "en")
    assert "Anna" not in text
    assert "Acme" not in text


def test_attachments_are_named_with_their_sizes_and_not_sent() -> None:
    files = (File("żółw <b>.pdf", 999), File("a\r\nb.csv", 10_485_760), File("c.txt", 999_600))
    message = compose(news(What.REPLIED, "pl", files=files), envelope("pl"))
    text, html = _parts(bytes(message))
    for part in (text, _seen(html)):
        for said in ("żółw <b>.pdf (999 B)", "a b.csv (10,5 MB)", "c.txt (1,0 MB)"):
            assert said in part


def test_a_language_that_we_do_not_speak_is_english() -> None:
    message = compose(news(What.REPLIED), replace(envelope(), language="cs"))
    assert message["Content-Language"] == "en"
    assert 'lang="en"' in _parts(bytes(message))[1]


def test_the_same_update_is_the_same_bytes() -> None:
    assert bytes(compose(news(What.OPENED), envelope())) == bytes(compose(news(What.OPENED), envelope()))


def test_an_address_that_needs_smtputf8_is_refused() -> None:
    with pytest.raises(AddressNotSupported):
        compose(news(What.REPLIED), replace(envelope(), email="żółw@acme.example"))


def test_a_mail_without_a_preference_or_an_address_for_answers_has_none() -> None:
    bare = replace(envelope(), reply_to=None, preferences=None)
    message = compose(every_kind("en")["test"], bare)
    for name in ("Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post", "In-Reply-To", "References"):
        assert message[name] is None
    assert "Choose which" not in _parts(bytes(message))[0]


HOSTILE = (
    "</div></mj-text><mj-raw><script>alert(1)</script></mj-raw>",
    "{{ 7 * 7 }} {% raw %} {{ page }}",
    "<!-- <![endif]--> <![CDATA[ ]]> &lt;b&gt; &amp;amp; &#60;i&#62;",
    "<img src=x onerror=alert(1)>\r\nBcc: all@example.com\r\n\r\n<b>",
    "\"'><a href='javascript:alert(1)'>x</a>",
    "\u202eexe.fdp\u202c \u2066x\u2069 \x00\x08\x1b[31m \ud800",
    "=?utf-8?q?=0D=0ABcc:_a@b?= =?utf-8?b?PGI+?=",
    "]]></mj-text></mjml>" + "x" * 5000,
)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("what", What)
def test_what_a_person_wrote_stays_in_its_place(what: What, hostile: str) -> None:
    told = news(
        what,
        title=hostile,
        account=hostile,
        author=hostile,
        text=hostile,
        files=(File(hostile, 1),),
    )
    raw = bytes(compose(told, envelope()))
    check_strictly(raw, ["From", "To", "Reply-To", "Subject"])
    text, html = _parts(raw)
    assert plain(hostile) in text
    tree = lxml.html.document_fromstring(html)
    assert not tree.xpath("//script | //img | //iframe | //form | //b | //i | //mj-raw | //@onerror")
    assert {a.get("href").split("?")[0].partition("://")[0] for a in tree.xpath("//a")} == {"https"}
    seen = " ".join(plain(hostile).split())
    assert seen in _seen(html)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400), title=st.text(max_size=100))
def test_any_text_arrives_whole_in_both_parts(text: str, title: str) -> None:
    part, html = _parts(bytes(compose(news(What.REPLIED, text=text, title=title), envelope())))
    assert plain(text) in part
    assert " ".join(plain(text).split()) in _seen(html)


def test_the_longest_text_arrives_whole() -> None:
    text = ("zażółć gęślą jaźń " * 4000)[: 64 * 1024 // 2]
    part, html = _parts(bytes(compose(news(What.REPLIED, text=text), envelope())))
    assert text in part
    assert " ".join(text.split()) in _seen(html)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://a.example/x?y=1&z=2.", ["https://a.example/x?y=1&z=2"]),
        ("(https://a.example/x_(y)), https://b.example!", ["https://a.example/x_(y)", "https://b.example"]),
        ("HTTPS://A.EXAMPLE and http://b.example:8080/", ["HTTPS://A.EXAMPLE", "http://b.example:8080/"]),
        ("javascript:alert(1) data:text/html,x ftp://a.example www.a.example", []),
        ("https:// http://. https://)", []),
        ("https://a.example/\u202egpj.exe", ["https://a.example/"]),
        ('<https://a.example> "https://b.example"', ["https://a.example", "https://b.example"]),
    ],
)
def test_only_web_addresses_become_links_and_show_where_they_lead(text: str, links: list[str]) -> None:
    tree = lxml.html.fragment_fromstring(str(marked_up(text)), create_parent=True)
    assert [a.get("href") for a in tree.xpath(".//a")] == links
    assert [a.text_content() for a in tree.xpath(".//a")] == links
    assert tree.text_content().replace("\u00a0", " ") == text


def test_lines_and_spaces_are_kept() -> None:
    assert str(marked_up("a\r\n  b   c\n\n\td")) == (
        "a<br />\u00a0 b\u00a0\u00a0 c<br /><br />\u00a0\u00a0\u00a0 d"
    )


@pytest.mark.parametrize(
    ("at", "en", "pl"),
    [
        (NOW, "24 November 2026, 09:05 UTC", "24 listopada 2026, 09:05 UTC"),
        (datetime(2027, 5, 1, tzinfo=UTC), "1 May 2027, 00:00 UTC", "1 maja 2027, 00:00 UTC"),
    ],
)
def test_a_moment_is_said_in_words(at: datetime, en: str, pl: str) -> None:
    assert (words.moment(at, "en"), words.moment(at, "pl")) == (en, pl)


def test_no_address_and_no_name_stands_in_ids() -> None:
    message = compose(news(What.REPLIED), envelope())
    for name in ("Message-ID", "References", "Reply-To", "In-Reply-To"):
        assert "anna" not in str(message[name]).lower()
        assert EMAIL not in str(message[name])
