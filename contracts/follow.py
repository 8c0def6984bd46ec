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
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from contracts.envelope import format_time

MAX_BUFFERED: Final = 8192
"""Messages that may wait to be taken; past that the server is no longer told to go on (flow control), and
sends at most what its window still allows: 32 MiB."""

_HEARTBEAT_S: Final = 1.0
_LOST_AFTER_S: Final = 2.5
_RETRY_S: Final = 0.25
_API_TIMEOUT_S: Final = 5.0
_AGAIN_TIMEOUT_S: Final = 1.5
"""A request that a cluster gets while it elects a leader is lost: better sent again than waited for."""
_LAG_S: Final = 2.0
"""How long a server of a cluster is given to catch up with the log, before its end is believed."""
# The server counts nanoseconds in 64 bits, and takes times before 1677 or after 2262 for others.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2262, 1, 1, tzinfo=UTC)
_DELETE_WITHIN_S: Final = 1.0
_CLOSED: Final = "the connection was closed"
_ERR_NAME_IN_USE: Final = frozenset({10013, 10105, 10148})


class FollowError(Exception):
    """The stream cannot be followed: it does not exist, may not be read, or nobody answers."""


class BeyondTheEnd(FollowError):
    """The position after which to begin is past the last one of the stream: it is another stream's."""

    def __init__(self, stream: str, *, after: int, last: int) -> None:
        super().__init__(f"{stream}: position {after} is beyond the end of the log, which is at {last}")
        self.after = after
        self.last = last


class NoJetStream(FollowError):
    """Nobody answers JetStream requests of this domain, in the NATS account of this connection."""


