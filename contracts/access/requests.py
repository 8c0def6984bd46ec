"""The requests of the access service: accounts, their people and systems, and who may do what."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from contracts import subjects
from contracts.access.events import (
    MAX_IDENTIFIERS,
    MAX_LANGUAGES,
    AccountIdentifier,
    InvitationId,
    MailPreferences,
)
from contracts.access.people import EmailAddress, LanguageTag
from contracts.access.roles import ADDED_LATER, MemberRole, Permission, PlatformRole, SystemMay
from contracts.access.systems import PublicKey, SystemName, SystemUser
from contracts.envelope import Timestamp, Via
from contracts.requests import Answered, Command, Position, Query, Sent, SentActor
from contracts.text import AccountId, Code, CommandId, Line, PersonId, ShortLine, Title

SERVICE: Final = "access"
REGISTER: Final = subjects.request(SERVICE, "register")
ADMIT: Final = subjects.request(SERVICE, "admit")
CHANGE: Final = subjects.request(SERVICE, "change")
INVITE: Final = subjects.request(SERVICE, "invite")
INVITATION: Final = subjects.request(SERVICE, "invitation")
ACCEPT: Final = subjects.request(SERVICE, "accept")
WITHDRAW: Final = subjects.request(SERVICE, "withdraw")
CHANGE_ROLE: Final = subjects.request(SERVICE, "change_role")
REMOVE: Final = subjects.request(SERVICE, "remove")
LIST: Final = subjects.request(SERVICE, "list")
PEOPLE: Final = subjects.request(SERVICE, "people")
WHOAMI: Final = subjects.request(SERVICE, "whoami")
PERMISSIONS: Final = subjects.request(SERVICE, "permissions")
APPOINT: Final = subjects.request(SERVICE, "appoint")
DISMISS: Final = subjects.request(SERVICE, "dismiss")
LINK: Final = subjects.request(SERVICE, "link")
CHANGE_PERSON: Final = subjects.request(SERVICE, "change_person")
STOP_MAIL: Final = subjects.request(SERVICE, "stop_mail")
CREATE_CREDENTIAL: Final = subjects.request(SERVICE, "create_credential")
REVOKE_CREDENTIAL: Final = subjects.request(SERVICE, "revoke_credential")
LIST_CREDENTIALS: Final = subjects.request(SERVICE, "list_credentials")

TERMINAL: Final = "cli"
"""The NATS user of the operator's terminal. As `system:cli` it may appoint and dismiss, without which there
would never be a first operator; nobody else can publish under its name (`subjects.system_request`)."""

INVITATION_DAYS: Final = 7
MAX_INVITATION_DAYS: Final = 30

Token = Annotated[str, Field(min_length=1, max_length=512, description="Out of the link of an invitation")]


class SentAccountIdentifier(AccountIdentifier, Sent):  # the last one's configuration holds
    """An identifier, as a caller sends it."""


_Languages = Annotated[tuple[LanguageTag, ...], Field(max_length=MAX_LANGUAGES)]
_Identifiers = Annotated[tuple[SentAccountIdentifier, ...], Field(max_length=MAX_IDENTIFIERS)]


# Commands on an account


class RegisterAccount(Command):
    """Register an account; `account` is its id from then on."""

    name: Title
    languages: _Languages = ()
    identifiers: _Identifiers = ()


class AdmitAccount(Command):
    """Make an account of a company that asked to become a partner, and invite its first administrator."""

    name: Title
    languages: _Languages = ()
    email: EmailAddress


class ChangeAccount(Command):
    """Change what there is to know of an account: all of it is given, whichever part changes."""

    name: Title
    languages: _Languages = ()
    identifiers: _Identifiers = ()


class InviteMember(Command):
    """Invite somebody by e-mail. An open invitation of the same person is replaced by this one."""

    email: EmailAddress
    role: MemberRole = MemberRole.MEMBER
    valid_days: Annotated[int, Field(ge=1, le=MAX_INVITATION_DAYS)] = INVITATION_DAYS


class WithdrawInvitation(Command):
    """Take back an open invitation."""

    invitation: InvitationId


class ChangeRole(Command):
    """Give a member another role."""

    person: PersonId
    role: MemberRole


class RemoveMember(Command):
    """Remove a member, who has no access from then on."""

    person: PersonId


class CreateCredential(Command):
    """Put on record that another system has a way in: its public key, and what it may."""

    name: SystemName
    public_key: PublicKey
    may: Annotated[tuple[SystemMay, ...], Field(min_length=1, max_length=3)]


class RevokeCredential(Command):
    """Put on record that a system's way in is closed. Its name is free again."""

    name: SystemName


