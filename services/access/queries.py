"""Answering queries from the replica, each with what its actor may see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from sqlite3 import Row
from typing import Any, Final, TypeVar

from eventsourcing.sqlite import SQLiteCursor
from pydantic_core import from_json

from contracts.access import requests, roles
from contracts.access.roles import ADDED_LATER, Permission, Permissions
from contracts.access.systems import system_user
from contracts.envelope import Actor, ActorKind, format_time
from services.access.account import AccountNotFound, InvitationNotFound
from services.access.authority import OPERATORS_TERMINAL
from services.access.domain import NotPermitted
from services.access.person import PersonNotFound
from services.access.translate import actor as acting
from services.access.view import EVERY_ACCOUNT, MEMBER, PLATFORM, SYSTEM
from services.links.invitations import InvitationTokens
from services.links.mail import TokenVoid
from services.runtime.errors import Unavailable
from services.runtime.folding import fold
from services.runtime.replica import Replica

AnswerT = TypeVar("AnswerT")

_SEES_CREDENTIALS: Final = frozenset(
    {Permission.ACCOUNT_MANAGE, Permission.PEOPLE_MANAGE, Permission.AUDIT_READ}
)
_SEES_ALL_ACCOUNTS: Final = frozenset({Permission.ACCOUNT_MANAGE, Permission.PEOPLE_READ})
_SEES_ALL_GRANTS: Final = frozenset({Permission.PLATFORM_MANAGE, Permission.AUDIT_READ})


class Queries:
    """The read side of the service."""

    def __init__(
        self,
        replica: Replica,
        tokens: InvitationTokens,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._replica = replica
        self._tokens = tokens
        self._now = now

    async def invitation(self, query: requests.ShowInvitation) -> requests.Invitation:
        """What a link is for. Raises InvitationNotFound."""
        try:
            account, invitation = self._tokens.read(query.token)
        except TokenVoid:
            raise InvitationNotFound from None

        def read(cursor: SQLiteCursor) -> requests.Invitation:
            cursor.execute(
                "SELECT invitations.*, accounts.name AS account_name FROM invitations "
                "JOIN accounts USING (account) WHERE invitation = ? AND account = ?",
                (invitation, account),
            )
            row = cursor.fetchone()
            if row is None:
                raise InvitationNotFound
            status = row["status"]
            if status == "open" and row["expires_at"] <= format_time(self._now()):
                status = "expired"
            return requests.Invitation.model_validate({**row, "status": status})

        return await self._read(query.at_least, read)

    async def accounts(self, query: requests.ListAccounts) -> requests.AccountPage:
        """A page of the accounts that the actor may see. Raises NotPermitted."""

        def read(cursor: SQLiteCursor) -> requests.AccountPage:
            conditions, values = ["account > ?"], [query.after or ""]
            if query.actor.kind is ActorKind.MEMBER:
                conditions.append(
                    "account IN (SELECT account FROM grants WHERE person = ? AND granted_to = 'member' "
                    "AND until_position IS NULL)"
                )
                values.append(query.actor.id)
            elif not _SEES_ALL_ACCOUNTS & _held(cursor, query.actor, None):
                raise NotPermitted
            if query.words is not None:
                conditions.append("instr(words, ?) > 0")
                values.append(fold(query.words))
            rows, more = _page(
                cursor,
                f"SELECT * FROM accounts WHERE {' AND '.join(conditions)} ORDER BY account",  # noqa: S608
                values,
                query.limit,
            )
            return requests.AccountPage(
                accounts=tuple(map(_account, rows)),
                next_after=rows[-1]["account"] if more else None,
                position=self._replica.position_of(cursor),
            )

        return await self._read(query.at_least, read)

    async def people(self, query: requests.ListPeople) -> requests.PeoplePage:
        """A page of an account's people. Raises AccountNotFound or NotPermitted."""

        def read(cursor: SQLiteCursor) -> requests.PeoplePage:
            _check(cursor, query.actor, query.account, {Permission.PEOPLE_READ})
            rows, more = _page(
                cursor,
                "SELECT person, 'member' AS status, role, email, display_name, language, since, "
                "NULL AS invitation, NULL AS expires_at FROM grants JOIN people USING (person) "
                "WHERE account = :account AND granted_to = 'member' AND until_position IS NULL "
                "AND person > :after UNION ALL "
                "SELECT person, 'invited', role, email, NULL, NULL, invited_at, invitation, expires_at "
                "FROM invitations WHERE account = :account AND status = 'open' AND person > :after "
                "ORDER BY person",
                {"account": query.account, "after": query.after or ""},
                query.limit,
            )
            return requests.PeoplePage(
                account=query.account,
                people=tuple(requests.AccountPerson.model_validate({**row}) for row in rows),
                next_after=rows[-1]["person"] if more else None,
                position=self._replica.position_of(cursor),
            )

        return await self._read(query.at_least, read)

    async def whoami(self, query: requests.WhoAmI) -> requests.Person:
        """The person that acts. Raises PersonNotFound."""

        def read(cursor: SQLiteCursor) -> requests.Person:
            cursor.execute("SELECT * FROM people WHERE person = ?", (query.actor.id,))
            row = cursor.fetchone()
            if row is None or query.actor.kind is ActorKind.SYSTEM:
                raise PersonNotFound
            cursor.execute(
                "SELECT grants.account, name AS account_name, role FROM grants JOIN accounts USING (account) "
                "WHERE person = ? AND granted_to = 'member' AND until_position IS NULL ORDER BY account",
                (query.actor.id,),
            )
            memberships = [{**membership} for membership in cursor.fetchall()]
            return requests.Person.model_validate(
                {
                    **row,
                    "mail": None if row["mail"] is None else from_json(row["mail"]),
                    "platform_roles": sorted(_roles(cursor, PLATFORM, query.actor.id, EVERY_ACCOUNT)),
                    "memberships": memberships,
                    "position": self._replica.position_of(cursor),
                }
            )

        return await self._read(query.at_least, read)

    async def permissions(self, query: requests.EffectivePermissions) -> requests.GrantPage:
        """A page of what a person, or whoever in an account, may or might at a moment.

        Raises NotPermitted, or AccountNotFound.
        """

        def read(cursor: SQLiteCursor) -> requests.GrantPage:
            asks_of_itself = query.person == query.actor.id and query.actor.kind is not ActorKind.SYSTEM
            if not asks_of_itself:
                if not _SEES_ALL_GRANTS & _held(cursor, query.actor, None):
                    raise NotPermitted
                if query.account is not None:
                    _check_exists(cursor, query.account)
            conditions, values = _moment(query)
            if query.person is not None:
                conditions.append("person = :person")
            if query.account is not None:
                conditions.append("account IN (:account, '*')")
            rows, more = _page(
                cursor,
                f"SELECT * FROM grants WHERE {' AND '.join(conditions)} ORDER BY position",  # noqa: S608
                {**values, "person": query.person, "account": query.account, "after": query.after or 0},
                query.limit,
            )
            return requests.GrantPage(
                grants=tuple(map(_grant, rows)),
                next_after=rows[-1]["position"] if more else None,
                position=self._replica.position_of(cursor),
            )

        return await self._read(max(query.at_least, query.as_of_position or 0), read)

    async def credentials(self, query: requests.ListCredentials) -> requests.CredentialPage:
        """A page of an account's credentials. Raises AccountNotFound or NotPermitted."""

        def read(cursor: SQLiteCursor) -> requests.CredentialPage:
            _check(cursor, query.actor, query.account, _SEES_CREDENTIALS)
            rows, more = _page(
                cursor,
                "SELECT * FROM credentials WHERE account = ? AND position > ? ORDER BY position",
                (query.account, query.after or 0),
                query.limit,
            )
            return requests.CredentialPage(
                account=query.account,
                credentials=tuple(map(_credential, rows)),
                next_after=rows[-1]["position"] if more else None,
                position=self._replica.position_of(cursor),
            )

        return await self._read(query.at_least, read)

    async def _read(self, at_least: int, read: Callable[[SQLiteCursor], AnswerT]) -> AnswerT:
        """Run the query on a thread, so that a long one does not hold up the others.

        Raises:
            Unavailable: the replica is cut off from the log, so nobody knows who may see what.
        """
        await self._replica.wait_for(at_least)
        if await self._replica.not_ready() is not None:
            raise Unavailable("access_unknown")

        def reading() -> AnswerT:
            with self._replica.reading() as cursor:
                return read(cursor)

        return await self._replica.on_thread(reading)


