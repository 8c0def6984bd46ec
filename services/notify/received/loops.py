"""Whether a program wrote an e-mail, and whether one may answer it (RFC 3834). Pure.

What a mailing list passed on is a program's, even if a person wrote it: somebody who answers our e-mail writes
to its Reply-To, not by way of a list, whatever list our e-mail had come through. So an e-mail with `List-Id`
means that an address of ours stands on a list, and each answer to it would come back to us.

Words in the subject ("Out of office") are no sign: people answer such e-mails and keep the subject.
"""

from __future__ import annotations

import re
from collections.abc import Collection
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
)  # fmt: skip
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
_REPORT: Final = ("multipart/report", "message/delivery-status", "message/disposition-notification")
_DAEMON: Final = re.compile(r"(?:mailer-daemon|postmaster)(?:[+._-].*)?", re.IGNORECASE | re.DOTALL)
_NO_REPLY: Final = re.compile(
    r"(?:(?:do[._-]?not|no)[._-]?(?:reply|respond)|nie[._-]?odpowiada[jć]|bounces?|auto-?reply)(?:[+._-].*)?",
    re.IGNORECASE | re.DOTALL,
)


def automatic(headers: Headers, *, envelope_sender: str, own_domains: Collection[str]) -> str | None:
    """Why the e-mail is no person's, as a code that stays; None: a person's. It neither becomes a reply nor is answered.

    `envelope_sender` is the address of MAIL FROM, empty or `<>` for the null sender. `own_domains` are those
    that we send from; agents who write from the same domain would be taken for our own e-mails.
    """
    sender = _bare(envelope_sender)
    own = frozenset(_bare(domain) for domain in own_domains)
    authors = [box.address for name in ("From", "Sender") for box in headers.mailboxes(name)]
    if not sender or (headers.first("Return-Path") or "x").replace(" ", "") == "<>":
        return "null_sender"
    if any(_domain(address) in own for address in (sender, *authors)):
        return "own_address"
    if _came_round(headers, own):
        return "loop"
    if headers.all("X-Failed-Recipients") or _type(headers) in _REPORT:
        return "delivery_report"
    for check in (_by_its_headers, _by_a_list):
        if (reason := check(headers)) is not None:
            return reason
    if _DAEMON.fullmatch(_local(sender)) or any(
        _DAEMON.fullmatch(_local(address)) or _NO_REPLY.fullmatch(_local(address)) for address in authors
    ):
        return "system_sender"
    return None


def may_be_answered(
    headers: Headers, *, envelope_sender: str, own_domains: Collection[str], authenticated: bool
) -> bool:
    """Whether a program may answer the sender: at most once, and only to the address that was `authenticated`.

    Stricter than `automatic`: it also heeds a wish for no automatic answers, and wants one author.
    """
    own = frozenset(_bare(domain) for domain in own_domains)
    return (
        authenticated
        and automatic(headers, envelope_sender=envelope_sender, own_domains=own_domains) is None
        and len(headers.all("From")) == len(headers.mailboxes("From")) == 1
        and not any(_domain(box.address) in own for box in headers.mailboxes("Reply-To"))
        and not headers.all("List-Unsubscribe")  # programs that write in a person's name have it
        and not _suppressed(headers) - {"none"}
    )


def _by_its_headers(headers: Headers) -> str | None:
    if any(keyword not in ("", "no") for keyword in map(_keyword, headers.all("Auto-Submitted"))):
        return "auto_submitted"
    if any(_keyword(value) not in ("no", "false") for name in _AUTOREPLY for value in headers.all(name)):
        return "auto_reply"
    if headers.all("X-MS-Exchange-Inbox-Rules-Loop"):
        return "inbox_rule"
    # Asks Exchange for silence (MS-OXCMAIL). With `All` it is how Exchange's own notices go out; less than
    # that also gateways write into people's e-mails.
    if "all" in _suppressed(headers):
        return "auto_response_suppress"
    return None


def _by_a_list(headers: Headers) -> str | None:
    if any(headers.all(name) for name in _LIST):
        return "list"
    if any(_keyword(value).replace("-", "_") in _BULK for value in headers.all("Precedence")):
        return "precedence"
    return None


def _came_round(headers: Headers, own: frozenset[str]) -> bool:
    if len(headers.all("Received")) > MAX_HOPS:
        return True
    marks = {part for value in headers.all("X-Loop") for part in re.split(r"[\s<>,;@]+", value.lower())}
    return bool(marks & own)


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


def _domain(address: str) -> str:
    return _bare(address.rpartition("@")[2])