class AccountDone(Answered):
    """The command's effect on an account, which is in the log. A repeated command has the same answer."""

    account: AccountId
    revision: Annotated[int, Field(description="The account's revision that this command made")]
    position: Annotated[Position, Field(description="Pass it as `at_least` to see this change in any query")]
    event_id: str
    at: Timestamp


class InvitationSent(AccountDone):
    """An invitation was made."""

    invitation: InvitationId
    person: PersonId
    role: MemberRole
    expires_at: Timestamp
    token: Annotated[Token, Field(description="Belongs into the link that the invited person gets")]


class MemberJoined(AccountDone):
    """An invitation was accepted."""

    person: PersonId
    role: MemberRole


class CredentialRecorded(AccountDone):
    """A credential was created or revoked."""

    user: SystemUser
    public_key: PublicKey


# Commands on a person


class PersonCommand(Sent):
    """Asks for a change of a person. The same `command_id` again has the same answer, and one effect."""

    command_id: CommandId
    actor: SentActor
    via: Via = Via.API
    correlation_id: CommandId | None = None


class AcceptInvitation(PersonCommand):
    """Accept an invitation, as the person that was invited; a new person is registered with it."""

    token: Token
    display_name: Title | None = None
    language: LanguageTag | None = None


class AppointPerson(PersonCommand):
    """Give somebody a role for the platform; a new person is registered with it."""

    email: EmailAddress
    role: PlatformRole
    display_name: Title | None = None
    language: LanguageTag | None = None


class DismissPerson(PersonCommand):
    """Take a role for the platform away."""

    person: PersonId
    role: PlatformRole


class LinkPerson(PersonCommand):
    """Somebody signed in: link the provider's identity to the person of the address that it verified.

    The actor is that person. An identity that is linked already stays with its person, whatever its address
    is now, and the answer names that one. A new person is registered.
    """

    issuer: Line
    provider_subject: ShortLine
    email: EmailAddress
    display_name: Title | None = None
    language: LanguageTag | None = None


class SentMailPreferences(MailPreferences, Sent):  # the last one's configuration holds
    """Which e-mails somebody wants, as a caller sends it."""


class ChangePerson(PersonCommand):
    """Change one's own name, language or e-mails: name and language are given, whichever changes."""

    display_name: Title | None = None
    language: LanguageTag | None = None
    mail: Annotated[SentMailPreferences | None, Field(description="Absent: they stay as they are")] = None


class StopMail(Sent):
    """Send no more e-mails about tickets to whom the link in one of them was made for (RFC 8058).

    Nobody has to be signed in: the token is in every e-mail. It can do nothing else.
    """

    command_id: CommandId
    token: Annotated[str, Field(min_length=1, max_length=512, description="Out of the link in an e-mail")]


class MailStopped(Answered):
    """There will be no more of them; said in the person's language."""

    email: str
    language: LanguageTag | None = None


class PersonDone(Answered):
    """The command's effect on a person, which is in the log. A repeated command has the same answer."""

    person: PersonId
    revision: Annotated[int, Field(description="The person's revision that this command made")]
    position: Annotated[Position, Field(description="Pass it as `at_least` to see this change in any query")]
    event_id: str
    at: Timestamp


# Queries


class AskedByActor(Query):
    """A query whose answer depends on who asks."""

    actor: SentActor


class ShowInvitation(Query):
    """What a link is for. Who has the link may know; accepting takes the person that was invited."""

    token: Token


class InvitationStatus(StrEnum):
    """What an invitation is good for."""

    OPEN = "open"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    EXPIRED = "expired"


class Invitation(Answered):
    """An invitation, whatever became of it."""

    invitation: InvitationId
    account: AccountId
    account_name: str
    email: str
    person: PersonId
    role: MemberRole
    status: InvitationStatus
    invited_at: Timestamp
    expires_at: Timestamp


