"""Local ports: which is free, and whose is taken."""

from __future__ import annotations

import errno
import socket
import sys

HOST = "127.0.0.1"  # the embedded system is for one machine: nothing of it listens elsewhere


class PortTaken(Exception):
    """A port that we were told to listen on belongs to another process."""

    def __init__(self, port: int, what: str, option: str) -> None:
        super().__init__(f"port {port} for {what} is taken by another process; choose another with {option}")
        self.port = port
        self.what = what
        self.option = option


def is_taken(port: int) -> bool:
    """Whether somebody listens on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free to a server
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


class ReservedPort:
    """A free port that stays ours until a child listens on it, and again when that child has died.

    On Linux a socket that is bound but does not listen keeps the kernel from giving the port to anybody who
    asks for any port, while a child that asks for this very port (with SO_REUSEADDR, as servers do) gets it.
    Elsewhere such a socket would be in the child's way, so that the port is only likely to stay free.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, 0))
        self.number: int = self._socket.getsockname()[1]
        if sys.platform != "linux":
            self._socket.close()

    def release(self) -> None:
        self._socket.close()
