"""What an e-mail that came in is: whose reply on which ticket, or why it is none. Pure.

    which ticket   the signed address that it was sent to; then the e-mail of ours that it refers to; then the
                   number in its subject, if it is sure who sent it
    who            the address in From, if the check of where it comes from passed; where nothing can be
                   checked, only the very person whom the signed address was made for
    may they       a member of the ticket's account, or an agent, at this moment

What a program sent is ignored, what somebody else may have sent is quarantined, what belongs nowhere is left
for people. Nothing of it is lost: the e-mail itself is kept whatever is decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from contracts.number import is_number
from services.notify.incoming import Outcome
from services.notify.threading import ReplyTo

MAX_PER_HOUR: Final = 30
"""E-mails taken as replies on one ticket: people do not write so many, programs that answer each other do."""

Checked = Literal["pass", "fail", "none"]

_NUMBER: Final = re.compile(r"\[(\d{3})-(\d{3})-(\d{4})\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """What is known of an e-mail before anything is decided.

    `referred` is the ticket of the latest e-mail of ours that it refers to; `sender` the person of its From
    address; `automatic` why it is a program's, if it is; `checked` whether From is true.
    """

    addressed: ReplyTo | None
    referred: str | None
    subject: str
    sender: str | None
    automatic: str | None
    checked: Checked


@dataclass(frozen=True, slots=True)
class Candidate:
    """It would be a reply on this ticket, by this person, if that may write there."""

    number: str
    person: str
    found_by: str


@dataclass(frozen=True, slots=True)
class NoReply:
    """It is no reply; `answerable`: its sender may be told so."""

    outcome: Outcome
    reason: str
    answerable: bool = False


def sorted_out(clues: Clues) -> Candidate | NoReply:
    """What the e-mail is, as far as it can be told without looking at the ticket."""
    if clues.automatic is not None:
        return NoReply(Outcome.IGNORED, clues.automatic)
    if clues.sender is None:
        return NoReply(Outcome.QUARANTINED, "no_sender")
    if clues.checked == "fail":
        return NoReply(Outcome.QUARANTINED, "sender_check_failed")
    if clues.checked == "none" and not is_addressed_by_its_sender(clues):
        return NoReply(Outcome.QUARANTINED, "sender_not_checked")
    for number, found_by in (
        (clues.addressed.number if clues.addressed is not None else None, "address"),
        (clues.referred, "reference"),
        (number_in(clues.subject), "number"),
    ):
        if number is not None:
            return Candidate(number, clues.sender, found_by)
    return NoReply(Outcome.UNASSIGNED, "no_ticket", answerable=clues.checked == "pass")


def is_addressed_by_its_sender(clues: Clues) -> bool:
    """Whether it came to the signed address that nobody but its sender was told by us."""
    return clues.addressed is not None and clues.addressed.person == clues.sender


def number_in(subject: str) -> str | None:
    """The ticket number that our e-mails carry in their subject."""
    for found in _NUMBER.finditer(subject):
        number = "".join(found.groups())
        if is_number(number):
            return number
    return None


def too_many(replies_in_the_last_hour: int) -> bool:
    """Whether a further reply by e-mail on the ticket is for people to look at first."""
    return replies_in_the_last_hour >= MAX_PER_HOUR