class ListAccounts(AskedByActor):
    """The accounts that the actor may see, by id."""

    words: Annotated[ShortLine | None, Field(description="Part of the id or the name, in any case")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[AccountId | None, Field(description="`next_after` of the page before")] = None


class AccountSummary(Answered):
    """An account as one line of a list."""

    account: AccountId
    name: str
    languages: tuple[LanguageTag, ...] = ()
    identifiers: tuple[AccountIdentifier, ...] = ()
    registered_at: Timestamp
    members: int
    position: Annotated[Position, Field(description="Position of the account's last event")]


class AccountPage(Answered):
    """A page of accounts."""

    accounts: tuple[AccountSummary, ...]
    next_after: Annotated[AccountId | None, Field(description="For the next page; absent: the last")] = None
    position: Annotated[Position, Field(description="The log's position that this page shows")]


class ListPeople(AskedByActor):
    """The members of an account and who is invited to it, by person."""

    account: AccountId
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    after: Annotated[PersonId | None, Field(description="`next_after` of the page before")] = None


class MembershipStatus(StrEnum):
    """Whether somebody is a member, or may become one."""

    MEMBER = "member"
    INVITED = "invited"


class AccountPerson(Answered):
    """A member of an account, or somebody who is invited."""

    person: PersonId
    status: MembershipStatus
    role: MemberRole
    email: str
    display_name: str | None = None
    language: LanguageTag | None = None
    since: Annotated[Timestamp, Field(description="In this role, or invited, since then")]
    invitation: Annotated[InvitationId | None, Field(description="Of who is invited")] = None
    expires_at: Annotated[Timestamp | None, Field(description="Of who is invited; it may have passed")] = None


class PeoplePage(Answered):
    """A page of an account's people."""

    account: AccountId
    people: tuple[AccountPerson, ...]
    next_after: Annotated[PersonId | None, Field(description="For the next page; absent: the last")] = None
    position: Annotated[Position, Field(description="The log's position that this page shows")]


class WhoAmI(AskedByActor):
    """The person that acts, in whichever capacity."""


class Membership(Answered):
    """An account of a person."""

    account: AccountId
    account_name: str
    role: MemberRole


class Person(Answered):
    """A person and what it belongs to."""

    person: PersonId
    email: str
    display_name: str | None = None
    language: LanguageTag | None = None
    mail: Annotated[MailPreferences | None, Field(description="Absent: nothing was chosen yet")] = None
    platform_roles: tuple[PlatformRole, ...] = ()
    memberships: tuple[Membership, ...] = ()
    position: Annotated[Position, Field(description="The log's position that this answer shows")]


class EffectivePermissions(AskedByActor):
    """Who may do what: a person, or all who may anything in an account, now or as it was.

    With both, what the person may in that account. Times are those of the events.
    """

    person: Annotated[PersonId | None, Field(description="A person, or the user of a system")] = None
    account: AccountId | None = None
    as_of_position: Annotated[int | None, Field(ge=0, lt=2**63)] = None
    as_of_time: Timestamp | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    after: Annotated[Position | None, Field(description="`next_after` of the page before")] = None

    @model_validator(mode="after")
    def _of_something_at_one_moment(self) -> EffectivePermissions:
        if self.person is None and self.account is None:
            raise PydanticCustomError("person_or_account", "names neither a person nor an account")
        if self.as_of_position is not None and self.as_of_time is not None:
            raise PydanticCustomError("as_of_position_and_time", "names both as_of_position and as_of_time")
        return self


class GrantedTo(StrEnum):
    """Why somebody may do something."""

    MEMBER = "member"
    PLATFORM = "platform"
    SYSTEM = "system"


FirstPermission = Annotated[
    Permission,
    WithJsonSchema(
        {"type": "string", "enum": [each.value for each in Permission if each not in ADDED_LATER]}
    ),
]


class Grant(Answered):
    """What somebody may do, and since which event."""

    granted_to: GrantedTo
    person: Annotated[PersonId, Field(description="A person, or the user of a system")]
    account: Annotated[AccountId | None, Field(description="Absent: in every account")] = None
    role: Annotated[str, Field(description="Of the member, for the platform, or what the credential may")]
    permissions: tuple[FirstPermission, ...]
    further: Annotated[
        tuple[Code, ...], Field(description="Permissions that came after the first version")
    ] = ()
    since: Timestamp
    position: Annotated[Position, Field(description="Of the event that granted it")]


class GrantPage(Answered):
    """A page of grants, in the order in which they were made."""

    grants: tuple[Grant, ...]
    next_after: Annotated[Position | None, Field(description="For the next page; absent: the last")] = None
    position: Annotated[Position, Field(description="The log's position that this answer shows")]


class ListCredentials(AskedByActor):
    """The credentials of an account's systems, revoked ones too, in the order in which they were made."""

    account: AccountId
    limit: Annotated[int, Field(ge=1, le=200)] = 100
    after: Annotated[Position | None, Field(description="`next_after` of the page before")] = None


class Credential(Answered):
    """A system's way in."""

    name: SystemName
    user: SystemUser
    public_key: PublicKey
    may: tuple[SystemMay, ...]
    created_at: Timestamp
    revoked_at: Timestamp | None = None
    position: Annotated[Position, Field(description="Of the event that created it")]


class CredentialPage(Answered):
    """A page of an account's credentials."""

    account: AccountId
    credentials: tuple[Credential, ...]
    next_after: Annotated[Position | None, Field(description="For the next page; absent: the last")] = None
    position: Annotated[Position, Field(description="The log's position that this page shows")]
