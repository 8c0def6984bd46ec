"""Carrying out commands on aggregates: load, decide, append on the condition that nobody was faster.

What an aggregate is, is its service's business: this module knows that it has a revision, that it remembers
which commands it has seen, and that a decision is at most one fact.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog
from pydantic_core import from_json, to_json

from services.runtime.errors import Unavailable
from services.runtime.locks import KeyedLocks
from services.runtime.log import Append, Conflict, Log, LogUnavailable
from services.runtime.recorder import Aggregates, Document
from services.runtime.replica import Replica

MAX_TRIES: Final = 50
"""Decisions on one command before the caller is told to come back: each lost race costs one."""

MAX_UNANSWERED: Final = 3
"""Appends without an answer, or refused for want of space, before the caller is told so."""

_FIRST_WAIT_S: Final = 0.004
_LONGEST_WAIT_S: Final = 0.25

log = structlog.get_logger()


class Revised(Protocol):
    """What a command did: the revision that it made."""

    @property
    def revision(self) -> int: ...


class Aggregate(Protocol):
    """The state of an aggregate. `done` holds every command that ever had an effect on it, by its id."""

    @property
    def revision(self) -> int: ...

    @property
    def done(self) -> Mapping[Any, Revised]: ...


StateT = TypeVar("StateT", bound=Aggregate)
FactT = TypeVar("FactT")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[StateT]):
    """An aggregate's state and the position of its last event; position 0: there is no such aggregate."""

    state: StateT | None
    position: int


class Cache(Generic[StateT, FactT]):
    """States worked on lately. Any of them may be stale: an append on it conflicts, no more."""

    def __init__(
        self,
        *,
        size: int,
        read: Callable[[str, bytes], FactT],
        evolve: Callable[[StateT | None, FactT], StateT],
    ) -> None:
        """Args:
        read: today's fact out of a recorded event of any version, by its type tag; raises Unavailable.
        evolve: the state after one more fact.
        """
        self._size = size
        self.read = read
        self.evolve = evolve
        self._loaded: OrderedDict[str, Loaded[StateT]] = OrderedDict()

    def get(self, aggregate_id: str) -> Loaded[StateT] | None:
        loaded = self._loaded.get(aggregate_id)
        if loaded is not None:
            self._loaded.move_to_end(aggregate_id)
        return loaded

    def put(self, aggregate_id: str, loaded: Loaded[StateT]) -> None:
        self._loaded[aggregate_id] = loaded
        self._loaded.move_to_end(aggregate_id)
        if len(self._loaded) > self._size:
            self._loaded.popitem(last=False)

    def forget(self, aggregate_id: str) -> None:
        self._loaded.pop(aggregate_id, None)

    def take_in(self, documents: Sequence[Document]) -> None:
        """Evolve the states to which events were added, by whichever replica of the service."""
        for document in documents:
            loaded = self._loaded.get(document.subject)
            if loaded is None or loaded.state is None or document.position <= loaded.position:
                continue
            try:
                fact = self.read(document.type, document.payload)
            except Unavailable:  # of a later version: told to whoever asks for it, not to the replica
                fact = None
            if fact is not None and document.revision == loaded.state.revision + 1:
                self._loaded[document.subject] = Loaded(self.evolve(loaded.state, fact), document.position)
            else:
                del self._loaded[document.subject]


