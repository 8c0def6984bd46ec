"""The events of accounts and of people, version 1.

How to change this file: see the rules of evolution in `contracts/__init__.py`. An account's events have the
account's id as their subject and tell of its members, invitations and credentials too; a person's events have
the person's id, and `platform` as their account. Names and addresses stand under `data.content` only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from contracts.access.people import EmailAddress, LanguageTag
from contracts.access.roles import MemberRole, PlatformRole, SystemMay
from contracts.access.systems import PublicKey, SystemName
from contracts.envelope import Envelope, Published, Timestamp
from contracts.text import Code, Line, PersonId, ShortLine, Title

PLATFORM: Final = "platform"
"""The account of events that are no account's: reserved, nobody can register it."""

MAX_IDENTIFIERS: Final = 20
MAX_LANGUAGES: Final = 10

InvitationId = Annotated[str, Field(min_length=1, max_length=64, description="UUIDv7")]


class AccountIdentifier(Published):
    """Something by which others know the account: a merchant ID, a tax number."""

    kind: Code
    value: ShortLine


class AccountContent(Published):
    """What may be personal of an account: a company may be called like its owner."""

    name: Title
    identifiers: Annotated[tuple[AccountIdentifier, ...], Field(max_length=MAX_IDENTIFIERS)] = ()


class AccountProfile(Published):
    """What there is to know of an account: all of it, whichever part was changed."""

    languages: Annotated[tuple[LanguageTag, ...], Field(max_length=MAX_LANGUAGES)] = ()
    content: AccountContent


class InvitedContent(Published):
    """What is personal of an invitation."""

    email: EmailAddress


class Invited(Published):
    """Somebody was invited. An open invitation of the same person to the same account is void by it."""

    invitation: InvitationId
    person: Annotated[PersonId, Field(description="Follows from the address")]
    role: MemberRole
    expires_at: Timestamp
    content: InvitedContent


class Joined(Published):
    """An invitation was accepted: the person is a member."""

    invitation: InvitationId
    person: PersonId
    role: MemberRole


class Withdrawn(Published):
    """An open invitation was taken back."""

    invitation: InvitationId
    person: PersonId


class MemberRoleGiven(Published):
    """A member was given another role."""

    person: PersonId
    role: MemberRole


class MemberGone(Published):
    """A member was removed."""

    person: PersonId


class CredentialCreated(Published):
    """Another system was given a way in. What is secret of it is known to that system only."""

    name: SystemName
    public_key: PublicKey
    may: Annotated[tuple[SystemMay, ...], Field(min_length=1, max_length=10)]


class CredentialRevoked(Published):
    """A system's way in was closed for good."""

    name: SystemName
    public_key: PublicKey


class PersonRegisteredContent(Published):
    """Who the person is."""

    email: EmailAddress
    display_name: Title | None = None
    language: LanguageTag | None = None


class PersonRegistered(Published):
    """A person is known by an address from now on."""

    content: PersonRegisteredContent


class MailWanted(StrEnum):
    """Of which tickets somebody wants e-mails: all that they may see, or those that they have a part in."""

    ALL = "all"
    MINE = "mine"
    NONE = "none"


class MailPreferences(Published):
    """Which e-mails somebody wants. Who never said gets what `services/notify` takes for sensible."""

    tickets: MailWanted
    own: Annotated[bool, Field(description="Also of what they do themselves")] = False


class PersonProfileContent(Published):
    """How the person wants to be called and addressed, and which e-mails it wants."""

    display_name: Title | None = None
    language: LanguageTag | None = None
    mail: Annotated[MailPreferences | None, Field(description="Absent: as before")] = None


class PersonProfile(Published):
    """What a person says of itself: name and language, whichever was changed, and `mail` if it was."""

    content: PersonProfileContent


class PersonLinkedContent(Published):
    """What a provider calls the person."""

    provider_subject: ShortLine


class PersonLinked(Published):
    """A person signs in with an identity of a provider (OpenID Connect: `iss`, and `sub` in the content)."""

    issuer: Line
    content: PersonLinkedContent


class PlatformRoleGiven(Published):
    """A person was given a role for the platform."""

    role: PlatformRole


