"""Handing e-mails to a mail server (RFC 5321): one connection, reused, with a time limit on every step."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from typing import Final

import aiosmtplib
import structlog
from aiosmtplib.errors import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused

from services.notify.outgoing import Answer
from services.notify.settings import NotifySettings

STEP_S: Final = 30.0
CONNECT_S: Final = 60.0
_STAYS_S: Final = 20.0
"""For so long a connection is taken for alive; servers close idle ones after minutes (RFC 5321: five)."""

WHOLE_S: Final = 120.0
"""For one mail, connecting included; shorter than a claim lasts."""

log = structlog.get_logger()


class ServerAway(Exception):
    """The mail server cannot be reached, or refuses our name and password: nothing can be said of a mail."""


class MailServer:
    """A connection to the mail server of the settings. Not for several tasks at once."""

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings
        self._connection: aiosmtplib.SMTP | None = None
        self._used_at = 0.0

    async def ready(self) -> None:
        """Return when the server is there to take a mail.

        Raises:
            ServerAway: it is not to be reached, or does not let us in.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._connected()
        except (SMTPException, OSError, TimeoutError) as error:
            await self.close()
            raise ServerAway(f"{type(error).__name__}: {error}") from error

    async def send(self, message: bytes, *, sender: str, recipient: str) -> Answer:
        """What the server said to the mail; without a code it was not to be reached, or broke off."""
        try:
            async with asyncio.timeout(WHOLE_S):
                connection = await self._connected()
                return await self._hand_over(connection, message, sender, recipient)
        except (SMTPException, OSError, TimeoutError) as error:
            await self.close()
            log.warning("smtp.no_answer", reason=f"{type(error).__name__}: {error}")
            return Answer(None, f"{type(error).__name__}: {error}")

    async def _hand_over(
        self, connection: aiosmtplib.SMTP, message: bytes, sender: str, recipient: str
    ) -> Answer:
        try:
            _, words = await connection.sendmail(sender, [recipient], message)
        except SMTPRecipientsRefused as refused:
            (each,) = refused.recipients  # there is one
            return Answer(each.code, each.message)
        except (SMTPSenderRefused, SMTPDataError) as refused:
            return Answer(refused.code, str(refused.message))
        self._used_at = time.monotonic()
        return Answer(250, words)

    async def close(self) -> None:
        """End the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.is_connected:
            with contextlib.suppress(SMTPException, OSError, TimeoutError):
                await connection.quit(timeout=1)
            connection.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        """The connection that is there and answers, or a new one."""
        if self._connection is not None and self._connection.is_connected:
            if time.monotonic() - self._used_at < _STAYS_S:
                return self._connection
            try:
                await self._connection.noop(timeout=5)
            except (SMTPException, OSError, TimeoutError):
                await self.close()
            else:
                self._used_at = time.monotonic()
                return self._connection
        settings = self._settings
        connection = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            timeout=STEP_S,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            tls_context=None
            if settings.smtp_tls == "none"
            else ssl.create_default_context(cafile=settings.smtp_tls_ca),
        )
        await connection.connect()
        self._connection = connection
        password = settings.password()
        if settings.smtp_user is not None and password is not None:
            await connection.login(settings.smtp_user, password.get_secret_value())
        self._used_at = time.monotonic()
        return connection
