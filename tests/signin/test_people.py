"""Who somebody is: the same suite for the people of the access service and for those in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from nats.aio.client import Client

from contracts.access.people import person_id
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams
from services.signin.failures import EmailUnverified, IdentityUnproven, Unavailable
from services.signin.oidc import Identity
from services.signin.people import AccessPeople, People, PeopleInMemory
from tests.signin.access_process import access_service

JAN = Identity(
    issuer="https://login.example",
    subject="jan-1",
    email="Jan@Example.com",
    name="Jan Nowak",
    language="pl",
)


@pytest.fixture(params=["access", "memory"])
async def people(
    request: pytest.FixtureRequest, nats_server: NatsServer, nats_client: Client, tmp_path: Path
) -> AsyncIterator[People]:
    if request.param == "memory":
        yield PeopleInMemory()
        return
    assert await ensure_streams(nats_client, replicas=1) == []
    async with access_service(nats_server, tmp_path):
        yield AccessPeople(nats_client)


async def test_somebody_new_is_the_person_of_the_address(people: People) -> None:
    assert await people.recognise(JAN) == person_id("jan@example.com")


async def test_the_same_identity_is_the_same_person_every_time(people: People) -> None:
    assert len({await people.recognise(JAN) for _ in range(3)}) == 1


async def test_sign_ins_at_the_same_moment_find_one_person(people: People) -> None:
    assert set(await asyncio.gather(*(people.recognise(JAN) for _ in range(5)))) == {
        person_id("jan@example.com")
    }


async def test_an_identity_stays_with_its_person_when_its_address_changes(people: People) -> None:
    before = await people.recognise(JAN)
    assert await people.recognise(replace(JAN, email="jan.nowak@example.com")) == before


async def test_a_new_identity_of_the_address_is_the_same_person(people: People) -> None:
    """As when a company changes its provider."""
    before = await people.recognise(JAN)
    assert await people.recognise(replace(JAN, issuer="https://new.example", subject="8d1f")) == before
    assert await people.recognise(replace(JAN, subject="jan-2")) == before


async def test_the_same_subject_of_another_provider_is_somebody_else(people: People) -> None:
    jan = await people.recognise(JAN)
    olivia = await people.recognise(
        replace(JAN, issuer="https://new.example", email="olivia@example.com", name="Olivia Bennett")
    )
    assert olivia != jan


async def test_what_is_no_address_is_refused(people: People) -> None:
    with pytest.raises(EmailUnverified):
        await people.recognise(replace(JAN, email="jan"))


async def test_claims_that_the_access_service_cannot_take_are_refused(nats_client: Client) -> None:
    with pytest.raises(IdentityUnproven, match="provider_subject"):
        await AccessPeople(nats_client).recognise(replace(JAN, subject="x" * 200))


async def test_an_access_service_that_is_away_is_told(
    nats_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.signin.people.ANSWER_WITHIN_S", 0.2)
    with pytest.raises(Unavailable):
        await AccessPeople(nats_client).recognise(JAN)
