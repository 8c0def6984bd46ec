"""Following a JetStream stream: every message once, in order, without gaps, for as long as one likes.

This is what the services' replicas and other systems' subscriptions stand on. It is an ordered push
consumer (NATS ADR-17) with a name and its filter in the request subject, so that permissions can be
narrowed to one account's events. A consumer that is lost (broker restart, partition, slow reader) is
made again right after the last message that was handed over; whoever iterates never notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from contracts.envelope import format_time

MAX_BUFFERED: Final = 8192
"""Messages that may wait to be taken; past that the server is told to pause (flow control)."""

_HEARTBEAT_S: Final = 1.0
_LOST_AFTER_S: Final = 2.5
_RETRY_S: Final = 0.25
_API_TIMEOUT_S: Final = 5.0
_ERR_NAME_IN_USE: Final = frozenset({10013, 10105, 10148})
_ERR_CONSUMER_NOT_FOUND: Final = 10014
_ERR_STREAM_NOT_FOUND: Final = 10059


class FollowError(Exception):
    """The stream cannot be followed: it does not exist, may not be read, or nobody answers."""


class Message(NamedTuple):
    """A message of the stream. `position` is its sequence."""

    position: int
    subject: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that arrived since the last batch, in order; possibly none.

    `pending` is how many more the stream held for this consumer when the last of them was sent: with 0, all
    there was has arrived.
    """

    messages: Sequence[Message]
    pending: int


class _Lost(Exception):
    """The consumer must be made again."""


