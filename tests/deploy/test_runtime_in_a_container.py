"""What the runtime does with a NATS server, tried once more with the image that compose and chart name.

The tests are those of tests/runtime, by import; only the server is another: a container, killed and frozen
by the engine.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from services.embedded.ports import ReservedPort
from tests.deploy.rendered import composed
from tests.runtime.conftest import NatsServer, eventually, nc, runtime_settings
from tests.runtime.test_log import (  # noqa: F401 - collected here, with the fixtures of this file
    log,
    test_a_dead_server_makes_the_log_unavailable_and_a_restarted_one_goes_on_counting,
    test_a_frozen_server_makes_the_log_unavailable_and_what_was_sent_counts_once,
    test_a_guard_makes_a_number_unique_over_accounts,
    test_a_loser_in_a_batch_fails_alone,
    test_an_append_on_a_position_that_is_past_conflicts_and_is_told_where_the_subject_stands,
    test_appends_one_after_the_other_stand_at_positions_without_gaps,
    test_many_that_wait_at_once_share_a_batch_and_each_learns_its_own_position,
    test_of_two_connections_that_append_at_once_exactly_one_wins_each_position,
)
from tests.runtime.test_replica import (  # noqa: F401
    directory,
    test_a_frozen_server_costs_neither_loss_nor_repeat,
    test_a_killed_server_costs_neither_loss_nor_repeat,
    test_a_replica_built_anew_is_equal,
    test_it_goes_on_from_its_file_and_reads_nothing_twice,
    test_it_holds_what_was_there_before_and_what_comes_after,
    writer,
)
from tests.runtime.test_streams import (  # noqa: F401
    test_differences_are_told_and_left_alone,
    test_missing_streams_are_made_as_they_should_be_and_found_so_again,
    test_nothing_can_be_taken_out_of_the_log,
)

__all__ = ["eventually", "nc", "runtime_settings"]

pytestmark = pytest.mark.docker


class ContainerServer(NatsServer):
    """As `NatsServer`, in a container. It keeps its port and its data when it is started again."""

    def __init__(self, kept_in: Path) -> None:
        super().__init__(kept_in, {})
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        (kept_in / "nats.json").write_text(
            json.dumps({"jetstream": {"store_dir": "/data/jetstream", "sync_interval": "always"}})
        )
        self._container = (
            DockerContainer(composed()["x-nats-image"], user=f"{os.getuid()}:{os.getgid()}")
            .with_command("--config /data/nats.json")
            .with_volume_mapping(str(kept_in), "/data", "rw")
            .with_bind_ports(4222, self.port)
            .waiting_for(LogMessageWaitStrategy("Server is ready"))
        )
        self._started = False

    def start(self) -> None:
        if self._started:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._started = True

    def stop(self, sign: signal.Signals = signal.SIGKILL) -> None:
        container = self._container.get_wrapped_container()
        match sign:
            case signal.SIGSTOP:
                container.pause()
            case signal.SIGCONT:
                container.unpause()
            case _:
                container.kill(sign.name)
                container.wait()

    def remove(self) -> None:
        self._container.stop()
        self._reserved.release()


@pytest.fixture
def start_nats(engine: None, tmp_path: Path) -> Iterator[Callable[..., NatsServer]]:
    """As that of tests/runtime."""
    servers: list[ContainerServer] = []

    def start(**more: Any) -> NatsServer:
        assert not more, "of the tests here none asks for another configuration"
        where = tmp_path / f"nats-{len(servers)}"
        where.mkdir()
        servers.append(ContainerServer(where))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.remove()


@pytest.fixture
def nats_server(start_nats: Callable[..., NatsServer]) -> NatsServer:
    return start_nats()
