"""The whole system with e-mail in both ways, for tests of the desk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Final

import aiosmtplib

from contracts.client import NotFound, call
from contracts.envelope import ActorKind
from contracts.notify import requests
from contracts.notify.requests import ReceivedSummary
from contracts.requests import SentActor
from contracts.tickets import requests as tickets
from services.credentials.creds import creds_file
from services.embedded.ports import ReservedPort
from tests.notify.servers import MailDouble, mail_server
from tests.portal.system import KATARZYNA, OLIVIA, System, acting, new_id, running

TRUSTED: Final = "mx.casetrail.example"
SUPPORT: Final = "support@casetrail.example"
NEW_PARTNERS: Final = "new-partners"
_TERMINAL: Final = SentActor(kind=ActorKind.SYSTEM, id="cli")


@dataclass
class DeskSystem:
    """The system, the mail server that takes what it sends, and the port that takes e-mails in."""

    system: System
    sent: MailDouble
    port: int

    async def send(
        self,
        text: str,
        *,
        sender: str = OLIVIA,
        subject: str = "A question",
        html: str | None = None,
        verdict: str | None = None,
        file: str | None = None,
    ) -> ReceivedSummary:
        """What is on record of an e-mail that somebody sent to us, once it was handled.

        `verdict` is what the mail server found out about its sender: pass or fail.
        """
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, SUPPORT, subject
        message["Message-ID"] = make_msgid(domain="partner.example")
        if verdict is not None:
            domain = sender.rpartition("@")[2].strip(">")
            message["Authentication-Results"] = f"{TRUSTED}; dmarc={verdict} header.from={domain}"
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
        if file is not None:
            message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename=file)
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False) as client:
            _, answer = await client.sendmail(sender, SUPPORT, bytes(message))
        return await self.handled(answer.rpartition(" ")[2])

    async def handled(self, received: str) -> ReceivedSummary:
        """What became of an e-mail that came in."""
        query = requests.GetReceived(actor=_TERMINAL, received=received)
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(
                    NotFound
                ):  # the answer to its sender may be quicker than the replica
                    record = await call(
                        self.system.cli, requests.RECEIVED_MAIL, query, requests.ReceivedRecord
                    )
                    if record.mail.outcome is not None:
                        return record.mail
                await asyncio.sleep(0.02)  # nothing here could wake us

    async def request_of(self, company: str, email: str) -> str:
        """The number of a new partner's request, with what an interest form leaves on its ticket."""
        done = await self.system.tickets.open(
            tickets.OpenTicket(
                command_id=new_id(),
                account=NEW_PARTNERS,
                actor=acting(KATARZYNA),
                title=company,
                message="We would like to become a partner.",
                topic="interest",
                answers=(tickets.SentAnswer(link_id="company", question="Company", values=(company,)),),
                identifiers=(tickets.SentIdentifier(kind="email", value=email),),
            )
        )
        await self.system.ticket(done.number, at_least=done.position)
        return done.number


@contextlib.asynccontextmanager
async def desk_running(directory: Path) -> AsyncIterator[DeskSystem]:
    """A system with notify while the body runs."""
    reserved = ReservedPort()
    try:
        async with mail_server() as sent:
            mail = {
                "smtp_host": "127.0.0.1",
                "smtp_port": sent.port,
                "smtp_tls": "none",
                "mail_in_port": reserved.number,
                "mail_in_trusted": TRUSTED,
                "requests_creds": creds_file(directory / "creds", "notify-requests"),
                "nats_creds": creds_file(directory / "creds", "notify"),
            }
            async with running(directory, mail=mail) as system:
                yield DeskSystem(system, sent, reserved.number)
    finally:
        reserved.release()
