"""The development provider as a process: where it starts, where it refuses to, and what it says of people."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx2
import pytest

from services.embedded.demo import ACCOUNTS, PEOPLE
from tests.signin.conftest import ROOT


def _run(**env: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    return subprocess.run(
        [sys.executable, "-m", "services.embedded.identity"],
        cwd=ROOT,
        env=ours | env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("env", [{}, {"CASETRAIL_ENV": "production"}], ids=["by default", "by name"])
def test_production_refuses_it(env: dict[str, str]) -> None:
    refused = _run(CASETRAIL_IDENTITY_PORT="0", **env)
    assert refused.returncode == 2
    assert "CASETRAIL_ENV: 'production': the development provider lets anybody in" in refused.stderr


def test_a_taken_port_is_told_with_the_setting_that_changes_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = _run(CASETRAIL_ENV="development", CASETRAIL_IDENTITY_PORT=port)
    assert refused.returncode == 2
    assert f"CASETRAIL_IDENTITY_PORT: '{port}': cannot listen on 127.0.0.1" in refused.stderr


async def test_it_is_its_own_issuer_under_its_own_address_only(identity: str) -> None:
    async with httpx2.AsyncClient() as client:
        document = (await client.get(f"{identity}/.well-known/openid-configuration")).json()
        assert document["issuer"] == identity
        lured = await client.get(
            f"{identity}/.well-known/openid-configuration", headers={"host": "elsewhere.example"}
        )
    assert lured.status_code == 400


async def test_its_pages_load_nothing_from_elsewhere(identity: str) -> None:
    async with httpx2.AsyncClient() as client:
        page = await client.get(identity)
    assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_it_listens_on_this_machine_only(identity: str) -> None:
    assert urlsplit(identity).hostname == "127.0.0.1"


def test_every_partners_account_of_the_demonstration_has_an_admin_and_a_member() -> None:
    partners = ["acme-clinic", "nova-bookings"]
    assert [account.id for account in ACCOUNTS] == [*partners, "new-partners"]
    for account in partners:
        roles = [person.role for person in PEOPLE if person.account == account]
        assert sorted(roles) == ["admin", "member"]
    assert sorted(person.role for person in PEOPLE if person.account is None) == ["agent", "auditor"]
    assert {person.language for person in PEOPLE} == {"pl", "en"}
    assert len({person.email for person in PEOPLE}) == len(PEOPLE)