@dataclass(frozen=True, slots=True)
class Recording:
    """An event to be put on record, on which subject, and what to guard (see `log.Append`)."""

    subject: str
    event: dict[str, Any]
    guard: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a command did, now or when it was first carried out: an event, and where it stands in the log."""

    position: int
    event: dict[str, Any]


class AggregateCommands(Generic[StateT, FactT]):
    """The write side of a service. Within a process, commands on one aggregate run one after the other."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        cache: Cache[StateT, FactT],
        *,
        refusal: type[Exception],
        certain: tuple[type[Exception], ...],
    ) -> None:
        """Args:
        refusal: what a decision raises when a rule says no; the replica may lag, so it may only do so on
            the log as it is now.
        certain: refusals that a newer state could not turn into anything else.
        """
        self._log = log
        self._replica = replica
        self._cache = cache
        self._refusal = refusal
        self._certain = certain
        self._locks = KeyedLocks()
        self._aggregates: Aggregates[StateT, FactT] = Aggregates(replica.recorder, cache.read, cache.evolve)

    async def carry_out(
        self,
        aggregate_id: str,
        command_id: str,
        *,
        decide: Callable[[StateT | None], Sequence[FactT]],
        record: Callable[[FactT, StateT], Recording],
        probably_new: bool = False,
    ) -> Effect:
        """The command's effect. With the same command id again: the effect that it had, and no other.

        Args:
            decide: asked anew, with the state then, after each lost race; no fact: it was done before.
            record: the event of a fact, and of the state that it makes.
            probably_new: do not look for the aggregate; if it is there after all, the append says so.

        Raises:
            Unavailable: too many races were lost, or the log does not answer.
            Exception: what `decide` raises.
        """
        async with self._locks.holding(aggregate_id):
            loaded = self._cache.get(aggregate_id)
            if loaded is None and probably_new:
                loaded = Loaded(None, 0)
            fresh = False
            unanswered = 0
            for tried in range(MAX_TRIES):
                loaded = loaded or await self.loaded(aggregate_id)
                try:
                    facts = decide(loaded.state)
                except self._refusal as refusal:
                    if fresh or isinstance(refusal, self._certain):
                        raise
                    await self.catch_up()
                    fresh = True
                    self._cache.forget(aggregate_id)
                    loaded = None
                    continue
                if not facts:
                    return await self._effect_before(aggregate_id, loaded, command_id)
                try:
                    return await self._append(aggregate_id, loaded, facts[0], record)
                except Conflict as conflict:
                    self._cache.forget(aggregate_id)
                    if conflict.position is None:  # somebody else's append is on its way to the other servers
                        await _wait_a_moment(tried)
                    await self.catch_up(conflict.position)
                except LogUnavailable as unavailable:
                    # It may be in the log or not: the next decision, on the log as it is, will tell.
                    log.warning("commands.append_unanswered", reason=str(unavailable))
                    self._cache.forget(aggregate_id)
                    await _wait_a_moment(tried)
                    await self.catch_up()
                    fresh = False
                    unanswered += 1
                    if unanswered == MAX_UNANSWERED:
                        raise Unavailable from unavailable
                loaded = None
            raise Unavailable("busy")

    async def loaded(self, aggregate_id: str) -> Loaded[StateT]:
        """As `load`, but on a thread: a long history takes a while, and the others should not wait for it."""
        loaded = self._cache.get(aggregate_id)
        return loaded or self._keep(
            aggregate_id, await self._replica.on_thread(partial(self._read, aggregate_id))
        )

    def load(self, aggregate_id: str) -> Loaded[StateT]:
        """The aggregate as the replica has it."""
        return self._cache.get(aggregate_id) or self._keep(aggregate_id, self._read(aggregate_id))

    def _keep(self, aggregate_id: str, loaded: Loaded[StateT]) -> Loaded[StateT]:
        if loaded.state is not None:
            self._cache.put(aggregate_id, loaded)
        return loaded

    def _read(self, aggregate_id: str) -> Loaded[StateT]:
        state = self._aggregates.load(aggregate_id)
        if state is None:
            return Loaded(None, 0)
        position, _ = self._recorded(aggregate_id, state.revision)
        return Loaded(state, position)

    def effect_at(self, aggregate_id: str, revision: int) -> Effect:
        """The event that made this revision, which the replica must hold."""
        position, payload = self._recorded(aggregate_id, revision)
        return Effect(position, from_json(payload))

    async def catch_up(self, position: int | None = None) -> None:
        """Wait until the replica holds everything up to the position, or up to the log's present end.

        Raises:
            Unavailable: the log does not answer, or the replica does not get there in time.
        """
        if position is None:
            await self._replica.catch_up()
        else:
            await self._replica.wait_for(position)

    async def _append(
        self,
        aggregate_id: str,
        loaded: Loaded[StateT],
        fact: FactT,
        record: Callable[[FactT, StateT], Recording],
    ) -> Effect:
        state = self._cache.evolve(loaded.state, fact)
        recording = record(fact, state)
        position = await self._log.append(
            Append(
                subject=recording.subject,
                payload=to_json(recording.event),
                message_id=recording.event["id"],
                expected=loaded.position,
                guard=recording.guard,
            )
        )
        self._cache.put(aggregate_id, Loaded(state, position))
        return Effect(position, recording.event)

    async def _effect_before(self, aggregate_id: str, loaded: Loaded[StateT], command_id: str) -> Effect:
        if loaded.state is None:
            raise RuntimeError("a command was done on something that does not exist")
        await self._replica.wait_for(loaded.position)
        return self.effect_at(aggregate_id, loaded.state.done[command_id].revision)

    def _recorded(self, aggregate_id: str, revision: int) -> tuple[int, bytes]:
        with self._replica.reading() as cursor:
            cursor.execute(
                "SELECT rowid, state FROM stored_events WHERE originator_id = ? AND originator_version = ?",
                (aggregate_id, revision),
            )
            row = cursor.fetchone()
            return int(row["rowid"]), bytes(row["state"])


async def _wait_a_moment(tried: int) -> None:
    longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(tried, 10))
    await asyncio.sleep(random.uniform(longest_s / 2, longest_s))  # noqa: S311  # spreads load, guards nothing
