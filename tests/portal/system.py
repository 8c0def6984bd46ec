"""The whole system in one process, as people meet it: every service, the portal on a free port, the people of
the demonstration, and the development provider to sign in with. Each service has its own user on NATS.

    async with running(directory) as system:
        anna = await system.browser(ANNA)             # signed in, over HTTP
        number = await system.open(ANNA)              # a ticket, straight through the ticket service
        page = await anna.get(f"/tickets/{number}")
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
import nats
from nats.aio.client import Client
from playwright.async_api import Browser, BrowserContext
from prometheus_client import CollectorRegistry

from contracts.access import requests as requests_of_access
from contracts.access.people import person_id
from contracts.client import Tickets, call
from contracts.envelope import ActorKind
from contracts.requests import SentActor
from contracts.subjects import inbox_prefix
from contracts.tickets import requests
from contracts.tickets.events import CloseReason
from services.access.app import AccessSettings, access
from services.attachments.app import attachments
from services.attachments.settings import AttachmentsSettings
from services.credentials.creds import creds_file
from services.credentials.operator import Operator
from services.credentials.permissions import USERS, Permissions, Zone
from services.embedded.demo import PEOPLE
from services.embedded.introduce import introduce
from services.embedded.key_files import key_file
from services.embedded.nats_server import NatsServer
from services.guard.settings import GuardSettings
from services.intake.app import IntakeSettings, intake
from services.notify.app import notify
from services.notify.settings import NotifySettings
from services.portal.app import portal
from services.portal.settings import PortalSettings
from services.runtime.health import Health
from services.runtime.service import Context
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import ensure_streams
from services.tickets.app import tickets
from tests.signin.steps import sign_in

ROOT: Final = Path(__file__).parents[2]
ANNA: Final = "anna.kowalska@acme-clinic.example"
"""Administrator of `acme-clinic`; Polish."""
JAMES: Final = "james.carter@acme-clinic.example"
"""Member of `acme-clinic`; English."""
OLIVIA: Final = "olivia.bennett@nova-bookings.example"
"""Administrator of `nova-bookings`; English."""
KATARZYNA: Final = "katarzyna.zielinska@casetrail.example"
"""Agent; Polish."""
DANIEL: Final = "daniel.brooks@casetrail.example"
"""Auditor; English."""
ACME: Final = "acme-clinic"

OWN_PAGE: Final = {"sec-fetch-site": "same-origin"}
_ROOT_USER: Final = Permissions(zone=Zone.SERVICES, publish=(">",), subscribe=(">",))
_SERVICES_OF_PEOPLE: Final = {person.email: person for person in PEOPLE}

SettingsT = TypeVar("SettingsT", bound=RuntimeSettings)


@dataclass
class System:
    """A running system. Whoever acts is named by the e-mail address."""

    server: NatsServer
    directory: Path
    origin: str
    issuer: str
    cli: Client
    """A connection of the operator's terminal, which may ask everything for everybody."""
    connect: Callable[[str], Awaitable[Client]]
    stack: AsyncExitStack
    browsers: list[httpx2.AsyncClient] = field(default_factory=list)

    @property
    def tickets(self) -> Tickets:
        return Tickets(self.cli)

    async def browser(
        self,
        email: str | None = None,
        *,
        language: str = "en",
        own_page: bool = True,
        address: str | None = None,
    ) -> httpx2.AsyncClient:
        """A browser, by HTTP only; signed in if somebody is named. It follows redirects inside the portal.

        `address` is its network address, as a proxy would tell it.
        """
        client = httpx2.AsyncClient(
            base_url=self.origin,
            timeout=20,
            headers={
                "accept-language": language,
                **(OWN_PAGE if own_page else {}),
                **({"x-forwarded-for": address} if address else {}),
            },
        )
        self.stack.push_async_callback(client.aclose)
        if email is not None:
            await sign_in(client, self.origin, email)
        client.cookies.set("casetrail-language", language, domain="127.0.0.1")
        client.follow_redirects = True
        return client

    async def person(
        self, browser: Browser, email: str | None, *, language: str = "en", **options: Any
    ) -> BrowserContext:
        """Somebody in a real browser, signed in; `options` are those of a Playwright context."""
        context = await browser.new_context(base_url=self.origin, locale=language, **options)
        await context.add_cookies([{"name": "casetrail-language", "value": language, "url": self.origin}])
        if email is not None:
            page = await context.new_page()
            await page.goto("/sign-in?return_to=/mail-none")
            await page.get_by_role("button", name=email).click()
            await page.wait_for_url(f"{self.origin}/mail-none")
            await page.close()
        return context

    async def open(self, email: str, *, account: str = ACME, **more: Any) -> str:
        """The number of a ticket that a member opened, and that every list has."""
        given: dict[str, Any] = {
            "title": "Bookings do not arrive", "message": "Since Monday.", "account": account,
        }  # fmt: skip
        done = await self.tickets.open(
            requests.OpenTicket(command_id=new_id(), actor=member(email), **{**given, **more})
        )
        await self.ticket(done.number, at_least=done.position)
        return done.number

    async def reply(self, email: str, number: str, text: str, *, account: str = ACME) -> int:
        """The position of a reply of a member, or of an agent, once the ticket shows it."""
        done = await self.tickets.reply(
            requests.ReplyToTicket(
                command_id=new_id(), account=account, actor=acting(email), number=number, text=text
            )
        )
        await self.ticket(number, at_least=done.position)
        return done.position

    async def close(
        self, email: str, number: str, reason: CloseReason = CloseReason.SOLVED, *, account: str = ACME
    ) -> int:
        """The position of the closing, once the ticket shows it."""
        done = await self.tickets.close(
            requests.CloseTicket(
                command_id=new_id(), account=account, actor=acting(email), number=number, reason=reason
            )
        )
        await self.ticket(number, at_least=done.position)
        return done.position

    async def join(self, email: str, account: str, *, invited_by: str = ANNA) -> str:
        """Make somebody a member of another account; returns the person's id."""
        invite = requests_of_access.InviteMember(
            command_id=new_id(), account=account, actor=member(invited_by), email=email
        )
        invited = await call(self.cli, requests_of_access.INVITE, invite, requests_of_access.InvitationSent)
        accept = requests_of_access.AcceptInvitation(
            command_id=new_id(), actor=member(email), token=invited.token
        )
        joined = await call(self.cli, requests_of_access.ACCEPT, accept, requests_of_access.MemberJoined)
        await self.access_has_heard(joined.position)
        return invited.person

    async def leave(self, person: str, account: str, *, removed_by: str = ANNA) -> None:
        """Take a member's access away."""
        remove = requests_of_access.RemoveMember(
            command_id=new_id(), account=account, actor=member(removed_by), person=person
        )
        done = await call(self.cli, requests_of_access.REMOVE, remove, requests_of_access.AccountDone)
        await self.access_has_heard(done.position)

    async def access_has_heard(self, position: int) -> None:
        """Return once the access service answers out of the log up to there."""
        asked = requests_of_access.WhoAmI(actor=member(ANNA), at_least=position)
        await call(self.cli, requests_of_access.WHOAMI, asked, requests_of_access.Person)

    async def ticket(self, number: str, *, at_least: int = 0) -> requests.Ticket:
        """The ticket as an agent sees it."""
        return await self.tickets.get(
            requests.GetTicket(actor=acting(KATARZYNA), number=number, at_least=at_least)
        )


