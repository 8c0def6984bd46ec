"""Whether a program wrote an e-mail, and whether one may answer it (RFC 3834). Pure.

What a mailing list passed on is a program's, even if a person wrote it: somebody who answers our e-mail
writes to its Reply-To, not by way of a list, whatever list our e-mail had come through. So an e-mail with
`List-Id` means that an address of ours stands on a list, and each answer to it would come back to us; unless
the list is ours, and is how e-mails come here.

Words in the subject ("Out of office") are no sign: people answer such e-mails and keep the subject.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from services.notify.received.headers import Headers

MAX_HOPS: Final = 30
"""`Received` headers: ordinary e-mails have fewer than half as many, the ones in a loop get ever more."""

_LIST: Final = (
    "List-Id", "List-Post", "List-Help", "List-Subscribe", "List-Owner", "List-Archive", "Mailing-List",
    "X-Mailing-List", "X-BeenThere",
)  # fmt: skip
_AUTOREPLY: Final = (
    "X-Autoreply", "X-Auto-Reply", "X-Autoreply-From", "X-Mail-Autoreply", "X-Autorespond", "X-Autoresponder",
    "X-OTRS-Loop", "X-FC-MachineGenerated", "X-POST-MessageClass",
)  # fmt: skip
_LIST_ADDRESS: Final = ("List-Post", "Mailing-List", "X-BeenThere")
_PRECEDENCE: Final = ("Precedence", "X-Precedence")
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
_REPORT: Final = ("multipart/report", "message/delivery-status", "message/disposition-notification")
_DAEMON: Final = re.compile(r"(?:mailer-daemon|postmaster)(?:[+._-].*)?", re.IGNORECASE | re.DOTALL)
_NO_REPLY: Final = re.compile(
    r"(?:(?:.*[+._-])?(?:(?:do[._-]?not|no)[._-]?(?:reply|respond)|nie[._-]?odpowiada[jcć])|bounces?|auto-?reply)"
    r"(?:[+._-].*)?",
    re.IGNORECASE | re.DOTALL,
)


def automatic(headers: Headers, *, envelope_sender: str, is_own: Callable[[str], bool]) -> str | None:
    """Why the e-mail is no person's, as a code that stays; None: a person's.

    What is no person's neither becomes a reply nor is answered. `envelope_sender` is the address of MAIL
    FROM, empty or `<>` for the null sender. `is_own` says of an address in lower case whether we send from it
    or receive at it; an agent's, which may be of the same domain, is not.
    """
    sender = _bare(envelope_sender)
    authors = [_bare(box.address) for name in ("From", "Sender") for box in headers.mailboxes(name)]
    if not sender or (headers.first("Return-Path") or "x").replace(" ", "") == "<>":
        return "null_sender"
    if any(is_own(address) for address in (sender, *authors)):
        return "own_address"
    if _came_round(headers, is_own):
        return "loop"
    if headers.all("X-Failed-Recipients") or _type(headers) in _REPORT:
        return "delivery_report"
    reason = _by_its_headers(headers, is_own) or _by_a_list(headers, is_own)
    if reason is not None:
        return reason
    if _DAEMON.fullmatch(_local(sender)) or any(
        _DAEMON.fullmatch(_local(address)) or _NO_REPLY.fullmatch(_local(address)) for address in authors
    ):
        return "system_sender"
    return None


def may_be_answered(
    headers: Headers, *, envelope_sender: str, is_own: Callable[[str], bool], authenticated: bool
) -> bool:
    """Whether a program may answer the sender: once, and only to the address that was `authenticated`.

    Stricter than `automatic`: it also heeds a wish for no automatic answers, and wants one author.
    """
    return (
        authenticated
        and automatic(headers, envelope_sender=envelope_sender, is_own=is_own) is None
        and headers.author() is not None
        and not any(is_own(_bare(box.address)) for box in headers.mailboxes("Reply-To"))
        and not headers.all("List-Unsubscribe")  # programs that write in a person's name have it
        and not _suppressed(headers) - {"none"}
    )


def _by_its_headers(headers: Headers, is_own: Callable[[str], bool]) -> str | None:
    if any(keyword not in ("", "no") for keyword in map(_keyword, headers.all("Auto-Submitted"))):
        return "auto_submitted"
    if any(_keyword(value) not in ("no", "false") for name in _AUTOREPLY for value in headers.all(name)):
        return "auto_reply"
    # The mailbox whose rule passed it on; ours may be how e-mails come here.
    if any(not is_own(_bare(value)) for value in headers.all("X-MS-Exchange-Inbox-Rules-Loop")):
        return "inbox_rule"
    # Asks Exchange for silence (MS-OXCMAIL). With `All` it is how Exchange's own notices go out; less than
    # that also gateways write into people's e-mails.
    if "all" in _suppressed(headers):
        return "auto_response_suppress"
    return None


def _by_a_list(headers: Headers, is_own: Callable[[str], bool]) -> str | None:
    named = (word for name in _LIST_ADDRESS for value in headers.all(name) for word in _words(value))
    is_ours = any(is_own(word.removeprefix("mailto:")) for word in named)
    if not is_ours and any(headers.all(name) for name in _LIST):
        return "list"
    marks = {_keyword(value).replace("-", "_") for name in _PRECEDENCE for value in headers.all(name)} - (
        {"list"} if is_ours else set()
    )
    return "precedence" if marks & _BULK else None


def _came_round(headers: Headers, is_own: Callable[[str], bool]) -> bool:
    if len(headers.all("Received")) > MAX_HOPS:
        return True
    return any(is_own(word) for value in headers.all("X-Loop") for word in _words(value))


def _words(value: str) -> list[str]:
    return [word for word in re.split(r"[\s<>,;]+", value.lower()) if word]


def _suppressed(headers: Headers) -> set[str]:
    values = ",".join(headers.all("X-Auto-Response-Suppress")).lower()
    return {word for word in re.split(r"[\s,;]+", values) if word}


def _type(headers: Headers) -> str:
    return _keyword(headers.first("Content-Type") or "")


def _keyword(value: str) -> str:
    """The first word: without parameters (RFC 3834, section 5.1) and comments."""
    return re.split(r"[\s;(]", value.strip(), maxsplit=1)[0].lower()


def _bare(address: str) -> str:
    return address.strip().strip("<>").strip().rstrip(".").lower()


def _local(address: str) -> str:
    return address.rpartition("@")[0].strip('"') or address
