"""Changing accounts, their people and the platform's from the command line."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from contracts.access import requests
from contracts.access.people import NotAnAddress, person_id
from contracts.client import call
from contracts.requests import Sent
from services.cli import arguments
from services.cli.connect import connected
from services.cli.failures import checked, malformed, run
from services.cli.output import Pages, print_json
from services.cli.ticket_commands import TIMEOUT_S
from services.cli.words import say

AnswerT = TypeVar("AnswerT", requests.AccountDone, requests.InvitationSent, requests.PersonDone)


def register(
    *,
    account: str,
    name: str,
    languages: list[str],
    identifiers: list[str],
    actor: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""
    _carry_out(
        requests.REGISTER,
        requests.RegisterAccount,
        requests.AccountDone,
        lambda: {
            "account": account,
            "actor": arguments.asker(actor),
            "name": name,
            "languages": tuple(languages),
            "identifiers": tuple(map(arguments.identifier, identifiers)),
        },
        lambda done: say("done_register", account=done.account),
        command_id=command_id,
        as_json=as_json,
    )


def invite(
    *,
    account: str,
    email: str,
    role: str,
    valid_days: str | None,
    actor: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""
    _carry_out(
        requests.INVITE,
        requests.InviteMember,
        requests.InvitationSent,
        lambda: {
            "account": account,
            "actor": arguments.asker(actor),
            "email": email,
            "role": role,
            "valid_days": valid_days,
        },
        lambda done: say("done_invite", email=email, account=done.account),
        command_id=command_id,
        as_json=as_json,
        hint=lambda done: say("to_accept", email=email, token=done.token),
    )


def accept(
    *,
    token: str,
    actor: str,
    display_name: str | None,
    language: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""
    _carry_out(
        requests.ACCEPT,
        requests.AcceptInvitation,
        requests.MemberJoined,
        lambda: {
            "actor": arguments.person(actor),
            "token": token,
            "display_name": display_name,
            "language": language,
        },
        lambda done: say("done_accept", account=done.account),
        command_id=command_id,
        as_json=as_json,
    )


def withdraw(
    *, account: str, invitation: str, actor: str | None, command_id: str | None, as_json: bool
) -> None:
    """Raises typer.Exit."""
    _carry_out(
        requests.WITHDRAW,
        requests.WithdrawInvitation,
        requests.AccountDone,
        lambda: {"account": account, "actor": arguments.asker(actor), "invitation": invitation},
        lambda done: say("done_withdraw", account=done.account),
        command_id=command_id,
        as_json=as_json,
    )


def change_role(
    *, account: str, person: str, role: str, actor: str | None, command_id: str | None, as_json: bool
) -> None:
    """Raises typer.Exit."""
    _carry_out(
        requests.CHANGE_ROLE,
        requests.ChangeRole,
        requests.AccountDone,
        lambda: {
            "account": account,
            "actor": arguments.asker(actor),
            "person": named("--person", person),
            "role": role,
        },
        lambda done: say("done_role", account=done.account, role=role, person=person),
        command_id=command_id,
        as_json=as_json,
    )


def remove(*, account: str, person: str, actor: str | None, command_id: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""
    _carry_out(
        requests.REMOVE,
        requests.RemoveMember,
        requests.AccountDone,
        lambda: {
            "account": account,
            "actor": arguments.asker(actor),
            "person": named("--person", person),
        },
        lambda done: say("done_remove", account=done.account, person=person),
        command_id=command_id,
        as_json=as_json,
    )


def appoint(
    people: Mapping[str, str | None],
    *,
    display_name: str | None,
    language: str | None,
    actor: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    """`people` has one person, by the role that it is given. Raises typer.Exit."""

    def values() -> dict[str, object]:
        role, person = _one_of(people)
        named(f"--{role}", person, only_addresses=True)
        return {
            "actor": arguments.asker(actor),
            "email": person,
            "role": role,
            "display_name": display_name,
            "language": language,
        }

    _carry_out(
        requests.APPOINT,
        requests.AppointPerson,
        requests.PersonDone,
        values,
        lambda _: say("done_appoint", **_role_and_person(people)),
        command_id=command_id,
        as_json=as_json,
    )


def dismiss(
    people: Mapping[str, str | None], *, actor: str | None, command_id: str | None, as_json: bool
) -> None:
    """`people` has one person, by the role that it loses. Raises typer.Exit."""

    def values() -> dict[str, object]:
        role, person = _one_of(people)
        return {"actor": arguments.asker(actor), "person": named(f"--{role}", person), "role": role}

    _carry_out(
        requests.DISMISS,
        requests.DismissPerson,
        requests.PersonDone,
        values,
        lambda _: say("done_dismiss", **_role_and_person(people)),
        command_id=command_id,
        as_json=as_json,
    )


def named(option: str, typed: str, *, only_addresses: bool = False) -> str:
    """The id of a person that was named by its address or its id. Raises Failure."""
    if "@" not in typed and not only_addresses:
        return typed
    try:
        return person_id(typed)
    except NotAnAddress:
        raise malformed(option, "person_address") from None


def _one_of(people: Mapping[str, str | None]) -> tuple[str, str]:
    """Raises Failure unless exactly one is given."""
    given = [(role, person) for role, person in people.items() if person is not None]
    if len(given) != 1:
        options = ", ".join(f"--{role}" for role in people)
        last = given[-1][0] if given else next(iter(people))
        raise malformed(f"--{last}", "exactly_one_of", options=options)
    return given[0]


def _role_and_person(people: Mapping[str, str | None]) -> dict[str, str]:
    role, person = _one_of(people)
    return {"role": say(role), "person": person}


def _carry_out(
    subject: str,
    model: type[Sent],
    answer_type: type[AnswerT],
    values: Callable[[], dict[str, object]],
    sentence: Callable[[AnswerT], str],
    *,
    command_id: str | None,
    as_json: bool,
    hint: Callable[[AnswerT], str] | None = None,
) -> None:
    command_id = command_id or str(uuid.uuid4())

    async def work() -> None:
        command = checked(model, **values(), command_id=command_id)
        async with connected() as nc:
            done = await call(nc, subject, command, answer_type, timeout_s=TIMEOUT_S)
        tell(done, sentence(done), command_id=command_id, as_json=as_json)
        if hint is not None and not as_json:
            sys.stdout.write(hint(done) + "\n")  # in one line, however long: it is to be copied

    run(work(), as_json=as_json, command_id=command_id)


def tell(
    done: requests.AccountDone | requests.PersonDone, sentence: str, *, command_id: str, as_json: bool
) -> None:
    """What was done, and the command id that repeats it."""
    if as_json:
        print_json(done, {"command_id": command_id})
        return
    made = say("made", revision=done.revision, position=done.position, command_id=command_id)
    Pages(datetime.now(UTC)).done(sentence, made)
