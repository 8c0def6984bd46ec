"""Between the contract and the domain: requests become commands, facts become events, and back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never

from contracts.access import events as wire
from contracts.access import requests
from contracts.access.people import person_id
from contracts.access.systems import system_user
from contracts.envelope import Actor, Via, format_time
from services.access import account, person
from services.access.domain import AccountId, Capacity, Command, CommandId, Fact, PersonId
from services.access.domain import Actor as DomainActor

SOURCE = "/casetrail/access"

AccountRequest = (
    requests.RegisterAccount
    | requests.ChangeAccount
    | requests.InviteMember
    | requests.WithdrawInvitation
    | requests.ChangeRole
    | requests.RemoveMember
    | requests.CreateCredential
    | requests.RevokeCredential
)
PersonRequest = requests.AppointPerson | requests.DismissPerson | requests.LinkPerson | requests.ChangePerson
AnyRequest = AccountRequest | PersonRequest | requests.AcceptInvitation
DoneT = TypeVar("DoneT", bound=requests.AccountDone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an event says beside its fact. `event_id` is a UUIDv7."""

    event_id: str
    via: Via
    correlation_id: str
    traceparent: str | None


def actor(sent: Actor) -> DomainActor:
    """Who acts."""
    return DomainActor(Capacity(sent.kind.value), sent.id)


# Requests to commands


def account_command(request: AccountRequest, *, at: datetime, invitation_id: str) -> account.AccountCommand:
    """`invitation_id` names the invitation, if it is one."""
    every = _Every(request, at)
    match request:
        case requests.RegisterAccount():
            profile = _account_profile(request)
            return every.of(account.Register, account=AccountId(request.account), profile=profile)
        case requests.ChangeAccount():
            return every.of(account.Change, profile=_account_profile(request))
        case requests.InviteMember():
            return every.of(
                account.Invite,
                invitation=account.InvitationId(invitation_id),
                person=PersonId(person_id(request.email)),
                email=request.email,
                role=account.Role(request.role.value),
                valid_for=timedelta(days=request.valid_days),
            )
        case requests.WithdrawInvitation():
            return every.of(account.Withdraw, invitation=account.InvitationId(request.invitation))
        case requests.ChangeRole():
            role = account.Role(request.role.value)
            return every.of(account.ChangeRole, person=PersonId(request.person), role=role)
        case requests.RemoveMember():
            return every.of(account.Remove, person=PersonId(request.person))
        case requests.CreateCredential():
            return every.of(
                account.CreateCredential,
                name=request.name,
                public_key=request.public_key,
                may=tuple(account.May(may.value) for may in request.may),
            )
        case requests.RevokeCredential():
            return every.of(account.RevokeCredential, name=request.name)
        case _:
            assert_never(request)


def join_command(
    request: requests.AcceptInvitation, *, invitation_id: str, at: datetime
) -> account.AccountCommand:
    return _Every(request, at).of(account.Join, invitation=account.InvitationId(invitation_id))


def person_command(request: PersonRequest, *, at: datetime) -> person.PersonCommand:
    every = _Every(request, at)
    match request:
        case requests.AppointPerson():
            return every.of(person.Appoint, role=person.Role(request.role.value))
        case requests.DismissPerson():
            return every.of(person.Dismiss, role=person.Role(request.role.value))
        case requests.LinkPerson():
            return every.of(person.Link, identity=identity(request))
        case requests.ChangePerson():
            return every.of(person.Change, profile=_person_profile(request), mail=_mail(request.mail))
        case _:
            assert_never(request)


def register_command(
    request: requests.AcceptInvitation | requests.AppointPerson | requests.LinkPerson,
    *,
    email: str,
    at: datetime,
) -> person.PersonCommand:
    """Makes the person known that the request needs."""
    return _Every(request, at).of(
        person.Register,
        person=PersonId(person_id(email)),
        email=email,
        profile=_person_profile(request),
    )


def identity(request: requests.LinkPerson) -> person.Identity:
    return person.Identity(request.issuer, request.provider_subject)


CommandT = TypeVar("CommandT", bound=Command)


@dataclass(frozen=True, slots=True)
class _Every:
    """What every command says."""

    request: AnyRequest
    at: datetime

    def of(self, kind: type[CommandT], **rest: Any) -> CommandT:
        return kind(id=CommandId(self.request.command_id), by=actor(self.request.actor), at=self.at, **rest)


def _account_profile(request: requests.RegisterAccount | requests.ChangeAccount) -> account.Profile:
    return account.Profile(
        name=request.name,
        languages=request.languages,
        identifiers=tuple(account.Identifier(i.kind, i.value) for i in request.identifiers),
    )


