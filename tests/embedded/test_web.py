"""Which ports the services with pages get, and what they are told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from services.embedded.ports import PortTaken
from services.embedded.web import DEFAULT_PORT, WebPorts, environment


def test_the_first_gets_the_port_that_was_asked_for_and_the_others_free_ones() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    web = WebPorts(["portal", "portal-2", "portal-3"])
    web.reserve(free)
    assert web.ports["portal"] == free
    assert len(set(web.ports.values())) == 3
    assert web.first == f"http://127.0.0.1:{free}"
    web.release()


def test_a_taken_port_is_told_with_the_option_that_changes_it() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PortTaken, match=r"for the portal is taken.*--port"),
    ):
        WebPorts(["portal"]).reserve(taken.getsockname()[1])


def test_without_pages_links_lead_to_the_default_port() -> None:
    web = WebPorts([])
    web.reserve(0)
    assert web.first == f"http://127.0.0.1:{DEFAULT_PORT}"


def test_the_environment_may_name_another_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment(8080, 9400, tmp_path)["CASETRAIL_OIDC_ISSUER"] == "http://127.0.0.1:9400"
    assert "CASETRAIL_OIDC_ISSUER" not in environment(8080, None, tmp_path)
    monkeypatch.setenv("CASETRAIL_OIDC_ISSUER", "https://login.example")
    assert environment(8080, 9400, tmp_path) == {
        "CASETRAIL_PORTAL_HOST": "127.0.0.1",
        "CASETRAIL_PORTAL_PORT": "8080",
    }