def new_id() -> str:
    return uuid.uuid4().hex


def an_address() -> str:
    """A network address that hardly anybody else has."""
    number = int(new_id()[:4], 16)
    return f"10.9.{number >> 8}.{number & 255}"


def member(email: str) -> SentActor:
    """The person as it acts in an account."""
    return SentActor(kind=ActorKind.MEMBER, id=person_id(email))


def acting(email: str) -> SentActor:
    """The person as it acts: those of the platform as agents."""
    person = _SERVICES_OF_PEOPLE.get(email)
    is_member = person is None or person.account is not None
    kind = ActorKind.MEMBER if is_member else ActorKind.AGENT
    return SentActor(kind=kind, id=person_id(email))


@contextlib.contextmanager
def identity_provider() -> Iterator[str]:
    """The development provider, as a process of its own; its issuer."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    with subprocess.Popen(
        [sys.executable, "-m", "services.embedded.identity"],
        cwd=ROOT,
        env=env | {"CASETRAIL_ENV": "development", "CASETRAIL_IDENTITY_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")  # ends when the process does
        issuer = next((found for line in said if (found := json.loads(line).get("issuer"))), None)
        try:
            assert issuer is not None
            yield issuer
        finally:
            process.terminate()
            process.stderr.read()


@contextlib.asynccontextmanager
async def running(
    directory: Path, *, mail: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[System]:
    """A system while the body runs.

    `mail` are settings of notify (where its mail server is); without, there is no notify. `settings` are
    those of the portal.
    """
    operator = Operator.kept(directory / "operator")
    operator.keep_creds(directory / "creds", {**USERS, "root": _ROOT_USER})
    server = await NatsServer.start(directory / "nats", trust=operator.trust)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        issuer = stack.enter_context(identity_provider())

        async def connect(user: str) -> Client:
            client = await nats.connect(
                server.url,
                name=user,
                user_credentials=str(creds_file(directory / "creds", user)),
                inbox_prefix=inbox_prefix(user),
            )
            stack.push_async_callback(client.close)
            return client

        async def serve(
            name: str,
            compose: Callable[[Context[SettingsT]], AbstractAsyncContextManager[None]],
            settings_class: type[SettingsT],
            **given: Any,
        ) -> None:
            loaded = load(settings_class, **{"data_dir": directory / name, **given})
            await stack.enter_async_context(compose(context(await connect(name), loaded, name)))

        assert await ensure_streams(await connect("setup"), replicas=1) == []
        keys = directory / "keys"
        link_key = {"link_key_file": key_file(keys, "CASETRAIL_LINK_KEY_FILE")}
        listener = listening()
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await serve("access", access, AccessSettings, **link_key)
        await serve("tickets", tickets, GuardSettings)
        await serve("attachments", attachments, AttachmentsSettings)
        await serve("intake", intake, IntakeSettings, **link_key)
        if mail is not None:
            await serve(
                "notify", notify, NotifySettings,
                **{
                    "nats_url": server.url, "public_url": origin, "mail_from": "support@casetrail.example",
                    **link_key, **mail,
                },
            )  # fmt: skip
        cli = await connect("cli")
        await introduce(cli)
        loaded = load(
            PortalSettings,
            **{
                "env": "development",
                "oidc_development": True,
                "public_url": origin,
                "oidc_issuer": issuer,
                "oidc_client_secret_file": key_file(keys, "CASETRAIL_OIDC_CLIENT_SECRET_FILE"),
                "session_key_file": key_file(keys, "CASETRAIL_SESSION_KEY_FILE"),
                **settings,
            },
        )
        await stack.enter_async_context(portal(context(await connect("portal"), loaded, "portal"), listener))
        yield System(server, directory, origin, issuer, cli, connect, stack)


def listening() -> socket.socket:
    """A socket on a free port of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    listener.setblocking(False)
    return listener


def context(nc: Client, settings: SettingsT, user: str) -> Context[SettingsT]:
    """What a service of a process of its own is given."""
    registry = CollectorRegistry()
    return Context(
        settings=settings,
        nc=nc,
        health=Health(registry),
        registry=registry,
        user=user,
        version="1.0.0",
        failed=asyncio.get_running_loop().create_future(),
    )
