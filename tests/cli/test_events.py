"""`casetrail events` on a real system: every event once, from where one likes, while somebody reads."""

from __future__ import annotations

import asyncio
import json
import select
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from nats.aio.client import Client

from contracts.subjects import ticket_events
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams
from tests.cli.conftest import JAN, OLA, PROGRAM, WITHIN_S, Casetrail, System

NUMBER = "4830291741"


@pytest.fixture
def life(system: System, account: str) -> list[dict[str, Any]]:
    """The four events of a ticket of `account`, as the ticket shows them."""
    number = system.open(account=account)["number"]
    by = ("--as", OLA, "--account", account)
    system.casetrail("ticket", "reply", number, "--text", "Sprawdzamy", *by)
    system.casetrail("ticket", "close", number, "--reason", "solved", *by)
    system.casetrail("ticket", "reopen", number, "--reason", "Jednak nie", *by)
    system.has_heard(number, 4)
    events: list[dict[str, Any]] = system.casetrail("ticket", "show", number, "--json").object["events"]
    assert len(events) == 4
    return events


class Following:
    """A command whose lines are read as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def next(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> tuple[int, str, str]:
        """Ctrl-C; the exit code, and what was not read yet."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
def follow(casetrail: Casetrail) -> Iterator[Any]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> Following:
        started.append(casetrail.start("events", *options))
        return Following(started[-1])

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_line_is_the_event_as_it_stands_in_the_log(
    casetrail: Casetrail, life: list[dict[str, Any]], account: str
) -> None:
    done = casetrail.process("events", "--from-start", "--account", account)
    assert (done.code, done.err) == (0, "")
    assert done.lines == life


def test_filters_and_beginnings(casetrail: Casetrail, life: list[dict[str, Any]], account: str) -> None:
    number, second = life[0]["event"]["subject"], life[1]

    def events(*options: str) -> list[Any]:
        return casetrail.process("events", "--account", account, *options).lines

    assert events("--from-start", "--ticket", f"{number[:3]}-{number[3:6]} {number[6:]}") == life
    assert events("--from-start", "--kind", "closed", "--kind", "opened") == [life[0], life[2]]
    assert events("--position", str(second["position"])) == life[2:]
    assert events("--since", "1h") == life
    assert events("--since", life[3]["event"]["time"]) == life[3:]
    assert events("--since", "2999-01-01T00:00:00Z") == []


@pytest.mark.parametrize(("language", "told"), [("en", "beyond the end of the log"), ("pl", "poza koniec")])
def test_a_position_beyond_the_end_of_the_log_is_wrong_usage(
    casetrail: Casetrail, life: list[dict[str, Any]], language: str, told: str
) -> None:
    there = casetrail.having(CASETRAIL_LANG=language)
    for options in ((), ("--follow",)):
        done = there.process("events", "--position", "999999", *options)
        assert (done.code, done.out) == (2, "")
        assert told in done.err
    error = there.process("events", "--position", "999999", "--json").error
    assert [(field["field"], field["rule"]) for field in error["fields"]] == [
        ("--position", "beyond_the_end")
    ]
    assert error["fields"][0]["data"]["last"] >= life[-1]["position"]


def test_a_time_without_a_zone_is_said_to_be_local(casetrail: Casetrail, account: str) -> None:
    warsaw = casetrail.having(TZ="Europe/Warsaw")
    done = warsaw.process("events", "--since", "2026-07-01", "--account", account)
    assert done.err == "--since is read as 2026-07-01 00:00:00 CEST (+0200)\n"
    assert warsaw.process("events", "--since", "2026-07-01T00:00Z", "--account", account).err == ""


def test_without_a_beginning_it_tells_what_happens_from_now_on(
    system: System, follow: Any, life: list[dict[str, Any]], account: str
) -> None:
    number = life[0]["event"]["subject"]
    following = follow("--account", account)
    first = None
    while first is None:  # it does not say when it has begun, so there may be some that it was too late for
        reply = system.casetrail("ticket", "reply", number, "--text", "Halo", "--as", JAN, "--json").object
        first = following.next() if _has_said_something(following) else None
    assert first["position"] > life[-1]["position"]
    assert first["event"]["revision"] <= reply["revision"]
    code, _, err = following.end()
    assert (code, err) == (130, "")


def _has_said_something(following: Following) -> bool:
    assert following.process.stdout is not None
    return bool(select.select([following.process.stdout], [], [], 0.5)[0])


def test_it_goes_on_over_restarts_of_the_broker_without_a_gap_or_a_repeat(
    system: System, follow: Any, account: str
) -> None:
    number = system.open(account=account)["number"]
    following = follow("--from-start", "--follow", "--account", account)
    seen = [following.next()]
    for revision in range(2, 8):
        if revision % 3 == 0:
            system.kill_broker()
        replied = system.casetrail("ticket", "reply", number, "--text", "Halo", "--as", JAN, "--json")
        assert replied.code == 0, replied.err
        if revision % 2 == 0:  # now and then there is something to catch up with
            seen += [following.next(), *([following.next()] if revision > 2 else [])]
    assert following.next()["event"]["revision"] == 7
    assert [line["event"]["revision"] for line in seen] == [1, 2, 3, 4, 5, 6]
    assert following.end() == (130, "", "")


def test_it_ends_quietly_when_nobody_reads_any_more(
    casetrail: Casetrail, life: list[dict[str, Any]], account: str
) -> None:
    for options in ("--from-start", "--from-start --follow"):  # while following: with nothing more to write
        command = (
            f"{' '.join(PROGRAM)} events {options} --account {account} | head -1; echo ${{PIPESTATUS[0]}}"
        )
        done = subprocess.run(
            ["bash", "-c", command],
            env=casetrail.env,
            cwd=casetrail.cwd,
            capture_output=True,
            timeout=WITHIN_S,
            check=False,
        )
        line, code = done.stdout.splitlines()
        assert json.loads(line) == life[0]
        assert (code, done.stderr) == (b"0", b"")


async def test_a_gap_is_a_fault_and_what_is_no_event_is_skipped_aloud(
    nats_server: NatsServer, nats_client: Client, nowhere: Casetrail
) -> None:
    await ensure_streams(nats_client, replicas=1)
    for payload in (_event(1), b"no event", _event(3)):
        await nats_client.jetstream().publish(ticket_events("acme", NUMBER), payload)
    there = nowhere.having(CASETRAIL_NATS_URL=nats_server.url)
    done = await asyncio.to_thread(there.process, "events", "--from-start")
    assert [line["position"] for line in done.lines] == [1]
    skipped, gap = done.err.splitlines()
    assert skipped == "Position 2 is skipped: what stands there is not an event."
    assert "before position 3: ticket 483-029-1741 has revision 3 there, expected was 2" in gap
    assert done.code == 1


async def test_a_service_that_does_not_answer_is_unavailable(
    nats_server: NatsServer, nowhere: Casetrail
) -> None:
    there = nowhere.having(CASETRAIL_NATS_URL=nats_server.url, CASETRAIL_LANG="pl")
    done = await asyncio.to_thread(
        there.process, "ticket", "close", NUMBER, "--reason", "solved", "--as", JAN, "--command-id", "c-7"
    )
    assert (done.code, done.out) == (5, "")
    assert "Jeśli nie działa, uruchomi ją `casetrail up`." in done.err
    assert done.err.endswith("--command-id c-7\n")


def _event(revision: int) -> bytes:
    event = {"subject": NUMBER, "revision": revision, "type": "casetrail.ticket.replied.v1"}
    return json.dumps(event, indent=1).encode()
