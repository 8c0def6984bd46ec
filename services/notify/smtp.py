"""Handing e-mails to a mail server (RFC 5321): one connection, reused, with a time limit on every step."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from email.message import EmailMessage
from typing import Final

import aiosmtplib
import structlog
from aiosmtplib.errors import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused

from services.notify.outgoing import Answer
from services.notify.settings import NotifySettings

STEP_S: Final = 30.0
WHOLE_S: Final = 120.0
"""For one mail, connecting included; shorter than a claim lasts."""

log = structlog.get_logger()


class MailServer:
    """The mail server of the settings. Not for several tasks at once."""

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings
        self._connection: aiosmtplib.SMTP | None = None

    async def send(self, message: EmailMessage) -> Answer:
        """What the server said to the mail; without a code it was not to be reached, or broke off."""
        try:
            async with asyncio.timeout(WHOLE_S):
                connection = await self._connected()
                return await self._hand_over(connection, message)
        except (SMTPException, OSError, TimeoutError) as error:
            # Also a refused password: that is no answer to this mail, and may be mended while it waits.
            await self.close()
            log.warning("smtp.no_answer", reason=f"{type(error).__name__}: {error}")
            return Answer(None, f"{type(error).__name__}: {error}")

    async def _hand_over(self, connection: aiosmtplib.SMTP, message: EmailMessage) -> Answer:
        try:
            _, words = await connection.send_message(message)
        except SMTPRecipientsRefused as refused:
            (recipient,) = refused.recipients  # there is one
            return Answer(recipient.code, recipient.message)
        except (SMTPSenderRefused, SMTPDataError) as refused:
            return Answer(refused.code, str(refused.message))
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
            try:
                await self._connection.noop(timeout=5)
            except (SMTPException, OSError, TimeoutError):
                await self.close()
            else:
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
        return connection