class PlatformRoleTaken(Published):
    """A person lost a role for the platform."""

    role: PlatformRole


class AccountRegisteredV1(Envelope):
    """Event: an account was registered."""

    type: Literal["casetrail.account.registered.v1"] = "casetrail.account.registered.v1"
    data: AccountProfile


class AccountChangedV1(Envelope):
    """Event: what there is to know of an account was changed."""

    type: Literal["casetrail.account.changed.v1"] = "casetrail.account.changed.v1"
    data: AccountProfile


class MemberInvitedV1(Envelope):
    """Event: somebody was invited to an account."""

    type: Literal["casetrail.member.invited.v1"] = "casetrail.member.invited.v1"
    data: Invited


class MemberJoinedV1(Envelope):
    """Event: somebody accepted an invitation."""

    type: Literal["casetrail.member.joined.v1"] = "casetrail.member.joined.v1"
    data: Joined


class InvitationWithdrawnV1(Envelope):
    """Event: an invitation was taken back."""

    type: Literal["casetrail.invitation.withdrawn.v1"] = "casetrail.invitation.withdrawn.v1"
    data: Withdrawn


class MemberChangedV1(Envelope):
    """Event: a member was given another role."""

    type: Literal["casetrail.member.changed.v1"] = "casetrail.member.changed.v1"
    data: MemberRoleGiven


class MemberRemovedV1(Envelope):
    """Event: a member was removed, and has no access from here on."""

    type: Literal["casetrail.member.removed.v1"] = "casetrail.member.removed.v1"
    data: MemberGone


class CredentialCreatedV1(Envelope):
    """Event: another system was given a way in."""

    type: Literal["casetrail.credential.created.v1"] = "casetrail.credential.created.v1"
    data: CredentialCreated


class CredentialRevokedV1(Envelope):
    """Event: a system's way in was closed."""

    type: Literal["casetrail.credential.revoked.v1"] = "casetrail.credential.revoked.v1"
    data: CredentialRevoked


class PersonRegisteredV1(Envelope):
    """Event: a person is known from now on."""

    type: Literal["casetrail.person.registered.v1"] = "casetrail.person.registered.v1"
    data: PersonRegistered


class PersonChangedV1(Envelope):
    """Event: a person's name or language was changed."""

    type: Literal["casetrail.person.changed.v1"] = "casetrail.person.changed.v1"
    data: PersonProfile


class PersonLinkedV1(Envelope):
    """Event: a person signs in with an identity of a provider."""

    type: Literal["casetrail.person.linked.v1"] = "casetrail.person.linked.v1"
    data: PersonLinked


class PersonAppointedV1(Envelope):
    """Event: a person was given a role for the platform."""

    type: Literal["casetrail.person.appointed.v1"] = "casetrail.person.appointed.v1"
    data: PlatformRoleGiven


class PersonDismissedV1(Envelope):
    """Event: a person lost a role for the platform."""

    type: Literal["casetrail.person.dismissed.v1"] = "casetrail.person.dismissed.v1"
    data: PlatformRoleTaken


AnyAccountEvent = (
    AccountRegisteredV1
    | AccountChangedV1
    | MemberInvitedV1
    | MemberJoinedV1
    | InvitationWithdrawnV1
    | MemberChangedV1
    | MemberRemovedV1
    | CredentialCreatedV1
    | CredentialRevokedV1
)
AnyPersonEvent = PersonRegisteredV1 | PersonChangedV1 | PersonLinkedV1 | PersonAppointedV1 | PersonDismissedV1
AccessEvent = Annotated[AnyAccountEvent | AnyPersonEvent, Field(discriminator="type")]


class RecordedAccessEvent(NamedTuple):
    """An event and where it stands in the log."""

    position: int
    event: AnyAccountEvent | AnyPersonEvent


_ADAPTER: Final[TypeAdapter[AnyAccountEvent | AnyPersonEvent]] = TypeAdapter(AccessEvent)


def parse_access_event(payload: bytes | str) -> AnyAccountEvent | AnyPersonEvent:
    """The event in a message's payload.

    Raises:
        pydantic.ValidationError: not an event of access that this version of the contract knows.
    """
    return _ADAPTER.validate_json(payload)
