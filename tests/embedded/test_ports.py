"""A reserved port is ours: nobody gets it by chance, and a child that asks for it does."""

from __future__ import annotations

import socket
import sys

import pytest

from services.embedded.ports import HOST, ReservedPort, is_taken


def listen(port: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, port))
    server.listen()
    return server


def test_a_child_can_listen_on_a_reserved_port_again_and_again() -> None:
    reserved = ReservedPort()
    for _ in range(2):
        with listen(reserved.number):
            assert is_taken(reserved.number)
        assert not is_taken(reserved.number)
    reserved.release()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is only likely")
def test_nobody_is_given_a_reserved_port_by_chance() -> None:
    reserved = ReservedPort()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((HOST, reserved.number))
    reserved.release()
