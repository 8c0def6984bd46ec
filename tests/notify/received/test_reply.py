"""The new text of e-mails, in the shape in which each client writes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.text import MAX_BODY_BYTES, check_body
from services.notify.received.delimiters import DELIMITERS
from services.notify.received.mime import ReadMail, read
from services.notify.received.reply import Reply, reply_text
from services.notify.received.segments import How
from tests.notify.received.table import SAMPLES, UNSOLVED, Sample

FOLDER: Final = Path(__file__).parent / "samples"
OURS: Final = (
    "##- Please write your answer above this line -##\n\n"
    "Shall we reset the feed of your account on Tuesday?\n\n"
    "Which of the two currencies do you want us to use in it?\n\n"
    "-- \nCasetrail\nReference ID of this e-mail: R-S304-B3CW-11B0\n"
)
HEADERS: Final = (
    "From: Casetrail <support@mail.example>\nSent: Tuesday, November 24, 2026 10:05 AM\n"
    "To: Anna Kowalska <anna.kowalska@acme-clinic.example>\nSubject: Our feed\n\n"
)


def _raw(sample: Sample) -> bytes:
    return (FOLDER / f"{sample.name}.eml").read_bytes()


def _of(text: str, *, subject: str = "Re: Our feed", sent: str | None = None) -> Reply:
    return reply_text(ReadMail(subject=subject, text=text), sent=sent)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_new_text_is_found(sample: Sample) -> None:
    found = reply_text(read(_raw(sample)))
    assert found.text == sample.text
    assert found.how is sample.how
    assert [marker for marker in sample.folded if marker not in found.folded] == []
    if sample.text:
        assert check_body(found.text) == found.text


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_lines_that_end_in_cr_lf_read_the_same(sample: Sample) -> None:
    assert reply_text(read(_raw(sample).replace(b"\n", b"\r\n"))) == reply_text(read(_raw(sample)))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_no_word_of_the_plain_text_is_lost(sample: Sample) -> None:
    mail = read(_raw(sample))
    found = reply_text(mail)
    if mail.text is not None and found.how is not How.MARKUP:
        assert sorted(_words(found.text + "\n" + found.folded)) == sorted(_words(mail.text))


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.xfail(strict=True, reason=each.style))
        for each in UNSOLVED
    ],
)
def test_these_are_not_solved(sample: Sample) -> None:
    found = reply_text(read(_raw(sample)))
    assert found.text == sample.text
    assert [marker for marker in sample.folded if marker not in found.folded] == []


@pytest.mark.parametrize("sample", UNSOLVED, ids=lambda sample: sample.name)
def test_what_is_not_solved_loses_no_word(sample: Sample) -> None:
    mail = read(_raw(sample))
    found = reply_text(mail)
    assert sorted(_words(found.text + "\n" + found.folded)) == sorted(_words(mail.text or ""))


def test_every_sample_is_in_the_table() -> None:
    assert {path.stem for path in FOLDER.glob("*.eml")} == {each.name for each in (*SAMPLES, *UNSOLVED)}


# What is known of our e-mail


def test_answers_in_an_original_without_marks_are_found_by_what_was_sent() -> None:
    answered = OURS.replace("Tuesday?\n", "Tuesday?\nYes, please do.\n").replace("in it?\n", "in it?\nEuro\n")
    text = f"See below.\n\n{HEADERS}{answered}"
    found = _of(text, sent=OURS)
    assert found.how is How.INLINE
    assert found.text == (
        "See below.\n\n"
        "> Shall we reset the feed of your account on Tuesday?\n\nYes, please do.\n\n"
        "> Which of the two currencies do you want us to use in it?\n\nEuro"
    )
    assert _of(text).text == "See below."
    assert "Yes, please do." in _of(text).folded


def test_what_stands_below_an_original_without_marks_is_found_by_what_was_sent() -> None:
    found = _of(f"{HEADERS}{OURS}\n\nYes, on Tuesday.\n", sent=OURS)
    assert (found.text, found.how) == ("Yes, on Tuesday.", How.DELIMITER)


def test_the_broken_end_of_a_line_of_ours_is_no_answer() -> None:
    broken = _quoted(OURS).replace("use in it?", "use in\nit?")
    text = f"On Tue, 24 Nov 2026 at 10:05, Casetrail <support@mail.example> wrote:\n{broken}\n\nEuro.\n"
    assert _of(text, sent=OURS).text == "Euro."


def test_a_quote_of_something_else_is_kept_if_it_is_known_what_was_sent() -> None:
    text = "It shows this since Monday\n\n> 500 Internal Server Error\n> request 4711\n"
    found = _of(text, sent=OURS)
    assert "> request 4711" in found.text
    assert found.folded == ""


def test_an_untouched_original_is_folded_with_and_without_what_was_sent() -> None:
    for text in (f"Yes.\n\n{HEADERS}{OURS}", f"Yes.\n\n{_quoted(OURS)}"):
        assert _of(text, sent=OURS).text == _of(text).text == "Yes."


# What is kept when in doubt


@pytest.mark.parametrize(
    "text",
    [
        "Od: poniedziałku nie działa.\nDo: piątku potrzebujemy odpowiedzi.\nTemat: jak w tytule.",
        "From: Warsaw\nTo: Gdańsk\nDate: Friday\nThis is the parcel that never came.",
        "The e-mail had these headers:\nFrom: a@b.example\nTo: c@d.example\nSubject: x\nand never arrived.",
        "On 24 November our customer wrote:\n> I cannot pay\nWhat shall I tell him?",
        "On Monday 3 clinics wrote to us:\nnone of them can log in.",
        "W dniu wczorajszym klient napisał:\n\n> nie mogę zapłacić\n\nCo odpowiedzieć?",
        "Dziennik z 24.11.2026 10:05:\n> ERROR 17\n> ERROR 18\nCo to znaczy?",
        "First part\n--\nSecond part, which is a whole sentence and longer than a name or a number is.\nYes?",
        "It was sent from my office on Monday.",
        "Wysłane przez pocztę dokumenty jeszcze nie dotarły.",
        "Sent via mail to your office on Monday.",
        "Here is what we do:\n\n> step one\n\nthen it stops.",
        "The status says:\n\n> on hold",
        "3 > 2\n>= 2 is refused\n->x is not",
        "My notes:\n----------\nnothing works\n----------\nreally nothing",
        "We got your original message ----- and it is wrong.",
        "Forwarded message from the bank: they refuse.",
    ],
)
def test_when_in_doubt_everything_is_kept(text: str) -> None:
    found = _of(text)
    assert found.text == text
    assert found.folded == ""


def test_text_above_a_sentence_that_looks_like_an_attribution_is_kept() -> None:
    text = (
        "The key was sent by Jan.\nHe is jan@acme-clinic.example\n"
        "On Tue, 24 Nov 2026 at 10:05, Casetrail <support@mail.example> wrote:\n> Which key?\n"
    )
    assert _of(text).text == "The key was sent by Jan.\nHe is jan@acme-clinic.example"


def test_an_e_mail_passed_on_within_a_quote_is_no_new_text() -> None:
    text = (
        "Thanks.\n\nOn 24/11/2026 10:05, Jan Nowak wrote:\n> See this.\n>\n"
        "> ---------- Forwarded message ---------\n> From: bank@bank.example\n>\n> Payout held.\n"
    )
    assert _of(text).text == "Thanks."


@pytest.mark.parametrize("subject", ["Fwd: Our feed", "FW: Our feed"])
@pytest.mark.parametrize("begin", ["---------- Forwarded message ---------\n" + HEADERS, HEADERS])
def test_our_own_e_mail_passed_on_to_us_is_folded(subject: str, begin: str) -> None:
    text = f"Yes, on Tuesday.\n\n{begin}{DELIMITERS['en']}\n\nShall we reset the feed on Tuesday?\n"
    found = _of(text, subject=subject)
    assert (found.text, found.how) == ("Yes, on Tuesday.", How.DELIMITER)


# Limits


def test_a_text_that_is_too_long_for_a_ticket_is_whole_and_says_so() -> None:
    assert not _of("a" * MAX_BODY_BYTES).is_too_long
    assert _of("ą" * (MAX_BODY_BYTES // 2 + 1)).is_too_long


def test_twenty_megabytes_of_lines_are_kept() -> None:
    text = "All of this is new.\n" * 1_000_000
    assert _of(text + "> and this\n").text == text + "> and this"


def test_twenty_megabytes_below_an_attribution_are_folded() -> None:
    text = "New.\n\n" + HEADERS + "old line\n" * 2_000_000
    assert _of(text).text == "New."


@pytest.mark.parametrize(
    "unit",
    [
        "________\n",
        "> > ",
        ">\n\n",
        "On 24 Nov 2026 10:05 a@b.example\n",
        "From: a@b.example\nx\n",
        "-- \nx\n",
        "##- ",
    ],
)
def test_what_repeats_is_read_in_time_that_grows_with_its_size(unit: str) -> None:
    _of(unit * (400_000 // len(unit)))  # the time-out of the tests fails it: a square would take many minutes


# Of any text

LINES: Final = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=60), max_size=12
)
PIECES: Final = st.lists(
    st.sampled_from(
        (
            *(
                "New words",
                "> quoted",
                ">> deeper",
                "",
                "-- ",
                "--",
                "Sent from my iPhone",
                "________________",
            ),
            "On Tue, 24 Nov 2026 at 10:05, Casetrail <support@mail.example> wrote:",
            *(DELIMITERS["en"], f"> {DELIMITERS['pl']}", "##-", "wrote:", "PS: more"),
            *("-----Original Message-----", "---------- Forwarded message ---------"),
            *("From: a@b.example", "To: c@d.example", "Sent: Tuesday", "Subject: x"),
        )
    ),
    max_size=25,
)


@given(LINES | PIECES, st.sampled_from(["", "Re: x", "Fwd: x"]), st.none() | st.just(OURS))
@settings(max_examples=200, deadline=None)
def test_no_line_is_ever_lost(lines: list[str], subject: str, sent: str | None) -> None:
    text = "\n".join(lines)
    found = _of(text, subject=subject, sent=sent)
    assert sorted(_words(found.text + "\n" + found.folded)) == sorted(_words(text))
    assert bool(found.text) == (found.how is not How.EMPTY)


@given(
    st.lists(
        st.from_regex(r"[A-Za-ząćęłńóśźż][A-Za-ząćęłńóśźż ,.]{0,50}", fullmatch=True), min_size=1, max_size=8
    )
)
@settings(max_examples=150, deadline=None)
@example(["On Monday wrote:", "PS", "From"])
def test_what_stands_above_our_line_survives_and_stays_the_same(lines: list[str]) -> None:
    new = "\n".join(lines)
    attribution = "On Tue, 24 Nov 2026 at 10:05, Casetrail <support@mail.example> wrote:"
    found = _of(f"{new}\n\n{attribution}\n\n{_quoted(OURS)}\n")
    assert [line for line in lines if line.rstrip() not in found.text] == []
    assert _of(found.text).text == found.text


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_have_a_reply(raw: bytes) -> None:
    for prefix in (
        b"",
        b"Content-Type: text/html\n\n",
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\n",
    ):
        found = reply_text(read(prefix + raw))
        if found.text:
            assert check_body(found.text) == found.text


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)