def _person_profile(
    request: requests.AcceptInvitation | requests.AppointPerson | requests.LinkPerson | requests.ChangePerson,
) -> person.Profile:
    return person.Profile(display_name=request.display_name, language=request.language)


def _mail(wanted: wire.MailPreferences | None) -> person.Mail | None:
    return None if wanted is None else person.Mail(person.Wanted(wanted.tickets.value), wanted.own)


# Facts to events


def event(
    fact: account.AccountFact | person.PersonFact,
    *,
    subject: str,
    account_id: str,
    revision: int,
    circumstances: Circumstances,
) -> dict[str, Any]:
    """The event that puts the fact on record, as the JSON object that its contract describes.

    `subject` is the account's or the person's id; `account_id` is `platform` for a person.
    """
    tag, data = _type_and_data(fact)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": circumstances.event_id,
        "source": SOURCE,
        "subject": subject,
        "time": format_time(fact.at),
        "datacontenttype": "application/json",
        "account": account_id,
        "revision": revision,
        "actor": f"{fact.by.capacity.value}:{fact.by.id}",
        "via": circumstances.via.value,
        "commandid": fact.command_id,
        "correlationid": circumstances.correlation_id,
        "traceparent": circumstances.traceparent,
        "type": tag,
        "data": data,
    }
    if circumstances.traceparent is None:
        del document["traceparent"]
    return document


def _type_and_data(fact: account.AccountFact | person.PersonFact) -> tuple[str, dict[str, Any]]:
    match fact:
        case account.Registered():
            return "casetrail.account.registered.v1", _profile_data(fact.profile)
        case account.Changed():
            return "casetrail.account.changed.v1", _profile_data(fact.profile)
        case account.Invited():
            return "casetrail.member.invited.v1", {
                "invitation": fact.invitation,
                "person": fact.person,
                "role": fact.role.value,
                "expires_at": format_time(fact.expires_at),
                "content": {"email": fact.email},
            }
        case account.Withdrawn():
            return "casetrail.invitation.withdrawn.v1", {
                "invitation": fact.invitation,
                "person": fact.person,
            }
        case account.Joined():
            return "casetrail.member.joined.v1", {
                "invitation": fact.invitation,
                "person": fact.person,
                "role": fact.role.value,
            }
        case account.RoleChanged():
            return "casetrail.member.changed.v1", {"person": fact.person, "role": fact.role.value}
        case account.Removed():
            return "casetrail.member.removed.v1", {"person": fact.person}
        case account.CredentialCreated():
            return "casetrail.credential.created.v1", {
                "name": fact.name,
                "public_key": fact.public_key,
                "may": [may.value for may in fact.may],
            }
        case account.CredentialRevoked():
            return "casetrail.credential.revoked.v1", {
                "name": fact.name,
                "public_key": fact.public_key,
            }
        case person.Registered():
            content = {"email": fact.email, **_content(fact.profile)}
            return "casetrail.person.registered.v1", {"content": content}
        case person.Changed():
            content = _content(fact.profile)
            wanted = (
                {} if fact.mail is None else {"mail": {"tickets": fact.mail.tickets, "own": fact.mail.own}}
            )
            return "casetrail.person.changed.v1", {"content": {**content, **wanted}}
        case person.Linked():
            return "casetrail.person.linked.v1", {
                "issuer": fact.identity.issuer,
                "content": {"provider_subject": fact.identity.subject},
            }
        case person.Appointed():
            return "casetrail.person.appointed.v1", {"role": fact.role.value}
        case person.Dismissed():
            return "casetrail.person.dismissed.v1", {"role": fact.role.value}
        case _:
            assert_never(fact)


def _profile_data(profile: account.Profile) -> dict[str, Any]:
    identifiers = [{"kind": i.kind, "value": i.value} for i in profile.identifiers]
    return {
        "languages": list(profile.languages),
        "content": {"name": profile.name, "identifiers": identifiers},
    }


def _content(profile: person.Profile) -> dict[str, str]:
    said = {"display_name": profile.display_name, "language": profile.language}
    return {name: value for name, value in said.items() if value is not None}


# Events to facts: every tag ever published has its line here, older versions are upcast

FactT = TypeVar("FactT", bound=Fact)


def read_account_fact(_tag: str, stored: bytes) -> account.AccountFact:
    """Today's fact out of an account's event of any version.

    Raises:
        pydantic.ValidationError: a tag that this version of the service does not know.
        TypeError: the event of a person, filed under an account.
    """
    found = fact(wire.parse_access_event(stored))
    if not isinstance(found, account.AccountFact):
        raise TypeError("not the event of an account")
    return found


