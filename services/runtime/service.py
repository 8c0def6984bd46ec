"""The life of a service process: settings, logs, NATS, health, the service itself, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, Generic, TypeVar

import structlog
import uvloop
from nats.aio.client import Client
from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector

from services.runtime import logs, telemetry
from services.runtime.cancel import cancel
from services.runtime.connection import BrokerUnavailable, connect, is_alive, keep_alive
from services.runtime.health import Health
from services.runtime.replica import Replica, ReplicaInUse
from services.runtime.settings import RuntimeSettings, SettingsInvalid, load, unknown_variables

SettingsT = TypeVar("SettingsT", bound=RuntimeSettings)

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 5

_BROKER_WAIT_S: Final = 30.0
_ALIVE_WITHIN_S: Final = 1.0

log = structlog.get_logger()


@dataclass
class Context(Generic[SettingsT]):
    """What a service is made from."""

    settings: SettingsT
    nc: Client
    health: Health
    registry: CollectorRegistry
    user: str
    version: str
    failed: asyncio.Future[None]
    started: bool = False
    stopping: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run work that never ends by itself; when it fails, the process ends too, to be started afresh."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.failed.done():
            return
        self.failed.set_exception(task.exception() or RuntimeError(f"{task.get_name()} ended by itself"))

    async def cancel_tasks(self) -> None:
        """End what was spawned."""
        await cancel(self._tasks)
        self._tasks.clear()

    async def not_answering(self) -> str | None:
        """A check for `/readyz`: requests are answered from when the replica has caught up until the end."""
        if self.stopping:
            return "about to end"
        return None if self.started else "not answering requests yet"

    def watch_replica(self, replica: Replica) -> None:
        """Show the replica in `/readyz` and `/metrics`."""
        self.health.add_check("replica", replica.not_ready)
        position = Gauge(
            "casetrail_replica_position", "Position of the log up to which the replica holds everything",
            registry=self.registry,
        )  # fmt: skip
        pending = Gauge(
            "casetrail_replica_pending", "Events that the replica knows of and does not hold yet",
            registry=self.registry,
        )  # fmt: skip
        position.set_function(lambda: replica.position)
        pending.set_function(lambda: -1 if replica.pending is None else replica.pending)


Compose = Callable[[Context[SettingsT]], AbstractAsyncContextManager[None]]


def serve(name: str, settings_class: type[SettingsT], compose: Compose[SettingsT]) -> int:
    """Run a service until SIGTERM or SIGINT; returns the exit code: 0, 1 a fault, 2 settings, 5 no broker."""
    try:
        settings = load(settings_class)
    except SettingsInvalid as invalid:
        sys.stderr.write(f"casetrail {name} cannot start:\n{invalid}\n")
        return EXIT_USAGE
    os.umask(0o077)  # a replica holds what people wrote
    logs.configure(settings.log_format, settings.log_level, name)
    for variable in unknown_variables(settings_class):
        log.warning("settings.unknown", variable=variable)
    _spare_the_garbage_collector()
    telemetry.configure(name, f"{socket.gethostname()}-{os.getpid()}")
    try:
        return uvloop.run(_run(name, settings, compose))
    except BrokerUnavailable as error:
        log.error("service.no_broker", reason=str(error))
        return EXIT_UNAVAILABLE
    except (ReplicaInUse, SettingsInvalid) as error:
        log.error("service.cannot_start", reason=str(error))
        return EXIT_USAGE
    finally:
        telemetry.shutdown(settings.shutdown_timeout_s)


def _spare_the_garbage_collector() -> None:
    """Look for reference cycles a hundred times less often: at the default that is a sixth of a busy service.

    Requests leave next to no cycles behind, and what is imported stays anyway.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _run(name: str, settings: SettingsT, compose: Compose[SettingsT]) -> int:
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    health = Health(registry)
    port = await health.start(settings.health_host, settings.health_port)
    try:
        async with _connected(name, settings, health) as nc:
            context = Context(
                settings=settings,
                nc=nc,
                health=health,
                registry=registry,
                user=settings.nats_inbox_user or name,
                version=version("casetrail"),
                failed=asyncio.get_running_loop().create_future(),
            )
            context.spawn(keep_alive(nc), name="keep-alive")
            health.add_check("requests", context.not_answering)
            return await _until_stopped(context, compose, stop, health_port=port)
    finally:
        await health.stop()


@contextlib.asynccontextmanager
async def _connected(name: str, settings: SettingsT, health: Health) -> AsyncIterator[Client]:
    nc = await connect(settings, user=name, wait_s=_BROKER_WAIT_S)

    async def broker() -> str | None:
        return None if await is_alive(nc, _ALIVE_WITHIN_S) else "the broker does not answer"

    health.add_check("broker", broker)
    try:
        yield nc
    finally:
        await nc.close()


async def _until_stopped(
    context: Context[SettingsT], compose: Compose[SettingsT], stop: asyncio.Event, *, health_port: int
) -> int:
    stopping = asyncio.create_task(stop.wait())
    running = asyncio.create_task(_compose(context, compose, stop, health_port=health_port))
    events: set[asyncio.Future[Any]] = {stopping, running, context.failed}
    await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
    if not context.failed.done():
        context.failed.cancel()
    elif (error := context.failed.exception()) is not None:
        log.critical("service.failed", exc_info=error)
        await cancel([running, stopping])
        return EXIT_FAILED
    stopping.cancel()
    if not stop.is_set():  # the composition itself failed
        await running
    if not context.started:  # it still waits for the log: there is nothing to finish
        running.cancel()
    try:
        async with asyncio.timeout(context.settings.shutdown_timeout_s + 1):
            await asyncio.gather(running, return_exceptions=not context.started)
    except TimeoutError:
        log.warning("service.stopped_late")
    await context.cancel_tasks()
    log.info("service.stopped")
    return EXIT_OK


async def _compose(
    context: Context[SettingsT], compose: Compose[SettingsT], stop: asyncio.Event, *, health_port: int
) -> None:
    async with compose(context):
        context.started = True
        log.info("service.ready", health_port=health_port)
        await stop.wait()
        context.stopping = True  # what is under way ends; whoever asks for health hears it
