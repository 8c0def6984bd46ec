"""The log as its server shows it: streams, their replicas and limits, and who works through them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from contracts.subjects import OUTSIDE_DOMAIN, RESTORING, received_events
from services.cli.dead_letters import every_letter
from services.cli.doctor_findings import Finding, fine, problem
from services.cli.failures import Failure
from services.credentials.permissions import USERS
from services.runtime.streams import differences_of, every_configuration

OLDEST_SERVER: Final = (2, 12)
"""Atomic batches came with it (NATS ADR-50)."""
NEARLY_FULL: Final = 0.8
LAGS_FROM: Final = 1_000
SKEW_S: Final = 1.0
_BETWEEN_LOOKS_S: Final = 2.0
_TIMEOUT_S: Final = 5.0
_NEXT: Final = "$JS.API.CONSUMER.MSG.NEXT."
_NOT_FOUND: Final = 10059
_NO_JETSTREAM: Final = frozenset({10039, 10076})
_MADE_WHERE_SET: Final = {"notify-received": received_events("*")}
"""Consumers that a service makes only where its settings say so, and the events that they are for."""


class NoAnswer(Exception):
    """The JetStream API does not answer, or not to this user."""


@dataclass(frozen=True, slots=True)
class Api:
    """JetStream's API, from whichever side of the accounts one stands on."""

    nc: Client
    prefix: str

    @classmethod
    async def reached(cls, nc: Client) -> Api:
        """Raises NoAnswer."""
        for prefix in (f"$JS.{OUTSIDE_DOMAIN}.API", "$JS.API"):
            api = cls(nc, prefix)
            try:
                answer = await api.ask("INFO")
            except NoAnswer:
                continue
            if answer.get("error", {}).get("err_code") in _NO_JETSTREAM:
                raise NoAnswer(str(answer["error"].get("description")))
            return api
        raise NoAnswer("no answer")

    async def ask(self, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises NoAnswer."""
        try:
            raw = b"" if body is None else json.dumps(body).encode()
            reply = await self.nc.request(f"{self.prefix}.{verb}", raw, timeout=_TIMEOUT_S)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise NoAnswer(type(error).__name__) from error
        answer: dict[str, Any] = json.loads(reply.data)
        return answer


async def look_at_the_log(
    nc: Client, *, replicas: int | None, services: Collection[str]
) -> AsyncIterator[Finding]:
    """Everything that NATS itself tells, of a system that has these services."""
    version = nc.connected_server_version
    spelled = f"{version.major}.{version.minor}.{version.patch}"
    if (version.major, version.minor) < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        yield problem("server_old", version=spelled, oldest=oldest)
    else:
        yield fine("server", version=spelled)
    try:
        api = await Api.reached(nc)
    except NoAnswer as error:
        yield problem("no_jetstream", reason=str(error))
        return
    yield fine("jetstream")
    try:
        async for finding in _through(api, replicas, services):
            yield finding
    except NoAnswer as error:
        yield problem("no_jetstream", reason=str(error))


async def _through(api: Api, replicas: int | None, services: Collection[str]) -> AsyncIterator[Finding]:
    yield await _clock(api)
    async for finding in _account(api):
        yield finding
    if "error" not in await api.ask(f"STREAM.INFO.{RESTORING.name}"):
        yield problem("restoring")
    wanted = every_configuration(replicas=replicas or 0)
    there = []
    for config in wanted:
        about = await api.ask(f"STREAM.INFO.{config['name']}")
        if about.get("error", {}).get("err_code") == _NOT_FOUND:
            yield problem("stream_missing", stream=config["name"])
            continue
        there.append(config["name"])
        for finding in _stream(config, about, replicas):
            yield finding
    if len(there) == len(wanted):
        yield fine("streams", count=len(there))
    async for finding in _consumers(api, there, durables_of(services)):
        yield finding
    async for finding in _dead(api.nc):
        yield finding


async def _clock(api: Api) -> Finding:
    """The server stamps its answers; half of the way there and back is taken off."""
    before = time.monotonic()
    about = await api.ask("STREAM.INFO.TICKETS")
    half = (time.monotonic() - before) / 2
    stamped = about.get("ts")
    if stamped is None:
        return fine("clock_unknown")
    server = datetime.fromisoformat(stamped[:19]).replace(tzinfo=UTC)
    skew = abs((datetime.now(UTC) - server).total_seconds() - half)
    # The stamp is read to the second: less than one says nothing.
    if skew > SKEW_S + 1:
        return problem("clock", seconds=round(skew, 1))
    return fine("clock_fine")


async def _account(api: Api) -> AsyncIterator[Finding]:
    info = await api.ask("INFO")
    limits, used = info.get("limits", {}), info
    for what, limit_name in (("storage", "max_storage"), ("memory", "max_memory")):
        limit = int(limits.get(limit_name, -1))
        if limit > 0 and used[what] > NEARLY_FULL * limit:
            yield problem("account_full", what=what, used=used[what], limit=limit)


def _stream(config: dict[str, Any], about: dict[str, Any], replicas: int | None) -> list[Finding]:
    name, found = config["name"], about["config"]
    wanted = {key: value for key, value in config.items() if key != "num_replicas" or replicas is not None}
    findings = [problem("stream_differs", what=what) for what in differences_of(wanted, found)]
    cluster = about.get("cluster", {})
    if found["num_replicas"] > 1 and not cluster.get("leader"):
        findings.append(problem("no_leader", stream=name))
    for peer in cluster.get("replicas") or []:
        if peer.get("offline"):
            findings.append(problem("replica_offline", stream=name, server=peer["name"]))
        elif not peer.get("current") and peer.get("lag", 0) > LAGS_FROM:
            findings.append(problem("replica_lags", stream=name, server=peer["name"], lag=peer["lag"]))
    limit, used = int(found.get("max_bytes", -1)), int(about["state"]["bytes"])
    if limit > 0 and used > NEARLY_FULL * limit:
        findings.append(problem("stream_full", stream=name, percent=round(100 * used / limit)))
    return findings


def durables_of(services: Collection[str]) -> list[tuple[str, str]]:
    """Stream and name of the consumers by which the services hear of events, as their permissions have it."""
    taken = (
        subject.removeprefix(_NEXT).split(".", 1)
        for service in services
        for subject in USERS[service].publish
        if subject.startswith(_NEXT)
    )
    return [(stream, consumer) for stream, consumer in taken]


async def _consumers(
    api: Api, streams: list[str], expected: Sequence[tuple[str, str]]
) -> AsyncIterator[Finding]:
    """Looked at twice: whoever has work and does not get on has stopped."""
    before = {(stream, each["name"]): each for stream in streams for each in await _durables(api, stream)}
    missing = [each for each in expected if each not in before and await _is_needed(api, *each)]
    for stream, consumer in missing:
        yield problem("consumer_missing", stream=stream, consumer=consumer)
    await asyncio.sleep(_BETWEEN_LOOKS_S if before else 0)
    wrong = bool(missing)
    for stream in streams:
        for now in await _durables(api, stream):
            then = before.get((stream, now["name"]))
            if then is None:
                continue
            finding = _consumer(stream, then, now)
            if finding is not None:
                wrong = True
                yield finding
    if not wrong:
        yield fine("consumers", count=len(before))


async def _is_needed(api: Api, stream: str, consumer: str) -> bool:
    """Whether somebody should have made it: where no e-mails come in, none has to be handled."""
    subject = _MADE_WHERE_SET.get(consumer)
    if subject is None:
        return True
    about = await api.ask(f"STREAM.INFO.{stream}", {"subjects_filter": subject})
    return bool(about.get("state", {}).get("subjects"))


async def _durables(api: Api, stream: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:  # a page has 256
        answer = await api.ask(f"CONSUMER.LIST.{stream}", {"offset": len(found)})
        page = answer.get("consumers") or []
        found += page
        if not page or len(found) >= answer.get("total", 0):
            return [each for each in found if each["config"].get("durable_name")]


def _consumer(stream: str, then: dict[str, Any], now: dict[str, Any]) -> Finding | None:
    waiting = int(now.get("num_pending", 0)) + int(now.get("num_ack_pending", 0))
    about: dict[str, str | int | float] = {"stream": stream, "consumer": now["name"], "pending": waiting}
    moved = now["ack_floor"]["stream_seq"] != then["ack_floor"]["stream_seq"]
    if waiting and not moved and not now.get("num_waiting") and not then.get("num_waiting"):
        return problem("nobody_takes", **about)
    if now.get("num_redelivered"):
        return problem("redelivers", **about, times=now["num_redelivered"])
    had = int(then.get("num_pending", 0)) + int(then.get("num_ack_pending", 0))
    if waiting and had and not moved:
        return problem("stalls", **about)
    if waiting > LAGS_FROM:
        return problem("lags", **about)
    return None


async def _dead(nc: Client) -> AsyncIterator[Finding]:
    try:
        standing = [letter for letter in await every_letter(nc) if not letter.retried]
    except Failure as failure:
        yield problem("dead_unreadable", reason=failure.reply.message)
        return
    if standing:
        yield problem("dead_letters", count=len(standing))
    else:
        yield fine("no_dead_letters")
