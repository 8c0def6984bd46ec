"""Requests over a real server: what callers are told, also when things go wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import nats.errors
import pytest
from nats.aio.client import Client
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ConfigDict
from structlog.testing import capture_logs

from contracts.errors import STATUS_HEADER, ErrorReply
from services.runtime import telemetry
from services.runtime.errors import Malformed, NotFound, Refused, Unavailable
from services.runtime.requests import MAX_ANSWER_BYTES, Endpoint, Metrics, RequestService
from tests.runtime.conftest import Eventually

SUBJECT: Final = "requests.kitchen.cook"
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"


class Dish(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    portions: int = 1


class Meal(BaseModel):
    name: str
    note: str | None = None


class KitchenIsClosed(Exception):
    code = "kitchen_is_closed"

    def __init__(self, **data: str | int) -> None:
        super().__init__(data)
        self.data = data


class OvenIsCold(KitchenIsClosed):
    code = "oven_is_cold"


Handler = Callable[[Dish], Awaitable[Meal]]


@dataclass
class Kitchen:
    """A service with one endpoint, whose handler the test chooses."""

    nc: Client
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    service: RequestService | None = None

    async def open(self, handler: Handler, *, max_concurrent: int = 100, timeout_s: float = 5) -> None:
        self.service = RequestService(
            self.nc,
            name="kitchen",
            version="1.2.3",
            description="Cooks",
            refusals={KitchenIsClosed: 409, OvenIsCold: 404},
            metrics=Metrics(self.registry),
            max_concurrent=max_concurrent,
            timeout_s=timeout_s,
        )
        await self.service.start([Endpoint(subject=SUBJECT, request=Dish, handler=handler)])

    async def close(self, timeout_s: float = 5) -> None:
        if self.service is not None:
            service, self.service = self.service, None
            await service.stop(timeout_s=timeout_s)

    async def ask(self, body: object, headers: dict[str, str] | None = None) -> tuple[str | None, Any]:
        """The status header, if any, and what the answer's JSON holds."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = await self.nc.request(SUBJECT, raw, timeout=5, headers=headers)
        return (reply.headers or {}).get(STATUS_HEADER), json.loads(reply.data)

    async def refused(self, body: object) -> ErrorReply:
        status, answer = await self.ask(body)
        reply = ErrorReply.model_validate(answer)
        assert status == str(reply.status)
        return reply

    def counted(self) -> dict[tuple[str, str], float]:
        """How many answers there were, by request and outcome."""
        return {
            (sample.labels["request"], sample.labels["outcome"]): sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "casetrail_request_answers_total"
        }


@pytest.fixture
async def kitchen(nc: Client) -> Any:
    kitchen = Kitchen(nc)
    yield kitchen
    if not nc.is_closed:
        await kitchen.close()


async def cook(dish: Dish) -> Meal:
    return Meal(name=f"{dish.portions} x {dish.name}")


def raising(error: Exception) -> Handler:
    async def handler(_dish: Dish) -> Meal:
        raise error

    return handler


async def test_a_request_is_answered_as_json_without_what_is_none(kitchen: Kitchen) -> None:
    await kitchen.open(cook)
    assert await kitchen.ask({"name": "żurek", "portions": 2}) == (None, {"name": "2 x żurek"})
    assert kitchen.counted() == {("cook", "ok"): 1}


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        ({"name": "żurek", "salt": 1}, ("salt", "extra_forbidden")),
        ({"name": 7}, ("name", "string_type")),
        ({"name": "x", "portions": "2"}, ("portions", "int_type")),
        ({}, ("name", "missing")),
        ([], ("", "model_type")),
        (b'{"name": ', ("", "json_invalid")),
        (b"", ("", "json_invalid")),
        (b'{"name": "\xff\xfe"}', ("", "json_invalid")),
        (b'{"name": "\\ud800"}', ("", "json_invalid")),
        (b"\x00", ("", "json_invalid")),
    ],
)
async def test_a_request_that_does_not_parse_is_told_which_field_breaks_which_rule(
    kitchen: Kitchen, body: object, broken: tuple[str, str]
) -> None:
    await kitchen.open(cook)
    reply = await kitchen.refused(body)
    assert (reply.kind, reply.status, reply.code) == ("malformed", 400, "malformed")
    assert [(error.field, error.rule) for error in reply.fields] == [broken]
    assert reply.fields[0].message
    assert kitchen.counted()["cook", "malformed"] == 1


async def test_a_request_with_thousands_of_faults_gets_an_answer_that_fits_into_a_message(
    kitchen: Kitchen,
) -> None:
    await kitchen.open(cook)
    reply = await kitchen.refused({"name": "x", **{f"unknown{n}": n for n in range(40_000)}})
    assert reply.kind == "malformed"
    assert 1 <= len(reply.fields) <= 100
    reply = await kitchen.refused({"name": "x", "unknown" * 100_000: 1})
    assert [error.rule for error in reply.fields] == ["extra_forbidden"]


