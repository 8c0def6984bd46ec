"""Carrying out commands on accounts and people, each by whoever may."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from contracts import subjects
from contracts.access import requests
from contracts.access.events import PLATFORM, MailWanted
from contracts.access.people import person_id
from contracts.access.roles import Permission
from contracts.envelope import ActorKind, Via
from contracts.requests import SentActor
from services.access import account, admission, authority, person, translate
from services.access.domain import (
    Actor,
    Capacity,
    CommandId,
    CommandIdReused,
    NotPermitted,
    PersonId,
    Refusal,
)
from services.links.invitations import InvitationTokens
from services.links.mail import MailTokens, TokenVoid
from services.runtime import telemetry
from services.runtime.aggregate_commands import AggregateCommands, Cache, Effect, Recording
from services.runtime.ids import uuid7
from services.runtime.log import Log
from services.runtime.recorder import Document
from services.runtime.replica import Replica

CACHED_ACCOUNTS: Final = 2_000
CACHED_PEOPLE: Final = 10_000

_NEEDS: Final[Mapping[type[translate.AccountRequest], Permission]] = {
    requests.RegisterAccount: Permission.ACCOUNT_MANAGE,
    requests.ChangeAccount: Permission.ACCOUNT_MANAGE,
    requests.InviteMember: Permission.PEOPLE_MANAGE,
    requests.WithdrawInvitation: Permission.PEOPLE_MANAGE,
    requests.ChangeRole: Permission.PEOPLE_MANAGE,
    requests.RemoveMember: Permission.PEOPLE_MANAGE,
    requests.CreateCredential: Permission.ACCOUNT_MANAGE,
    requests.RevokeCredential: Permission.ACCOUNT_MANAGE,
}

PersonNeeded = requests.AcceptInvitation | requests.AppointPerson | requests.LinkPerson


class Caches:
    """Accounts and people worked on lately."""

    def __init__(self) -> None:
        self.accounts: Cache[account.Account, account.AccountFact] = Cache(
            size=CACHED_ACCOUNTS, read=translate.read_account_fact, evolve=account.evolve
        )
        self.people: Cache[person.Person, person.PersonFact] = Cache(
            size=CACHED_PEOPLE, read=translate.read_person_fact, evolve=person.evolve
        )

    def take_in(self, documents: Sequence[Document]) -> None:
        """Evolve those to which events were added, by whichever replica of the service."""
        self.accounts.take_in(documents)
        self.people.take_in(documents)


class Commands:
    """The write side of the service."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        caches: Caches,
        tokens: InvitationTokens,
        stops: MailTokens,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._replica = replica
        self._tokens = tokens
        self._stops = stops
        self._now = now
        self._accounts: AggregateCommands[account.Account, account.AccountFact] = AggregateCommands(
            log,
            replica,
            caches.accounts,
            refusal=Refusal,
            certain=(CommandIdReused,),
        )
        self._people: AggregateCommands[person.Person, person.PersonFact] = AggregateCommands(
            log,
            replica,
            caches.people,
            refusal=Refusal,
            certain=(CommandIdReused, person.IsKnown, person.IsLinked),
        )

    # Accounts

    async def change_account(self, request: translate.AccountRequest) -> requests.AccountDone:
        """Register, change, withdraw an invitation, change a role, remove a member."""
        effect = await self._on_account(request, needs=_NEEDS[type(request)])
        return translate.account_done(requests.AccountDone, effect.position, effect.event)

    async def invite(self, request: requests.InviteMember) -> requests.InvitationSent:
        """Invite somebody."""
        return await self._invite(request, needs=_NEEDS[type(request)])

    async def admit(self, request: requests.AdmitAccount) -> requests.InvitationSent:
        """Register an account and invite its first administrator."""
        register, invite = admission.parts(request)
        try:
            await self._on_account(register, needs=Permission.ACCOUNT_ADMIT)
            return await self._invite(invite, needs=Permission.ACCOUNT_ADMIT)
        except CommandIdReused as refusal:  # the caller knows its own id only
            raise CommandIdReused(command_id=request.command_id, account=request.account) from refusal

    async def _invite(self, request: requests.InviteMember, *, needs: Permission) -> requests.InvitationSent:
        effect = await self._on_account(request, needs=needs)
        data = effect.event["data"]
        return translate.account_done(
            requests.InvitationSent,
            effect.position,
            effect.event,
            invitation=data["invitation"],
            person=data["person"],
            role=data["role"],
            expires_at=data["expires_at"],
            token=self._tokens.token(request.account, data["invitation"]),
        )

    async def accept(self, request: requests.AcceptInvitation) -> requests.MemberJoined:
        """Make a member of who was invited, and make it known if it is new."""
        try:
            account_id, invitation = self._tokens.read(request.token)
        except TokenVoid:
            raise account.InvitationNotFound from None

        def decide(state: account.Account | None) -> Sequence[account.AccountFact]:
            command = translate.join_command(request, invitation_id=invitation, at=self._now())
            return account.decide(command, state)

        # The person comes first, and only if it is going to join: known without an account, it may nothing.
        await self._accounts.catch_up()
        state = self._accounts.load(account_id).state
        with _of_account(account_id):
            if decide(state) and state is not None:
                await self._know(request, state.invitations[PersonId(request.actor.id)].email)
            effect = await self._accounts.carry_out(
                account_id,
                request.command_id,
                decide=decide,
                record=lambda fact, after: self._recording(request, fact, after),
            )
        data = effect.event["data"]
        return translate.account_done(
            requests.MemberJoined, effect.position, effect.event, person=data["person"], role=data["role"]
        )

    async def change_credential(
        self, request: requests.CreateCredential | requests.RevokeCredential
    ) -> requests.CredentialRecorded:
        """Create or revoke a credential."""
        effect = await self._on_account(request, needs=_NEEDS[type(request)])
        return translate.credential_recorded(effect.position, effect.event)

    async def _on_account(self, request: translate.AccountRequest, *, needs: Permission) -> Effect:
        actor = translate.actor(request.actor)
        invitation_id = uuid7()
        await self._know_roles(actor)

        def decide(state: account.Account | None) -> Sequence[account.AccountFact]:
            if not _was_done(state, request.command_id):
                self._check(request, needs, actor, state)
            command = translate.account_command(request, at=self._now(), invitation_id=invitation_id)
            return account.decide(command, state)

        with _of_account(request.account):
            return await self._accounts.carry_out(
                request.account,
                request.command_id,
                decide=decide,
                record=lambda fact, after: self._recording(request, fact, after),
                probably_new=isinstance(request, requests.RegisterAccount),
            )

    def _check(
        self,
        request: translate.AccountRequest,
        needs: Permission,
        actor: Actor,
        state: account.Account | None,
    ) -> None:
        """Raises NotPermitted or AccountNotFound."""
        # Nobody learns from a registration or an admission which accounts there are.
        if isinstance(request, requests.RegisterAccount) or needs is Permission.ACCOUNT_ADMIT:
            authority.check_platform(needs, actor, self._roles(actor))
        else:
            authority.check(needs, actor, state, self._roles(actor))

    # People

    async def appoint(self, request: requests.AppointPerson) -> requests.PersonDone:
        """Give somebody a role for the platform."""
        who = person_id(request.email)
        await self._check_manages_platform(request, who)
        await self._know(request, request.email)
        return await self._on_person(request, who)

    async def dismiss(self, request: requests.DismissPerson) -> requests.PersonDone:
        """Take a role for the platform away."""
        await self._check_manages_platform(request, request.person)
        return await self._on_person(request, request.person)

    async def link(self, request: requests.LinkPerson) -> requests.PersonDone:
        """Link an identity to the person of its address, unless it is linked already."""
        who = PersonId(person_id(request.email))
        if translate.actor(request.actor) != Actor(Capacity.MEMBER, who):
            raise NotPermitted
        await self._people.catch_up()
        linked = self._linked(translate.identity(request))
        if linked is None:
            await self._know(request, request.email)
            try:
                return await self._on_person(request, who)
            except person.IsLinked as found:
                await self._people.catch_up()  # the link may be newer than the replica: this process made it
                linked = who, found.revision
        effect = self._people.effect_at(*linked)
        return translate.person_done(effect.position, effect.event)

    async def change_person(self, request: requests.ChangePerson) -> requests.PersonDone:
        """Change the name or language of the person that acts."""
        if translate.actor(request.actor).capacity is Capacity.SYSTEM:
            raise person.PersonNotFound
        return await self._on_person(request, request.actor.id)

    async def stop_mail(self, request: requests.StopMail) -> requests.MailStopped:
        """Change what the person of the link wants to no e-mails at all. Done before, it is still done."""
        try:
            who = self._stops.read(request.token)
        except TokenVoid:
            raise person.LinkVoid from None
        await self._people.catch_up()
        state = self._people.load(who).state
        if state is None:  # the log is another one than that of the e-mail
            raise person.LinkVoid
        wanted = requests.SentMailPreferences(tickets=MailWanted.NONE)
        with contextlib.suppress(person.NothingToChange):
            await self._on_person(
                requests.ChangePerson(
                    command_id=request.command_id,
                    actor=SentActor(kind=ActorKind.MEMBER, id=who),
                    via=Via.EMAIL,
                    display_name=state.profile.display_name,
                    language=state.profile.language,
                    mail=wanted,
                ),
                who,
            )
        return requests.MailStopped(email=self._address(who), language=state.profile.language)

    def _address(self, who: str) -> str:
        with self._replica.reading() as cursor:
            cursor.execute("SELECT email FROM people WHERE person = ?", (who,))
            return str(cursor.fetchone()["email"])

    async def _on_person(self, request: translate.PersonRequest, who: str) -> requests.PersonDone:
        effect = await self._people.carry_out(
            who,
            request.command_id,
            decide=lambda state: person.decide(translate.person_command(request, at=self._now()), state),
            record=lambda fact, after: self._recording(request, fact, after),
        )
        return translate.person_done(effect.position, effect.event)

    async def _know(self, request: PersonNeeded, email: str) -> None:
        """Register the person of this address, if nobody has done so."""
        who = person_id(email)
        if self._people.load(who).state is not None:
            return

        def decide(state: person.Person | None) -> Sequence[person.PersonFact]:
            command = translate.register_command(request, email=email, at=self._now())
            return person.decide(command, state)

        try:
            await self._people.carry_out(
                who,
                request.command_id,
                decide=decide,
                record=lambda fact, after: self._recording(request, fact, after),
            )
        except person.IsKnown:
            return

    async def _check_manages_platform(
        self, request: requests.AppointPerson | requests.DismissPerson, who: str
    ) -> None:
        """Raises NotPermitted, unless it was done before."""
        actor = translate.actor(request.actor)
        await self._people.catch_up()
        if not _was_done(self._people.load(who).state, request.command_id):
            authority.check_platform(Permission.PLATFORM_MANAGE, actor, self._roles(actor))

    async def _know_roles(self, actor: Actor) -> None:
        """Platform roles are no part of the account that a command is decided on: they are read up to now."""
        if actor.capacity is Capacity.AGENT:
            await self._people.catch_up()

    def _roles(self, actor: Actor) -> Collection[person.Role]:
        state = self._people.load(actor.id).state if actor.capacity is Capacity.AGENT else None
        return frozenset() if state is None else state.roles

    def _linked(self, identity: person.Identity) -> tuple[str, int] | None:
        """The person of an identity, and the revision at which it was linked."""
        with self._replica.reading() as cursor:
            cursor.execute(
                "SELECT person, revision FROM identities WHERE issuer = ? AND provider_subject = ?",
                (identity.issuer, identity.subject),
            )
            row = cursor.fetchone()
        return None if row is None else (row["person"], row["revision"])

    def _recording(
        self,
        request: translate.AnyRequest,
        fact: account.AccountFact | person.PersonFact,
        after: account.Account | person.Person,
    ) -> Recording:
        is_account = isinstance(after, account.Account)
        event: dict[str, Any] = translate.event(
            fact,
            subject=after.id,
            account_id=after.id if is_account else PLATFORM,
            revision=after.revision,
            circumstances=translate.Circumstances(
                event_id=uuid7(),
                via=request.via,
                correlation_id=request.correlation_id or request.command_id,
                traceparent=telemetry.current_traceparent(),
            ),
        )
        subject = subjects.account_events if is_account else subjects.person_events
        return Recording(subject(after.id), event)


@contextlib.contextmanager
def _of_account(account_id: str) -> Iterator[None]:
    """A refusal names the account that it is about."""
    try:
        yield
    except Refusal as refusal:
        refusal.data.setdefault("account", account_id)
        raise


def _was_done(state: account.Account | person.Person | None, command_id: str) -> bool:
    """Whoever repeats a command gets its answer, also if the command itself took the right to send it."""
    return state is not None and CommandId(command_id) in state.done