def _page(cursor: SQLiteCursor, statement: str, values: Any, limit: int) -> tuple[list[Row], bool]:
    """So many rows, and whether there are more."""
    cursor.execute(f"{statement} LIMIT {limit + 1:d}", values)
    rows = list(cursor.fetchall())
    return rows[:limit], len(rows) > limit


# Who may see it


def _roles(cursor: SQLiteCursor, granted_to: str, person: str, account: str) -> list[str]:
    cursor.execute(
        "SELECT role FROM grants "
        "WHERE person = ? AND account = ? AND granted_to = ? AND until_position IS NULL",
        (person, account, granted_to),
    )
    return [row["role"] for row in cursor.fetchall()]


def _held(cursor: SQLiteCursor, actor: Actor, account: str | None) -> Permissions:
    """What the actor may in the account; None: in every one."""
    if acting(actor) == OPERATORS_TERMINAL:
        return roles.OWN_SYSTEMS[OPERATORS_TERMINAL.id]
    granted_to = {ActorKind.MEMBER: MEMBER, ActorKind.AGENT: PLATFORM, ActorKind.SYSTEM: SYSTEM}[actor.kind]
    where = EVERY_ACCOUNT if actor.kind is ActorKind.AGENT else account
    if where is None:
        return roles.NOTHING
    held = (_permissions(granted_to, role) for role in _roles(cursor, granted_to, actor.id, where))
    return roles.NOTHING.union(*held)