@pytest.mark.parametrize(
    ("error", "kind", "status", "code", "data"),
    [
        (Refused("too_spicy", {"limit": 3}), "refused", 409, "too_spicy", {"limit": 3}),
        (NotFound("no_such_dish", {"name": "x"}), "refused", 404, "no_such_dish", {"name": "x"}),
        (KitchenIsClosed(until="Monday"), "refused", 409, "kitchen_is_closed", {"until": "Monday"}),
        (OvenIsCold(), "refused", 404, "oven_is_cold", {}),
        (Malformed("name", "too_odd", {"odd": 1}), "malformed", 400, "malformed", {}),
        (
            Unavailable("replica_behind", {"position": 1}),
            "unavailable",
            503,
            "replica_behind",
            {"position": 1},
        ),
        (TimeoutError(), "unavailable", 503, "unavailable", {}),
        (nats.errors.NoRespondersError(), "unavailable", 503, "unavailable", {}),
        (RuntimeError("the secret recipe"), "internal", 500, "internal", {}),
        (KeyError("the secret recipe"), "internal", 500, "internal", {}),
    ],
)
async def test_each_error_has_its_answer(
    kitchen: Kitchen, error: Exception, kind: str, status: int, code: str, data: dict[str, Any]
) -> None:
    await kitchen.open(raising(error))
    with capture_logs() as logs:
        reply = await kitchen.refused({"name": "x"})
    assert (reply.kind, reply.status, reply.code, reply.data) == (kind, status, code, data)
    assert kitchen.counted() == {("cook", "ok"): 0, ("cook", code): 1}
    assert "secret" not in reply.model_dump_json()
    faults = [line for line in logs if line["event"] == "request.failed"]
    assert bool(faults) is (kind == "internal")
    assert all(line["exc_info"] is error for line in faults)


async def test_a_fault_of_ours_that_pydantic_finds_is_not_blamed_on_the_caller(kitchen: Kitchen) -> None:
    async def handler(_dish: Dish) -> Meal:
        return Meal.model_validate({"the secret recipe": 1})

    await kitchen.open(handler)
    reply = await kitchen.refused({"name": "x"})
    assert (reply.kind, reply.status, reply.fields) == ("internal", 500, ())


async def test_an_answer_that_no_message_can_hold_is_a_fault_of_ours_and_not_silence(
    kitchen: Kitchen,
) -> None:
    async def handler(dish: Dish) -> Meal:
        return Meal(name="x" * dish.portions)

    await kitchen.open(handler)
    fits = MAX_ANSWER_BYTES - len(b'{"name":""}')
    status, _ = await kitchen.ask({"name": "x", "portions": fits})
    assert status is None
    for portions in (fits + 1, 2**21):
        reply = await kitchen.refused({"name": "x", "portions": portions})
        assert (reply.kind, reply.status) == ("internal", 500)


