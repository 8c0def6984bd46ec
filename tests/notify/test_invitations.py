"""The e-mails that invite people: real NATS, the access log as it is written, real SMTP."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from services.embedded.key_files import key_file
from services.embedded.nats_server import NatsServer
from services.links.invitations import InvitationTokens
from services.links.mail import read_key
from services.notify.invitations import INVITATIONS
from tests.access_log import AccessLog
from tests.notify.servers import MailDouble, mail_server
from tests.notify.system import System, account, text, to
from tests.tickets.conftest import Caller, access, caller, nc, server, service

__all__ = ["access", "caller", "nc", "server", "service"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def system(server: NatsServer, caller: Caller, access: AccessLog, tmp_path: Path) -> System:
    return await account(server, caller, access, tmp_path)


def somebody(system: System, name: str) -> str:
    """An address that no other test uses."""
    return f"{name}-{system.caller.account}@acme.example"


async def arrived(mail: MailDouble, email: str) -> str:
    """The text of the only mail to an address, once it came."""
    await mail.until(lambda: bool(to(mail, email)))
    (message,) = to(mail, email)
    return text(message)


async def test_who_was_invited_before_the_first_start_gets_no_mail(system: System) -> None:
    """The first test of the module: nobody has started the service on this log yet."""
    early, late = somebody(system, "early"), somebody(system, "late")
    await system.access.invited(system.caller.account, early)
    async with mail_server() as mail, system.notify(mail):
        assert len(await system.events("events.notify.updates.begun-access")) == 1
        await system.access.invited(system.caller.account, late)
        await arrived(mail, late)
        assert to(mail, early) == []


async def test_whoever_is_invited_gets_the_link_that_accepts_it(system: System) -> None:
    email = somebody(system, "new")
    async with mail_server() as mail, system.notify(mail):
        invitation = await system.access.invited(system.caller.account, email)
        said = await arrived(mail, email)
    (message,) = to(mail, email)
    assert message["List-Unsubscribe"] is None
    link = next(word for word in said.split() if word.startswith("https://support.example/invitation?"))
    (token,) = parse_qs(urlsplit(link).query)["token"]
    key = read_key(key_file(system.directory, "link"))
    assert InvitationTokens(key).read(token) == (system.caller.account, invitation)


async def test_an_invitation_is_mailed_once_whichever_replica_is_there(system: System) -> None:
    email, other = somebody(system, "once"), somebody(system, "later")
    async with mail_server() as mail:
        async with system.notify(mail, "a"), system.notify(mail, "b"):
            await system.access.invited(system.caller.account, email)
            await arrived(mail, email)
        await system.nc.jetstream().delete_consumer("ACCESS", INVITATIONS)  # read the log again
        async with system.notify(mail, "c"):
            await system.access.invited(system.caller.account, other)
            await arrived(mail, other)
        assert len(to(mail, email)) == 1


async def test_an_invitation_that_is_not_open_any_more_is_not_mailed(system: System) -> None:
    accepted, withdrawn, last = (somebody(system, name) for name in ("in", "out", "last"))
    async with mail_server() as mail:
        async with system.notify(mail):
            pass  # it is known from here on whom to tell
        await system.access.joined(system.caller.account, accepted)
        invitation = await system.access.invited(system.caller.account, withdrawn)
        await system.access.withdrawn(system.caller.account, withdrawn, invitation)
        await system.access.invited(system.caller.account, last, days=-1)  # has expired
        open_ = somebody(system, "open")
        await system.access.invited(system.caller.account, open_)
        async with system.notify(mail):
            await arrived(mail, open_)
        for email in (accepted, withdrawn, last):
            assert to(mail, email) == []
