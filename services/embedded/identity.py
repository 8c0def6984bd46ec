"""The development identity provider: a process that lets anybody sign in as anybody, on this machine only.

It is oidc-provider-mock with the people of the demonstration, behind a choice of names instead of passwords.
It does not start in production, and services believe it only where their own settings say so as well
(`services.signin.settings`).
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal
from urllib.parse import quote

import structlog
from prometheus_client import CollectorRegistry
from pydantic import Field, field_validator
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from services.embedded.demo import PEOPLE, DemoPerson
from services.embedded.ports import HOST
from services.runtime import logs
from services.runtime.health import Health
from services.runtime.settings import RuntimeSettings, SettingsInvalid, load, problem

NAME: Final = "identity"
DEFAULT_PORT: Final = 9400
LOOK_EVERY_S: Final = 0.05
_ADDRESS: Final = re.compile(r"[a-z0-9._+-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")

log = structlog.get_logger()


class IdentitySettings(RuntimeSettings):
    """The settings of the development provider. It does not use NATS."""

    env: Literal["production", "development"] = Field(
        default="production", description="The provider starts only if this is `development`."
    )
    identity_port: int = Field(
        default=DEFAULT_PORT,
        ge=0,
        le=65535,
        description="Port of the development provider; 0 takes any free one and logs it.",
    )
    identity_host: str = Field(
        default=HOST,
        min_length=1,
        description="Address that it listens on: another than this machine's own only inside a container. "
        "Browsers and services reach it on 127.0.0.1 all the same.",
    )

    @field_validator("env")
    @classmethod
    def _not_in_production(cls, env: str) -> str:
        if env == "production":
            raise ValueError("the development provider lets anybody in and is refused in production")
        return env


def issuer(port: int) -> str:
    """The issuer of a development provider on this port."""
    return f"http://{HOST}:{port}"


@contextmanager
def provider(port: int, people: Sequence[DemoPerson] = PEOPLE, *, host: str = HOST) -> Iterator[int]:
    """A development provider in threads of this process while the body runs; yields its port.

    Raises:
        SettingsInvalid: the port is taken.
    """
    with _listen(host, port) as listener:
        bound: int = listener.getsockname()[1]
        server = _server(listener, _application(people))
        serving = threading.Thread(target=server.serve_forever, args=(LOOK_EVERY_S,), name=NAME)
        serving.start()
        try:
            yield bound
        finally:
            server.shutdown()
            serving.join()


def main() -> int:
    """Run the provider until it is told to stop; returns the exit code: 2, it may not or cannot start."""
    try:
        settings = load(IdentitySettings)
        logs.configure(settings.log_format, settings.log_level, NAME)
        asyncio.run(_run(settings))
    except SettingsInvalid as invalid:
        sys.stderr.write(f"casetrail {NAME} cannot start:\n{invalid}\n")
        return 2
    return 0


async def _run(settings: IdentitySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = Health(CollectorRegistry())
    with provider(settings.identity_port, host=settings.identity_host) as port:
        health.add_check(NAME, _well)
        await health.start(settings.health_host, settings.health_port)
        log.info("service.ready", issuer=issuer(port))
        try:
            await stop.wait()
        finally:
            await health.stop()
    log.info("service.stopped")


async def _well() -> str | None:
    return None


def _application(people: Sequence[DemoPerson]) -> Any:
    from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)  # it still builds on authlib.jose
        from oidc_provider_mock import User, app  # type: ignore[import-untyped]

    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # of this process; it serves on the loopback address only
    application: Any = app(
        require_nonce=True,
        issue_refresh_token=False,
        user_claims=[User(sub=person.email, claims=_claims(person)) for person in people],
    )
    application.config["TRUSTED_HOSTS"] = [HOST]  # its issuer is whatever the Host header says
    application.before_request(_Everybody(application, people).welcome)
    application.after_request(_load_nothing)
    return application


class _Everybody:
    """Whoever signs in by an address of theirs has it verified, so that invited people can sign in too."""

    def __init__(self, application: Any, people: Sequence[DemoPerson]) -> None:
        self._application = application
        self._known = {person.email for person in people}

    def welcome(self) -> None:
        """Before a request is handled."""
        from flask import request

        who = request.form.get("sub", "") if request.method == "POST" else ""
        if who in self._known or not _ADDRESS.fullmatch(who):
            return
        self._known.add(who)
        claims = {"email": who, "email_verified": True}
        with self._application.test_client() as client:
            client.put(f"/users/{quote(who, safe='')}", json=claims, base_url=f"http://{HOST}")


def _load_nothing(response: Response) -> Response:
    """Its pages would fetch a style sheet from the Internet."""
    response.headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _claims(person: DemoPerson) -> dict[str, object]:
    return {
        "email": person.email,
        "email_verified": True,
        "name": person.name,
        "locale": person.language,
    }


def _server(listener: socket.socket, application: Any) -> BaseWSGIServer:
    return make_server(HOST, 0, application, threaded=True, request_handler=_Quiet, fd=listener.fileno())


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        rule = f"cannot listen on {host}: {error.strerror}; choose another, or 0 for any free port"
        raise SettingsInvalid(problem("CASETRAIL_IDENTITY_PORT", port, rule)) from None
    return listener


class _Quiet(WSGIRequestHandler):
    """Logs no request: their addresses carry what signs people in."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
