"""`casetrail access ...`: the options of each command. What they do is in access_commands and access_queries.

Options are plain text here and are checked by the contract's own models, as those of `casetrail ticket`.
"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="access",
    help="Accounts, their people, and roles for the platform.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ROLES = ("member", "admin")


def _roles() -> list[str]:
    return list(_ROLES)


Account = Annotated[str, typer.Option(help="The account's id, such as acme-clinic.")]
Actor = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="PERSON",
        help="Who acts: jan@acme.example (a member), agent:ola@desk.example (for the platform). "
        "Left out: this terminal, which may what an operator may.",
    ),
]
Self = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="Who acts: jan@acme.example, agent:ola@desk.example.")
]
Person = Annotated[str, typer.Option(help="The person's e-mail address or id.")]
Role = Annotated[
    str, typer.Option(autocompletion=_roles, metavar="|".join(_ROLES), help="What the person may there.")
]
CommandId = Annotated[
    str | None, typer.Option(help="Repeats a command: the same id has one effect. Left out: a new one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]
Language = Annotated[str | None, typer.Option(help="In which the person is addressed: pl, en.")]
Name = Annotated[str | None, typer.Option("--display-name", help="How the person is called.")]
Operator = Annotated[
    str | None, typer.Option(metavar="E-MAIL", help="Manages accounts, their people, and these roles.")
]
Agent = Annotated[str | None, typer.Option(metavar="E-MAIL", help="Works on the tickets of all accounts.")]
Auditor = Annotated[str | None, typer.Option(metavar="E-MAIL", help="Reads everything, changes nothing.")]
Limit = Annotated[str | None, typer.Option(metavar="N", help="At most so many.")]
After = Annotated[str | None, typer.Option(metavar="X", help="The next page, as told.")]


@app.command("register")
def register(
    account: Account,
    name: Annotated[str, typer.Option(help="What it is called.")],
    language: Annotated[list[str] | None, typer.Option(help="pl, en. May be repeated.")] = None,
    identifier: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=VALUE", help="By what others know it: merchant=M-77. May be repeated."),
    ] = None,
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Register an account."""
    from services.cli import access_commands

    access_commands.register(
        account=account,
        name=name,
        languages=language or [],
        identifiers=identifier or [],
        actor=actor,
        command_id=command_id,
        as_json=as_json,
    )


@app.command("admit")
def admit(
    account: Account,
    ticket: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Of the interest form: has the name and the address.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    email: Annotated[str | None, typer.Option(help="Of its first administrator, who is invited.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="pl, en. May be repeated.")] = None,
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Register an account for a new partner and invite its first administrator."""
    from services.cli import access_admission

    access_admission.admit(
        account=account,
        name=name,
        email=email,
        ticket=ticket,
        languages=language or [],
        actor=actor,
        command_id=command_id,
        as_json=as_json,
    )


@app.command("invite")
def invite(
    account: Account,
    email: Annotated[str, typer.Option(help="Who is invited.")],
    role: Role = "member",
    valid_days: Annotated[str | None, typer.Option(metavar="N", help="7 by default, at most 30.")] = None,
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Invite somebody to an account. Prints the token with which that person accepts."""
    from services.cli import access_commands

    access_commands.invite(
        account=account,
        email=email,
        role=role,
        valid_days=valid_days,
        actor=actor,
        command_id=command_id,
        as_json=as_json,
    )


@app.command("accept")
def accept(
    token: Annotated[str, typer.Option(help="Of the invitation.")],
    actor: Self,
    display_name: Name = None,
    language: Language = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Accept an invitation, as the person that was invited."""
    from services.cli import access_commands

    access_commands.accept(
        token=token,
        actor=actor,
        display_name=display_name,
        language=language,
        command_id=command_id,
        as_json=as_json,
    )


@app.command("withdraw")
def withdraw(
    account: Account,
    invitation: Annotated[str, typer.Option(help="Its id; `people --json` shows it.")],
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Take back an invitation."""
    from services.cli import access_commands

    access_commands.withdraw(
        account=account, invitation=invitation, actor=actor, command_id=command_id, as_json=as_json
    )


@app.command("role")
def change_role(
    account: Account,
    person: Person,
    role: Role,
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Give a member of an account another role."""
    from services.cli import access_commands

    access_commands.change_role(
        account=account, person=person, role=role, actor=actor, command_id=command_id, as_json=as_json
    )


@app.command("remove")
def remove(
    account: Account,
    person: Person,
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Remove a member from an account: the access is lost at once."""
    from services.cli import access_commands

    access_commands.remove(
        account=account, person=person, actor=actor, command_id=command_id, as_json=as_json
    )


@app.command("appoint")
def appoint(
    operator: Operator = None,
    agent: Agent = None,
    auditor: Auditor = None,
    display_name: Name = None,
    language: Language = None,
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody a role for the platform. The first operator is appointed by this terminal."""
    from services.cli import access_commands

    access_commands.appoint(
        {"operator": operator, "agent": agent, "auditor": auditor},
        display_name=display_name,
        language=language,
        actor=actor,
        command_id=command_id,
        as_json=as_json,
    )


@app.command("dismiss")
def dismiss(
    operator: Operator = None,
    agent: Agent = None,
    auditor: Auditor = None,
    actor: Actor = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Take a role for the platform away."""
    from services.cli import access_commands

    access_commands.dismiss(
        {"operator": operator, "agent": agent, "auditor": auditor},
        actor=actor,
        command_id=command_id,
        as_json=as_json,
    )


@app.command("list")
def list_(
    words: Annotated[str | None, typer.Option(help="Part of the id or the name.")] = None,
    limit: Limit = None,
    after: After = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """List accounts, by id."""
    from services.cli import access_queries

    access_queries.list_accounts(words=words, limit=limit, after=after, actor=actor, as_json=as_json)


@app.command("people")
def people(
    account: Account,
    limit: Limit = None,
    after: After = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """List the members of an account, and who is invited."""
    from services.cli import access_queries

    access_queries.people(account=account, limit=limit, after=after, actor=actor, as_json=as_json)


@app.command("whoami")
def whoami(actor: Self, as_json: AsJson = False) -> None:
    """Show a person: address, accounts, roles."""
    from services.cli import access_queries

    access_queries.whoami(actor=actor, as_json=as_json)


@app.command("permissions")
def permissions(
    person: Annotated[str | None, typer.Option(help="E-mail address or id; or a system's user.")] = None,
    account: Annotated[str | None, typer.Option(help="All who may anything in this account.")] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="As it was then: 2026-11-20T10:02:32Z, 2h.")
    ] = None,
    position: Annotated[
        str | None, typer.Option(metavar="P", help="As it was at position P of the access log.")
    ] = None,
    limit: Limit = None,
    after: After = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Show who may do what, now or as it was at any time."""
    from services.cli import access_queries

    access_queries.permissions(
        person=person,
        account=account,
        as_of=as_of,
        position=position,
        limit=limit,
        after=after,
        actor=actor,
        as_json=as_json,
    )