class _Consumer:
    """One life of the ordered consumer, from its creation until it is lost."""

    def __init__(self, nc: Client, stream: str, name: str, filter_subject: str) -> None:
        self._nc = nc
        self._stream = stream
        self._name = name
        self._filter = filter_subject
        self._expected = 1
        self._messages: list[Message] = []
        self._flow_control: list[str] = []
        self._arrived = asyncio.Event()
        self._broken: str | None = None
        self._heard_at = 0.0
        self._reconnects = nc.stats["reconnects"]
        self.pending = 0

    async def _api(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = await self._nc.request(f"$JS.API.CONSUMER.{verb}", json.dumps(body).encode(), _API_TIMEOUT_S)
        answer: dict[str, Any] = json.loads(reply.data)
        return answer

    async def start(self, starting_at: dict[str, Any], *, replace: bool) -> bool:
        """Make the consumer. False: another consumer has this name.

        Raises:
            FollowError: the stream does not exist, or the server refuses the consumer.
        """
        if replace:
            answer = await self._api(f"DELETE.{self._stream}.{self._name}", {})
            if "error" in answer and answer["error"].get("err_code") != _ERR_CONSUMER_NOT_FOUND:
                raise FollowError(answer["error"].get("description", "cannot replace the consumer"))
        inbox = self._nc.new_inbox()
        self._subscription = await self._nc.subscribe(
            inbox, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        config = {
            "name": self._name,
            "deliver_subject": inbox,
            "filter_subject": self._filter,
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "flow_control": True,
            "idle_heartbeat": int(_HEARTBEAT_S * 1e9),
            "inactive_threshold": int(5e9),
            "replay_policy": "instant",
            **starting_at,
        }
        body = {"stream_name": self._stream, "config": config, "action": "create"}
        answer = await self._api(f"CREATE.{self._stream}.{self._name}.{self._filter}", body)
        if "error" in answer:
            await self.stop()
            error = answer["error"]
            if error.get("err_code") in _ERR_NAME_IN_USE:
                return False
            raise FollowError(f"{self._stream}: {error.get('description', error)}")
        self.pending = int(answer.get("num_pending", 0))
        self._heard_at = asyncio.get_running_loop().time()
        return True

    async def stop(self) -> None:
        with contextlib.suppress(nats.errors.Error):
            await self._subscription.unsubscribe()

    async def delete(self) -> None:
        """Give the name back at once; without it the server does so some seconds later."""
        await self.stop()
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await self._api(f"DELETE.{self._stream}.{self._name}", {})

    async def _on_message(self, msg: Msg) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        reply = msg.reply
        if not reply.startswith("$JS.ACK."):
            await self._on_status(msg)
            return
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>; with a
        # domain there are two tokens more before the stream, and possibly more after (ADR-15).
        tokens = reply.split(".")
        first = 2 if len(tokens) == 9 else 4
        if int(tokens[first + 4]) != self._expected:
            self._broken = "a message is missing"
        if self._broken is None:
            self._expected += 1
            self.pending = int(tokens[first + 6])
            self._messages.append(Message(int(tokens[first + 3]), msg.subject, msg.data))
        self._arrived.set()

    async def _on_status(self, msg: Msg) -> None:
        headers = msg.headers or {}
        if headers.get("Status") != "100":
            self._broken = headers.get("Description") or "the consumer was ended by the server"
            self._arrived.set()
            return
        stalled = headers.get("Nats-Consumer-Stalled") or msg.reply
        if stalled:
            self._flow_control.append(stalled)
            if len(self._messages) < MAX_BUFFERED:
                await self._release()
        elif headers.get("Nats-Last-Consumer", str(self._expected - 1)) != str(self._expected - 1):
            self._broken = "a message is missing"
            self._arrived.set()

    async def _release(self) -> None:
        answers, self._flow_control = self._flow_control, []
        for subject in answers:
            await self._nc.publish(subject)

    async def take(self, *, wait_s: float) -> Batch:
        """What has arrived; waits up to `wait_s` seconds for the first message.

        Raises:
            _Lost: something is missing, or nothing was heard for too long.
        """
        if self._nc.stats["reconnects"] != self._reconnects:
            self._broken = "reconnected"
        if not self._messages and self._broken is None:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait_s)
        messages, self._messages = self._messages, []
        if messages:
            if self._flow_control:
                await self._release()
            return Batch(messages, self.pending)
        if self._broken is not None:
            raise _Lost(self._broken)
        if asyncio.get_running_loop().time() - self._heard_at > _LOST_AFTER_S:
            raise _Lost("no heartbeat")
        return Batch((), self.pending)


class Follower:
    """Follows a stream from a position or a time, over as many broker restarts as there may be."""

    def __init__(
        self,
        nc: Client,
        stream: str,
        filter_subject: str,
        *,
        names: Sequence[str],
        after: int = 0,
        since: datetime | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> None:
        """Args:
        names: names that the consumer may have; the first free one is taken.
        after: the position after which to begin.
        since: begin with the first message stored at or after this time, instead of `after`.
        on_lost: told why, each time the consumer must be made again.
        """
        self._nc = nc
        self._stream = stream
        self._filter = filter_subject
        self._names = names
        self._since = since
        self._on_lost = on_lost
        self.position = after
        """The last position that was handed over."""

    def _starting_at(self) -> dict[str, Any]:
        if self._since is not None and self.position == 0:
            return {"deliver_policy": "by_start_time", "opt_start_time": format_time(self._since)}
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": self.position + 1}

    async def _make(self, name: str | None) -> tuple[_Consumer, str]:
        for candidate in [name] if name is not None else self._names:
            consumer = _Consumer(self._nc, self._stream, candidate, self._filter)
            if await consumer.start(self._starting_at(), replace=name is not None):
                return consumer, candidate
        raise FollowError(f"{self._stream}: all {len(self._names)} consumer names of this user are in use")

    async def batches(self, *, wait_s: float = 0.5) -> AsyncIterator[Batch]:
        """Batches in order, an empty one whenever nothing came for `wait_s` seconds.

        Raises:
            FollowError: at the first attempt; later ones are repeated until they succeed.
        """
        try:
            consumer, name = await self._make(None)
        except (nats.errors.Error, TimeoutError) as error:
            raise FollowError(f"{self._stream}: no answer, or no permission to follow it") from error
        batch = Batch((), consumer.pending)
        try:
            while True:
                if batch.messages:
                    self.position = batch.messages[-1].position
                yield batch
                try:
                    batch = await consumer.take(wait_s=wait_s)
                except _Lost as lost:
                    if self._on_lost is not None:
                        self._on_lost(str(lost))
                    await consumer.stop()
                    consumer = await self._make_again(name)
                    batch = Batch((), consumer.pending)
        finally:
            if self._nc.is_connected:
                await asyncio.shield(consumer.delete())

    async def _make_again(self, name: str) -> _Consumer:
        while True:
            try:
                consumer, _ = await self._make(name)
            except (nats.errors.Error, TimeoutError, FollowError):
                await asyncio.sleep(_RETRY_S)
            else:
                return consumer