def _permissions(granted_to: str, role: str) -> Permissions:
    """What a grant gives."""
    if granted_to == MEMBER:
        return roles.of_member(roles.MemberRole(role))
    if granted_to == PLATFORM:
        return roles.of_platform([roles.PlatformRole(role)])
    return roles.of_system(roles.SystemMay(may) for may in role.split())


def _check(
    cursor: SQLiteCursor, actor: Actor, account: str, one_of: frozenset[Permission] | set[Permission]
) -> None:
    """Raises AccountNotFound to who holds nothing there, and NotPermitted to who holds something else."""
    held = _held(cursor, actor, account)
    if not held:
        raise AccountNotFound(account=account)
    if not one_of & held:
        raise NotPermitted
    _check_exists(cursor, account)


def _check_exists(cursor: SQLiteCursor, account: str) -> None:
    cursor.execute("SELECT 1 FROM accounts WHERE account = ?", (account,))
    if cursor.fetchone() is None:
        raise AccountNotFound(account=account)


# Rows to answers


def _moment(query: requests.EffectivePermissions) -> tuple[list[str], dict[str, object]]:
    """Which grants were open at the moment asked for."""
    if query.as_of_position is not None:
        open_then = "position <= :at AND (until_position IS NULL OR until_position > :at)"
        return ["position > :after", open_then], {"at": query.as_of_position}
    if query.as_of_time is not None:
        at: datetime = query.as_of_time
        open_then = "since <= :at AND (until IS NULL OR until > :at)"
        return ["position > :after", open_then], {"at": format_time(at)}
    return ["position > :after", "until_position IS NULL"], {}


def _account(row: Row) -> requests.AccountSummary:
    return requests.AccountSummary.model_validate(
        {
            **row,
            "languages": from_json(row["languages"]),
            "identifiers": from_json(row["identifiers"]),
        }
    )


def _grant(row: Row) -> requests.Grant:
    permissions = _permissions(row["granted_to"], row["role"])
    return requests.Grant(
        granted_to=requests.GrantedTo(row["granted_to"]),
        person=row["person"],
        account=None if row["account"] == EVERY_ACCOUNT else row["account"],
        role=row["role"],
        permissions=tuple(sorted(permissions - ADDED_LATER)),
        further=tuple(sorted(permissions & ADDED_LATER)),
        since=row["since"],
        position=row["position"],
    )


def _credential(row: Row) -> requests.Credential:
    return requests.Credential(
        name=row["name"],
        user=system_user(row["account"], row["name"]),
        public_key=row["public_key"],
        may=tuple(roles.SystemMay(may) for may in row["may"].split()),
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
        position=row["position"],
    )
