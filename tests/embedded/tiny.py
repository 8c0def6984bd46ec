"""A service that does nothing but tell that it is ready, and a catalogue of such services.

`python -m tests.embedded.tiny serve NAME` is one of them, `... up DATA` is `casetrail up` with them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

from services.embedded.catalogue import ServiceEntry
from services.embedded.up import Options, run_up

PID_FILE: Final = "pid"
STUBBORN: Final = "stubborn"


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def entry(name: str) -> ServiceEntry:
    return ServiceEntry(name=name, run="-", nats_user="tickets", description=f"The tiny {name}")


def serve(name: str) -> None:
    if name == STUBBORN:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = HTTPServer(("127.0.0.1", int(os.environ["CASETRAIL_HEALTH_PORT"])), Ready)
    (Path(os.environ["CASETRAIL_DATA_DIR"]) / PID_FILE).write_text(str(os.getpid()))
    sys.stdout.write(f"{name} serves\n")
    server.serve_forever()


def up(data: str, *names: str) -> None:
    options = Options(data=Path(data), nats_port=0, replicas=1, log_format="console")
    catalogue = [entry(name) for name in names]
    serve_command = (sys.executable, "-m", "tests.embedded.tiny", "serve")
    asyncio.run(run_up(options, catalogue=catalogue, serve=serve_command))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", service]:
            serve(service)
        case ["up", directory, *services]:
            up(directory, *services)
