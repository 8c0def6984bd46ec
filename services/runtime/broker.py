"""FastStream's broker on a connection of ours, fetching as a service that runs for months needs it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from faststream.nats import NatsBroker, NatsMessage
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig
from nats.js.errors import ServiceUnavailableError

_QUICK_S: Final = 0.2
_PAUSE_S: Final = 0.5
_NO_ANSWER_S: Final = 30.0

log = structlog.get_logger()


class Broker(NatsBroker):
    """FastStream on a connection that somebody else made and closes."""

    _borrowed: Client | None = None

    def use(self, nc: Client) -> None:
        self._borrowed = nc

    @property
    def jetstream(self) -> JetStreamContext:
        return self.config.broker_config.connection_state.stream

    async def _connect(self) -> Client:
        nc = self._borrowed
        if nc is None:
            raise RuntimeError("use() comes before start()")
        self.config.broker_config.connect(nc)
        self.config.broker_config.connection_state.connect(nc, _JetStream(nc))
        return nc

    async def stop(self, *_exception: Any) -> None:
        self._connection = None  # FastStream would drain, and so close, a connection that is not its own
        await super().stop()


class _JetStream(JetStreamContext):
    """Pull subscriptions as a service that runs for months needs them."""

    async def pull_subscribe(  # type: ignore[override]  # FastStream's call, and nothing else, comes here
        self, subject: str, *, durable: str, stream: str, config: ConsumerConfig, **_options: Any
    ) -> _PatientPull:
        async def create() -> None:
            # nats-py looks first whether there is one, and then keeps its old configuration.
            await self._jsm.add_consumer(stream, config)

        await _patiently(create)
        # Without FastStream's inbox prefix: the user has permission for that of the connection alone.
        pull = await self.pull_subscribe_bind(durable=durable, stream=stream)
        return _PatientPull(pull, create)


async def _patiently(create: Callable[[], Awaitable[None]]) -> None:
    """A cluster that chooses a leader does not answer for some seconds: no reason to end the process.

    Raises what `create` raises: at once, if the server has an answer; after `_NO_ANSWER_S`, if it has none.
    """
    deadline = time.monotonic() + _NO_ANSWER_S
    while True:
        try:
            return await create()
        except (TimeoutError, ServiceUnavailableError) as error:
            if time.monotonic() > deadline:
                raise
            log.warning("events.consumer_unavailable", reason=str(error) or type(error).__name__)
            await asyncio.sleep(_PAUSE_S)


class _PatientPull:
    """Fetches for ever. FastStream's own loop knows three errors and no pause between attempts:

    a closed connection makes it spin without ever yielding to the event loop, a full send buffer or a deleted
    consumer makes its supervisor restart it in a hot loop (stream_pull_subscriber.py, `_consume_pull`).
    """

    def __init__(
        self, pull: JetStreamContext.PullSubscription, create: Callable[[], Awaitable[None]]
    ) -> None:
        self._pull = pull
        self._create = create

    async def fetch(self, batch: int, timeout: float) -> list[Msg]:
        """The next messages, or none after `timeout` seconds or any trouble."""
        began = time.monotonic()
        try:
            return await self._pull.fetch(batch, timeout)
        except (errors.Error, TimeoutError) as error:
            if time.monotonic() - began < _QUICK_S:  # no answer would have come later
                await self._recover(error)
            return []

    async def unsubscribe(self) -> None:
        with contextlib.suppress(errors.Error):  # of a connection that is closed: nothing is left to undo
            await self._pull.unsubscribe()

    async def _recover(self, error: Exception) -> None:
        log.warning("events.fetch_failed", reason=str(error) or type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
        try:
            await self._create()  # the consumer may have been deleted, or lost with its only server
        except (errors.Error, TimeoutError) as failed:
            log.warning("events.consumer_unavailable", reason=str(failed) or type(failed).__name__)


async def keep(message: NatsMessage) -> NatsMessage:
    """Decodes nothing: a message stays as it came."""
    return message