def read_person_fact(_tag: str, stored: bytes) -> person.PersonFact:
    """Today's fact out of a person's event of any version.

    Raises:
        pydantic.ValidationError: a tag that this version of the service does not know.
        TypeError: the event of an account, filed under a person.
    """
    found = fact(wire.parse_access_event(stored))
    if not isinstance(found, person.PersonFact):
        raise TypeError("not the event of a person")
    return found


def fact(event: wire.AnyAccountEvent | wire.AnyPersonEvent) -> account.AccountFact | person.PersonFact:
    """The fact that the event puts on record."""

    def of(kind: type[FactT], **rest: Any) -> FactT:
        capacity, _, who = event.actor.partition(":")
        by = DomainActor(Capacity(capacity), who)
        return kind(command_id=CommandId(event.commandid), by=by, at=event.time, **rest)

    match event:
        case wire.AccountRegisteredV1(data=data):
            return of(account.Registered, account=AccountId(event.subject), profile=_profile(data))
        case wire.AccountChangedV1(data=data):
            return of(account.Changed, profile=_profile(data))
        case wire.MemberInvitedV1(data=data):
            return of(
                account.Invited,
                invitation=account.InvitationId(data.invitation),
                person=PersonId(data.person),
                email=data.content.email,
                role=account.Role(data.role.value),
                expires_at=data.expires_at,
            )
        case wire.MemberJoinedV1(data=data):
            return of(
                account.Joined,
                invitation=account.InvitationId(data.invitation),
                person=PersonId(data.person),
                role=account.Role(data.role.value),
            )
        case wire.InvitationWithdrawnV1(data=data):
            invitation = account.InvitationId(data.invitation)
            return of(account.Withdrawn, invitation=invitation, person=PersonId(data.person))
        case wire.MemberChangedV1(data=data):
            role = account.Role(data.role.value)
            return of(account.RoleChanged, person=PersonId(data.person), role=role)
        case wire.MemberRemovedV1(data=data):
            return of(account.Removed, person=PersonId(data.person))
        case wire.CredentialCreatedV1(data=data):
            may = tuple(account.May(each.value) for each in data.may)
            return of(account.CredentialCreated, name=data.name, public_key=data.public_key, may=may)
        case wire.CredentialRevokedV1(data=data):
            return of(account.CredentialRevoked, name=data.name, public_key=data.public_key)
        case wire.PersonRegisteredV1(data=data):
            said = person.Profile(data.content.display_name, data.content.language)
            who = PersonId(event.subject)
            return of(person.Registered, person=who, email=data.content.email, profile=said)
        case wire.PersonChangedV1(data=data):
            said = person.Profile(data.content.display_name, data.content.language)
            return of(person.Changed, profile=said, mail=_mail(data.content.mail))
        case wire.PersonLinkedV1(data=data):
            linked = person.Identity(data.issuer, data.content.provider_subject)
            return of(person.Linked, identity=linked)
        case wire.PersonAppointedV1(data=data):
            return of(person.Appointed, role=person.Role(data.role.value))
        case wire.PersonDismissedV1(data=data):
            return of(person.Dismissed, role=person.Role(data.role.value))
        case _:
            assert_never(event)


def _profile(data: wire.AccountProfile) -> account.Profile:
    return account.Profile(
        name=data.content.name,
        languages=data.languages,
        identifiers=tuple(account.Identifier(i.kind, i.value) for i in data.content.identifiers),
    )


# Events to answers


def account_done(kind: type[DoneT], position: int, event: dict[str, Any], **more: Any) -> DoneT:
    """The answer to the command that made this event of an account."""
    return kind(
        account=event["account"],
        revision=event["revision"],
        position=position,
        event_id=event["id"],
        at=event["time"],
        **more,
    )


def credential_recorded(position: int, event: dict[str, Any]) -> requests.CredentialRecorded:
    """The answer to the command that created or revoked a credential."""
    data = event["data"]
    return account_done(
        requests.CredentialRecorded,
        position,
        event,
        user=system_user(event["account"], data["name"]),
        public_key=data["public_key"],
    )


def person_done(position: int, event: dict[str, Any]) -> requests.PersonDone:
    """The answer to the command that made this event of a person."""
    return requests.PersonDone(
        person=event["subject"],
        revision=event["revision"],
        position=position,
        event_id=event["id"],
        at=event["time"],
    )
