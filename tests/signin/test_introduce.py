"""The people of the demonstration, in a real access log."""

from __future__ import annotations

from pathlib import Path

from nats.aio.client import Client

from contracts.access import requests
from contracts.access.people import person_id
from contracts.client import call
from contracts.envelope import ActorKind
from contracts.requests import SentActor
from contracts.subjects import ACCESS
from services.embedded.demo import PEOPLE
from services.embedded.introduce import introduce
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams, stream_info
from tests.signin.access_process import access_service


async def test_everybody_is_what_the_demonstration_says_and_is_introduced_once(
    nats_server: NatsServer, nats_client: Client, tmp_path: Path
) -> None:
    assert await ensure_streams(nats_client, replicas=1) == []
    async with access_service(nats_server, tmp_path):
        await introduce(nats_client)
        introduced = (await stream_info(nats_client, ACCESS))["state"]["last_seq"]
        await introduce(nats_client)
        assert (await stream_info(nats_client, ACCESS))["state"]["last_seq"] == introduced
        for demo in PEOPLE:
            who = SentActor(kind=ActorKind.MEMBER, id=person_id(demo.email))
            query = requests.WhoAmI(actor=who, at_least=introduced)
            person = await call(nats_client, requests.WHOAMI, query, requests.Person)
            assert (person.email, person.display_name, person.language) == (
                demo.email,
                demo.name,
                demo.language,
            )
            accounts = {membership.account: str(membership.role) for membership in person.memberships}
            platform = tuple(map(str, person.platform_roles))
            assert accounts == ({} if demo.account is None else {demo.account: str(demo.role)})
            assert platform == ((str(demo.role),) if demo.account is None else ())
