"""The table of roles and permissions says what it was agreed to say: a change here is a decision."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.access import roles
from contracts.access.roles import (
    MEMBERS,
    PLATFORM,
    SYSTEMS,
    MemberRole,
    Permission,
    Permissions,
    PlatformRole,
    SystemMay,
)

TICKETS = {"ticket_open", "ticket_read", "ticket_reply", "ticket_close", "ticket_reopen"}

MAIL = {"mail_read", "mail_manage"}
TABLE = {
    MemberRole.MEMBER: {*TICKETS, "people_read"},
    MemberRole.ADMIN: {*TICKETS, "people_read", "people_manage"},
    PlatformRole.AGENT: {*TICKETS, "people_read", "account_admit", *MAIL},
    PlatformRole.AUDITOR: {"ticket_read", "people_read", "audit_read", "mail_read"},
    PlatformRole.OPERATOR: {
        *MAIL,
        "account_admit",
        "account_manage",
        "platform_manage",
        "people_read",
        "people_manage",
    },
    SystemMay.SUBSCRIBE: set(),
    SystemMay.READ: {"ticket_read"},
    SystemMay.WRITE: TICKETS,
}


@pytest.mark.parametrize(("role", "permissions"), TABLE.items(), ids=map(str, TABLE))
def test_a_role_gives_what_it_was_agreed_to_give(role: Any, permissions: set[str]) -> None:
    tables: list[Mapping[Any, Permissions]] = [MEMBERS, PLATFORM, SYSTEMS]
    assert [table[role] for table in tables if role in table] == [permissions]


def test_every_role_and_permission_is_in_the_table() -> None:
    assert set(MEMBERS) == set(MemberRole)
    assert set(PLATFORM) == set(PlatformRole)
    assert set(SYSTEMS) == set(SystemMay)
    assert {permission for given in TABLE.values() for permission in given} == set(Permission)


def test_roles_add_up_and_no_role_gives_nothing() -> None:
    both = roles.of_platform([PlatformRole.AGENT, PlatformRole.OPERATOR])
    assert both == PLATFORM[PlatformRole.AGENT] | PLATFORM[PlatformRole.OPERATOR]
    assert roles.of_system([SystemMay.SUBSCRIBE, SystemMay.READ]) == SYSTEMS[SystemMay.READ]
    assert roles.of_member(None) == roles.of_platform([]) == roles.of_system([]) == set()


def test_the_table_stands_on_the_standard_library_alone() -> None:
    tree = ast.parse(Path(roles.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {str(module).split(".")[0] for module in imported} <= set(sys.stdlib_module_names)