async def test_more_requests_than_may_run_are_told_at_once_that_the_service_is_busy(kitchen: Kitchen) -> None:
    go_on = asyncio.Event()

    async def handler(dish: Dish) -> Meal:
        await go_on.wait()
        return Meal(name=dish.name)

    await kitchen.open(handler, max_concurrent=3)
    asking = [asyncio.create_task(kitchen.ask({"name": str(n)})) for n in range(8)]
    done, waiting = await asyncio.wait(asking, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 5:
        more, waiting = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    replies = [ErrorReply.model_validate((await task)[1]) for task in done]
    assert {(reply.kind, reply.status, reply.code) for reply in replies} == {("unavailable", 503, "busy")}
    go_on.set()
    assert len([await task for task in waiting]) == 3
    assert (await kitchen.ask({"name": "later"}))[0] is None


async def test_a_handler_that_takes_too_long_is_ended_and_the_caller_told_to_try_again(
    kitchen: Kitchen,
) -> None:
    ended = asyncio.Event()

    async def handler(_dish: Dish) -> Meal:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    await kitchen.open(handler, timeout_s=0.1)
    reply = await kitchen.refused({"name": "x"})
    assert (reply.kind, reply.status, reply.code) == ("unavailable", 503, "unavailable")
    assert ended.is_set()


async def test_a_trace_goes_on_through_the_handler(kitchen: Kitchen) -> None:
    seen: list[str | None] = []

    async def handler(dish: Dish) -> Meal:
        seen.append(telemetry.current_traceparent())
        return Meal(name=dish.name)

    await kitchen.open(handler)
    await kitchen.ask({"name": "x"}, {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    await kitchen.ask({"name": "x"}, {"traceparent": "nonsense"})
    await kitchen.ask({"name": "x"})
    assert seen[0] is not None
    assert seen[0].startswith(f"00-{TRACE}-")
    assert seen[0].endswith("-01")
    assert "00f067aa0ba902b7" not in seen[0]
    assert len({value[3:35] for value in seen if value}) == 3


async def test_metrics_are_labelled_by_nothing_that_a_caller_can_choose(kitchen: Kitchen) -> None:
    await kitchen.open(cook)
    for n in range(50):
        await kitchen.ask({"name": f"dish {n}", f"field {n}": n} if n % 2 else {"name": f"dish {n}"})
    labels = {
        (metric.name, key, value)
        for metric in kitchen.registry.collect()
        for sample in metric.samples
        for key, value in sample.labels.items()
        if key != "le"
    }
    assert labels == {
        ("casetrail_request_seconds", "request", "cook"),
        ("casetrail_request_answers", "request", "cook"),
        ("casetrail_request_answers", "outcome", "ok"),
        ("casetrail_request_answers", "outcome", "malformed"),
    }
    assert kitchen.registry.get_sample_value("casetrail_request_seconds_count", {"request": "cook"}) == 50


async def test_the_service_can_be_discovered(kitchen: Kitchen) -> None:
    await kitchen.open(cook)
    await kitchen.ask({"name": "x"})
    ping = json.loads((await kitchen.nc.request("$SRV.PING.kitchen", b"", timeout=5)).data)
    assert (ping["type"], ping["name"], ping["version"]) == (
        "io.nats.micro.v1.ping_response",
        "kitchen",
        "1.2.3",
    )
    about = json.loads((await kitchen.nc.request(f"$SRV.INFO.kitchen.{ping['id']}", b"", timeout=5)).data)
    (endpoint,) = about["endpoints"]
    assert about["description"] == "Cooks"
    assert (endpoint["name"], endpoint["subject"], endpoint["queue_group"]) == ("cook", SUBJECT, "kitchen")
    stats = json.loads((await kitchen.nc.request("$SRV.STATS.kitchen", b"", timeout=5)).data)
    assert stats["endpoints"][0]["num_requests"] == 1


async def test_stopping_takes_no_more_requests_and_finishes_those_that_run(
    kitchen: Kitchen, eventually: Eventually
) -> None:
    go_on, begun = asyncio.Event(), 0

    async def handler(dish: Dish) -> Meal:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return Meal(name=dish.name)

    await kitchen.open(handler)
    asking = [asyncio.create_task(kitchen.ask({"name": str(n)})) for n in range(5)]
    await eventually(lambda: begun == 5, "the requests run")
    stopping = asyncio.create_task(kitchen.close())
    status: str | None = "503"
    while status is not None:  # until the server has taken note, each is answered
        status = await told(kitchen)
    assert not stopping.done()
    go_on.set()
    await stopping
    assert sorted([(await task)[1]["name"] for task in asking]) == ["0", "1", "2", "3", "4"]


async def told(kitchen: Kitchen) -> str | None:
    """The status of the answer to a bad request; None: nobody answers such requests any more."""
    try:
        return (await kitchen.ask(b"too late"))[0]
    except nats.errors.NoRespondersError:
        return None


async def test_stopping_gives_up_on_what_does_not_end(kitchen: Kitchen, eventually: Eventually) -> None:
    begun = asyncio.Event()

    async def handler(_dish: Dish) -> Meal:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    await kitchen.open(handler, timeout_s=0.5)
    asking = asyncio.create_task(kitchen.ask({"name": "x"}))
    await begun.wait()
    with capture_logs() as logs:
        await kitchen.close(timeout_s=0.05)
    assert [line["count"] for line in logs if line["event"] == "requests.unfinished"] == [1]
    assert (await asking)[0] == "503"


async def test_no_request_that_arrived_before_the_stop_is_left_without_an_answer(kitchen: Kitchen) -> None:
    """Those that still wait in the client's own queue are answered, or told that nobody is there."""
    await kitchen.open(cook)
    asking = [asyncio.create_task(kitchen.ask({"name": str(n)})) for n in range(300)]
    await asyncio.sleep(0)
    await kitchen.close()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    silent = [outcome for outcome in outcomes if isinstance(outcome, nats.errors.TimeoutError)]
    assert silent == []


async def test_a_request_that_nobody_waits_for_is_no_fault(kitchen: Kitchen, eventually: Eventually) -> None:
    cooked = []

    async def handler(dish: Dish) -> Meal:
        cooked.append(dish.name)
        return Meal(name=dish.name)

    await kitchen.open(handler)
    with capture_logs() as logs:
        await kitchen.nc.publish(SUBJECT, b'{"name": "x"}')
        await kitchen.nc.publish(SUBJECT, b'{"name": 7}')
        await eventually(lambda: sum(kitchen.counted().values()) == 2, "both are done with")
    assert cooked == ["x"]
    assert not [line for line in logs if line["event"] == "request.failed"]
