"""What is known of an e-mail that came in: put together from its headers and from what we have on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.access.people import NotAnAddress, normalised, person_id
from services.notify import view
from services.notify.received.domains import domain_of
from services.notify.received.headers import Headers
from services.notify.threading import ReplyAddresses, ReplyTo, ticket_of
from services.runtime.replica import Replica

_RECIPIENTS: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom an e-mail says that it is from.

    `address` None: From has not exactly one; `person` follows from it, None for what is no address to us.
    """

    address: str | None
    person: str | None


def origin(headers: Headers) -> Origin:
    """The one author of an e-mail."""
    author = headers.author()
    if author is None:
        return Origin(None, None)
    try:
        # Two ways to write one domain in ASCII (IDNA 2008, UTS 46) differ for a few letters: who was checked
        # must be who the person is.
        is_one = normalised(author).rpartition("@")[2] == domain_of(author)
        return Origin(author, person_id(author) if is_one else None)
    except NotAnAddress:
        return Origin(author, None)


class Recollection:
    """What our own e-mails say about one that answers them."""

    def __init__(self, mails: Replica, replies: ReplyAddresses, *, domain: str) -> None:
        """`mails` is the replica of NOTIFY; `domain` that of our Message-IDs."""
        self._mails = mails
        self._replies = replies
        self._domain = domain

    def is_signed(self, recipient: str) -> bool:
        """Whether it is an address that we made for somebody and a ticket."""
        return self._replies.read(recipient) is not None

    def addressed(self, recipient: str, headers: Headers) -> ReplyTo | None:
        """Whom the signed address was made for that it was sent to.

        The address of the envelope counts first. A mail server may have put another one in its place; then
        the headers still have it.
        """
        if (found := self._replies.read(recipient)) is not None:
            return found
        for name in _RECIPIENTS:
            for address in (*(box.address for box in headers.mailboxes(name)), *headers.all(name)):
                if (found := self._replies.read(address)) is not None:
                    return found
        return None

    def referred(self, headers: Headers) -> str | None:
        """The ticket of the latest e-mail of ours that it refers to."""
        ids = (*headers.message_ids("In-Reply-To"), *reversed(headers.message_ids("References")))
        with self._mails.reading() as cursor:
            for each in ids:
                number = view.ticket_of_message(cursor, each) or ticket_of(each, self._domain)
                if number is not None:
                    return number
        return None