class Message(NamedTuple):
    """A message of the stream. `position` is its sequence."""

    position: int
    subject: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that arrived since the last batch, in order; possibly none.

    `pending` is how many more the stream held for this consumer when the last of them was sent: with 0, all
    there was has arrived, unless that server of a cluster lags behind the others.
    """

    messages: Sequence[Message]
    pending: int


class _Lost(Exception):
    """The consumer must be made again."""


class _Consumer:
    """One life of the ordered consumer, from its creation until it is lost."""

    def __init__(
        self, nc: Client, api: str, stream: str, name: str, filter_subject: str, not_before_ns: int
    ) -> None:
        self._nc = nc
        self._api_prefix = api
        self._stream = stream
        self.name = name
        self._filter = filter_subject
        self._not_before_ns = not_before_ns
        self._subscription: Subscription | None = None
        self._expected = 1
        self._messages: list[Message] = []
        self._flow_control: list[str] = []
        self._arrived = asyncio.Event()
        self._broken: str | None = None
        self._heard_at = 0.0
        self._reconnects = nc.stats["reconnects"]
        self._pending = 0
        self.begins_after = 0
        """The position after which it begins, as the server says."""
        self.announced = 0
        """How many messages the stream held for it when it was made."""

    async def _api(self, verb: str, body: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        subject = f"{self._api_prefix}.CONSUMER.{verb}"
        reply = await self._nc.request(subject, json.dumps(body).encode(), timeout_s)
        answer: dict[str, Any] = json.loads(reply.data)
        return answer

    async def start(self, starting_at: dict[str, Any], timeout_s: float) -> bool:
        """Make the consumer. False: another consumer has this name.

        Raises:
            FollowError: the stream does not exist, or the server refuses the consumer.
        """
        try:
            answer = await self._create(starting_at, timeout_s)
        except BaseException:  # whatever it was, also a cancellation: nobody else knows the subscription
            await self.stop()
            raise
        if "error" in answer:
            await self.stop()
            error = answer["error"]
            if error.get("err_code") in _ERR_NAME_IN_USE:
                return False
            raise FollowError(f"{self._stream}: {error.get('description', error)}")
        self.begins_after = int(answer["delivered"]["stream_seq"])
        self.announced = int(answer.get("num_pending", 0))
        if self._expected == 1:  # else messages overtook this answer, and know better
            self._pending = self.announced
        self._heard_at = asyncio.get_running_loop().time()
        return True

    async def _create(self, starting_at: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        inbox = self._nc.new_inbox()
        # No limits here: flow control bounds what can wait, and a message dropped would be a gap.
        self._subscription = await self._nc.subscribe(
            inbox, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        config = {
            "name": self.name,
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
        return await self._api(f"CREATE.{self._stream}.{self.name}.{self._filter}", body, timeout_s)

    async def stop(self) -> None:
        """Listen no more. The server removes the consumer some seconds later."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def delete(self) -> None:
        """Give the name back at once."""
        await self.stop()
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await self._api(f"DELETE.{self._stream}.{self.name}", {}, _DELETE_WITHIN_S)

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
            self._pending = int(tokens[first + 6])
            if int(tokens[first + 5]) >= self._not_before_ns:
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
            FollowError: the connection was closed.
        """
        if self._nc.is_closed:
            raise FollowError(f"{self._stream}: {_CLOSED}")
        if self._nc.stats["reconnects"] != self._reconnects:
            self._broken = "reconnected"
        if not self._messages and self._broken is None:
            self._arrived.clear()
            # Not wait_for, which in Python 3.11 can swallow a cancellation that comes with the result.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
        messages, self._messages = self._messages, []
        if messages:
            if self._flow_control:
                await self._release()
            return Batch(messages, self._pending)
        if self._broken is not None:
            raise _Lost(self._broken)
        silent_s = asyncio.get_running_loop().time() - self._heard_at
        if silent_s > _LOST_AFTER_S:
            raise _Lost("no heartbeat")
        return Batch((), self._pending)


class Follower:
    """Follows a stream from a position or a time, over as many broker restarts as there may be."""

    def __init__(
        self,
        nc: Client,
        stream: str,
        filter_subject: str,
        *,
        names: Sequence[str],
        after: int | None = 0,
        since: datetime | None = None,
        domain: str | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> None:
        """Args:
        names: names that the consumer may have; the first free one is taken. A sole name is taken to be
            this follower's alone: when the consumer is lost, the next one is named after it (`name-2`), since
            the server of a cluster that would have to give the name back may be the one that is gone.
        after: the position after which to begin; None: after the last message that there is now.
        since: begin with the first message stored at or after this time, instead of `after`.
        domain: JetStream domain of the stream, if it is another NATS account's (`OUTSIDE_DOMAIN`).
        on_lost: told why, each time the consumer must be made again.
        """
        self._nc = nc
        self._stream = stream
        self._filter = filter_subject
        self._names = list(names)
        self._api = "$JS.API" if domain is None else f"$JS.{domain}.API"
        self._on_lost = on_lost
        self._lives = 1
        self._start = _start(after, since)
        # By a start time in the future the server begins with the next message, whenever that comes.
        self._not_before_ns = 0 if since is None else _nanoseconds(_within(since))
        self.position = after or 0
        """The last position that was handed over, or after which to begin."""

    async def batches(self, *, wait_s: float = 0.5) -> AsyncGenerator[Batch, None]:
        """Batches in order, an empty one at first and whenever nothing came for `wait_s` seconds.

        Close the generator (`contextlib.aclosing`) to give the consumer's name back at once.

        Raises:
            FollowError: the first attempt failed (later ones are repeated until they succeed), or the
                connection was closed.
            BeyondTheEnd: the log ends before the position after which to begin.
        """
        consumer = await self._make_first()
        batch = Batch((), consumer.announced)
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
                    consumer = await self._make_again(consumer.name)
                    batch = Batch((), consumer.announced)
        finally:
            if self._nc.is_connected:
                await asyncio.shield(consumer.delete())

    async def _make_first(self) -> _Consumer:
        try:
            consumer = await self._make_within_the_log()
        except nats.errors.NoRespondersError as error:
            raise NoJetStream(f"{self._stream}: nobody answers at {self._api}") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise FollowError(f"{self._stream}: no answer, or no permission to follow it") from error
        self.position = consumer.begins_after
        return consumer

    async def _make_within_the_log(self) -> _Consumer:
        """Raises BeyondTheEnd.

        The server takes any sequence to start at, and would leave out what comes until it is reached. Only a
        consumer of what is new tells where the log ends to those who may do nothing but follow it.
        """
        after = self.position
        if after == 0:
            return await self._make(self._names, self._start)
        deadline = asyncio.get_running_loop().time() + _LAG_S
        while True:
            at_the_end = await self._make(self._names, _start(None, None))
            last = at_the_end.begins_after
            if last == after:
                return at_the_end
            await at_the_end.delete()
            if last > after:
                return await self._make(self._names, self._start)
            if asyncio.get_running_loop().time() > deadline:
                raise BeyondTheEnd(self._stream, after=after, last=last)
            await asyncio.sleep(_RETRY_S)

    async def _make_again(self, name: str) -> _Consumer:
        while True:
            if self._nc.is_closed:
                raise FollowError(f"{self._stream}: {_CLOSED}")
            if self._nc.is_connected:  # else the requests would only pile up in the connection's buffer
                start = _start(self.position, None)
                with contextlib.suppress(nats.errors.Error, TimeoutError, FollowError):
                    return await self._make(self._names_after(name), start, timeout_s=_AGAIN_TIMEOUT_S)
            await asyncio.sleep(_RETRY_S)

    def _names_after(self, name: str) -> list[str]:
        if len(self._names) == 1:
            self._lives += 1
            return [f"{self._names[0]}-{self._lives}"]
        # Among shared names somebody else may have got ours meanwhile: deleting it would be answered in kind.
        return sorted(self._names, key=lambda candidate: candidate != name)

    async def _make(
        self, names: Sequence[str], start: dict[str, Any], *, timeout_s: float = _API_TIMEOUT_S
    ) -> _Consumer:
        for name in names:
            consumer = _Consumer(self._nc, self._api, self._stream, name, self._filter, self._not_before_ns)
            if await consumer.start(start, timeout_s):
                return consumer
        raise FollowError(f"{self._stream}: all {len(names)} consumer names of this user are in use")


def _start(after: int | None, since: datetime | None) -> dict[str, Any]:
    if since is not None:
        return {"deliver_policy": "by_start_time", "opt_start_time": format_time(_within(since))}
    if after is None:
        return {"deliver_policy": "new"}
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}


def _within(since: datetime) -> datetime:
    return min(max(since, _EARLIEST), _LATEST)


def _nanoseconds(at: datetime) -> int:
    return (at - _EARLIEST) // timedelta(microseconds=1) * 1000
