"""The e-mails that invite people to accounts: queued for each invitation, written when they are sent.

What was in the log of access before the service first started is not mailed, as with updates of tickets.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import quote

from contracts import subjects
from contracts.access.events import AccessEvent, MemberInvitedV1, parse_access_event
from contracts.access.people import person_id
from contracts.access.roles import MemberRole
from contracts.envelope import ActorKind
from contracts.reference import derive_reference
from services.guard.following import Following
from services.links.invitations import InvitationTokens
from services.notify import outgoing
from services.notify.commands import Commands
from services.notify.directory import Directory, Invited
from services.notify.news import NAMELESS_AGENT, Links
from services.notify.updates import Invitation
from services.notify.writing import NotToBeSent
from services.runtime.events import Retry, Subscribers
from services.runtime.ids import derived_id

KIND: Final = "invitation"
INVITATIONS: Final = "notify-invitations"
"""The durable consumer; all replicas of the service share it."""

RETRY: Final = Retry(deliveries=2_000, first_s=0.5, longest_s=60.0)

_INVITED: Final = "invited"


def subscribe(
    subscribers: Subscribers,
    commands: Commands,
    directory: Directory,
    following: Following,
    *,
    domain: str,
    after: int,
) -> None:
    """Have an e-mail queued for every invitation after a position that is still open. `domain` is that of
    our addresses."""

    async def invite(event: AccessEvent, position: int) -> None:
        """Queues the e-mail that invites somebody."""
        if not isinstance(event, MemberInvitedV1):
            return
        await following.catch_up()
        if _open(directory, event.account, event.data.person, event.id) is not None:
            await commands.queue(letter(event, position, directory, domain=domain))

    subscribers.subscribe(
        subjects.ACCESS,
        subjects.account_events("*"),
        name=INVITATIONS,
        parse=parse_access_event,
        handler=invite,
        schema=AccessEvent,
        retry=RETRY,
        after=after,
    )


def letter(event: MemberInvitedV1, position: int, directory: Directory, *, domain: str) -> outgoing.Letter:
    """The letter that invites somebody: always the same for an invitation."""
    mail = derived_id("mail", KIND, event.id)
    known = directory.person(event.data.person)
    return outgoing.Letter(
        id=mail,
        account=event.account,
        kind=KIND,
        cause=outgoing.Cause(
            event=event.id,
            type=event.type,
            stream=subjects.ACCESS.name.lower(),
            position=position,
        ),
        why=_INVITED,
        email=event.data.content.email,
        language=directory.language(known, event.account),
        reference=derive_reference("mail", mail),
        message_id=f"<{mail}@{domain}>",
    )


class Invitations:
    """Writes what invites people, for as long as the invitation is open."""

    def __init__(
        self, directory: Directory, following: Following, links: Links, tokens: InvitationTokens
    ) -> None:
        self._directory = directory
        self._following = following
        self._links = links
        self._tokens = tokens

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> Invitation | NotToBeSent:
        """As `Source.write`."""
        await self._following.catch_up()
        invited = _open(self._directory, letter.account, person_id(letter.email), letter.cause.event)
        if invited is None or invited.expires_at <= at:
            return NotToBeSent("the invitation is not open any more")
        token = quote(self._tokens.token(invited.account, invited.id), safe="")
        return Invitation(
            account=self._directory.account_name(invited.account),
            invited_by=self._name(invited.by),
            role=MemberRole(invited.role),
            link=self._links.invitation(token),
            expires=invited.expires_at,
        )

    def _name(self, actor: str) -> str:
        kind, _, who = actor.partition(":")
        person = self._directory.person(who)
        if person is None or kind == ActorKind.SYSTEM:
            return NAMELESS_AGENT
        return person.name or (NAMELESS_AGENT if kind == ActorKind.AGENT else person.email)


def _open(directory: Directory, account: str, person: str, event: str) -> Invited | None:
    """The invitation that an event made, unless it was accepted, withdrawn or replaced."""
    invited = directory.invited(person, account)
    return invited if invited is not None and invited.event == event else None
