"""What a decision costs, and what 100,000 people in 10,000 accounts take: memory, and time to start.

The log has what such a system has: each person was registered, invited and joined. The guard starts in a
process of its own, so that its memory is its own.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from contracts import subjects
from contracts.access import events
from contracts.access.people import person_id
from contracts.access.roles import MemberRole, Permission, PlatformRole, SystemMay
from contracts.access.systems import system_user
from contracts.envelope import Actor, ActorKind, Envelope, Published, Via
from services.guard.guard import Guard
from services.runtime import logs
from services.runtime.connection import connect
from services.runtime.errors import Refused
from services.runtime.settings import RuntimeSettings
from tests.bench.system import append_batch, broker

ACCOUNTS: Final = 10_000
PEOPLE_EACH: Final = 10
BATCH: Final = 1000
DECISIONS: Final = 100_000
ROUNDS: Final = 5
AGENT: Final = "ola@desk.example"


async def run(directory: Path) -> None:
    """Fill an access log, then start a guard on it in another process, which prints what it took."""
    async with broker(directory) as (server, nc):
        began = time.perf_counter()
        count = await _fill(nc)
        print(
            f"an access log of {count:,} events: {ACCOUNTS * PEOPLE_EACH:,} people in {ACCOUNTS:,} accounts, "
            f"made in {time.perf_counter() - began:.0f} s"
        )
        guard = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.access", server.url, str(count)
        )
        if await guard.wait() != 0:
            raise RuntimeError("the guard failed")


async def _fill(nc: Client) -> int:
    batch: list[tuple[str, bytes]] = []
    count = 0

    async def say(
        subject: str, revision: int, model: type[Envelope], data: Published, *, of_person: bool = False
    ) -> None:
        nonlocal count
        count += 1
        document = model.model_validate(
            {
                "id": f"00000000-0000-7000-8000-{count:012d}",
                "source": "/casetrail/access",
                "subject": subject,
                "time": "2026-11-20T09:02:32.000001Z",
                "account": events.PLATFORM if of_person else subject,
                "revision": revision,
                "actor": "system:cli",
                "via": Via.API,
                "commandid": f"bench-{count}",
                "correlationid": "bench",
                "data": data,
            }
        )
        where = subjects.person_events(subject) if of_person else subjects.account_events(subject)
        batch.append((where, document.model_dump_json(exclude_none=True).encode()))
        if len(batch) == BATCH:
            await append_batch(nc, batch)
            batch.clear()

    for number in range(ACCOUNTS):
        account = f"account-{number}"
        profile = events.AccountProfile(content=events.AccountContent(name=account))
        await say(account, 1, events.AccountRegisteredV1, profile)
        for turn in range(PEOPLE_EACH):
            email = _email(number, turn)
            person, invitation = person_id(email), f"invitation-{number}-{turn}"
            role = MemberRole.MEMBER if turn else MemberRole.ADMIN
            invited = events.Invited.model_validate(
                {
                    "invitation": invitation,
                    "person": person,
                    "role": role,
                    "expires_at": "2026-11-27T09:02:32Z",
                    "content": {"email": email},
                }
            )
            await say(account, 2 * turn + 2, events.MemberInvitedV1, invited)
            registered = events.PersonRegistered(content=events.PersonRegisteredContent(email=email))
            await say(person, 1, events.PersonRegisteredV1, registered, of_person=True)
            joined = events.Joined(invitation=invitation, person=person, role=role)
            await say(account, 2 * turn + 3, events.MemberJoinedV1, joined)
    appointed = events.PlatformRoleGiven(role=PlatformRole.AGENT)
    await say(person_id(AGENT), 1, events.PersonAppointedV1, appointed, of_person=True)
    created = events.CredentialCreated(name="sync", public_key="U" + "A" * 55, may=(SystemMay.READ,))
    await say("account-7", 2 * PEOPLE_EACH + 2, events.CredentialCreatedV1, created)
    if batch:
        await append_batch(nc, batch)
    return count


def _email(account: int, turn: int) -> str:
    return f"person-{account}-{turn}@partner.example"


async def _guard(url: str, count: int) -> None:
    """In a process of its own: start, then decide."""
    nc = await connect(RuntimeSettings(nats_url=url), user="bench")
    gc.collect()
    memory, began = _resident_mb(), time.perf_counter()
    guard = Guard(nc, user="bench", max_age_s=60)
    running = asyncio.create_task(guard.run())
    await guard.caught_up()
    took = time.perf_counter() - began
    gc.collect()
    print(
        f"start: {took:.1f} s, {count / took:,.0f} events/s; "
        f"the picture takes {_resident_mb() - memory:.0f} MB\n"
    )
    _decisions(guard)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await nc.close()


def _decisions(guard: Guard) -> None:
    read = Permission.TICKET_READ
    jan = Actor(kind=ActorKind.MEMBER, id=person_id(_email(4711, 3)))
    ola = Actor(kind=ActorKind.AGENT, id=person_id(AGENT))
    sync = Actor(kind=ActorKind.SYSTEM, id=system_user("account-7", "sync"))
    cases: dict[str, Callable[[], None]] = {
        "a member in its account": lambda: guard.check(jan, "account-4711", read),
        "an agent in an account": lambda: guard.check(ola, "account-4711", read),
        "an agent over all accounts": lambda: guard.check(ola, None, read),
        "a system in its account": lambda: guard.check(sync, "account-7", read),
        "refused: a member in another account": lambda: _refused(guard, jan, "account-4712", read),
        "refused: an account that there is not": lambda: _refused(guard, jan, "nowhere", read),
    }
    print(f"decision                                  microseconds (median of {ROUNDS} rounds)")
    for name, decide in cases.items():
        taken = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for _ in range(DECISIONS):
                decide()
            taken.append((time.perf_counter() - began) / DECISIONS * 1e6)
        print(f"{name:42s} {statistics.median(taken):6.2f}")


def _refused(guard: Guard, actor: Actor, account: str, permission: Permission) -> None:
    try:
        guard.check(actor, account, permission)
    except Refused:
        return
    raise RuntimeError("it was let through")


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    import uvloop

    logs.configure("console", "warning", "bench")
    uvloop.run(_guard(sys.argv[1], int(sys.argv[2])))
