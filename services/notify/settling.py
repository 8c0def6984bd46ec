"""What people decide about e-mails that wait for them.

Who puts one on a ticket says so in the log of e-mails first (`mail.settling`), then writes the reply, then
says that it is done. Whoever comes next, after a crash too, brings that to its end before anything else.
"""

from __future__ import annotations

from contracts.access.roles import Permission
from contracts.client import Refused as RefusedThere
from contracts.client import RequestFailed
from contracts.envelope import ActorKind, Via
from contracts.notify import requests
from contracts.notify.events import HowSettled
from contracts.requests import SentActor
from services.guard.guard import Guard
from services.notify import incoming, words
from services.notify.handling import files_of
from services.notify.incoming_commands import IncomingCommands
from services.notify.kept import KeptMails
from services.notify.replies import Message, Replies
from services.runtime.aggregate_commands import Effect
from services.runtime.errors import NotFound, Refused, Unavailable
from services.runtime.ids import derived_id


class Settling:
    """Carries out what people decide about e-mails that wait."""

    def __init__(
        self, commands: IncomingCommands, kept: KeptMails, replies: Replies | None, guard: Guard
    ) -> None:
        """`replies` None: no e-mails come in here, so that none can be put on a ticket."""
        self._commands = commands
        self._kept = kept
        self._replies = replies
        self._guard = guard

    async def settle(self, order: requests.SettleMail) -> requests.MailSettled:
        """Put an e-mail on a ticket as the agent's own reply, or dismiss it.

        The text is put there by the agent, who has looked at it, and says whose it is: who sent it was not
        sure, or it would not wait. Raises Refused, `outgoing.Refusal`, Unavailable.
        """
        await self._guard.require(order.actor, None, Permission.MAIL_MANAGE)
        mail = await self._commands.mail(order.received)
        if mail is not None and order.command_id in mail.done and mail.settlement is not None:
            return await self._settled(order, mail.settlement)
        if mail is not None and mail.intent is not None:
            await self._complete(order.received, mail.intent)
        if order.ticket is None or order.account is None:
            dismissed = incoming.Settlement(
                how=HowSettled.DISMISSED.value, by_kind=order.actor.kind.value, by=order.actor.id
            )
            return await self._settled(order, dismissed)
        intent = incoming.Intent(
            by_kind=order.actor.kind.value, by=order.actor.id, account=order.account, ticket=order.ticket
        )
        intent = await self._commands.begin_settling(order.received, order.command_id, intent)
        return await self._settled(order, await self._put(order.received, intent))

    async def _complete(self, received: str, intent: incoming.Intent) -> None:
        """Bring to its end what somebody began: then it is settled, or waits again."""
        try:
            settlement = await self._put(received, intent)
        except Refused:
            return
        await self._commands.settled(received, f"{intent.command_id}.done", settlement)

    async def _put(self, received: str, intent: incoming.Intent) -> incoming.Settlement:
        """Raises Refused: the ticket does not take it, and it waits again."""
        kept = await self._kept.read(received)
        mail = await self._commands.mail(received)
        if kept is None or mail is None or self._replies is None:
            raise NotFound("mail_not_found")
        sender = kept.headers.text("From") or mail.delivery.sender or "?"
        at = words.moment(mail.received_at, "en")
        said = words.said(words.BY_EMAIL_FROM, "en", sender=sender, at=at)
        text = kept.reply.text or kept.reply.folded or words.said(words.NO_TEXT, "en")
        message = Message(
            key=derived_id("settle", received, intent.ticket, intent.by_kind, intent.by),
            account=intent.account,
            number=intent.ticket,
            actor=SentActor(kind=ActorKind(intent.by_kind), id=intent.by),
            text=f"{said}\n\n{text}",
            files=files_of(kept),
            language="en",
            via=Via.EMAIL,
        )
        try:
            done = await self._replies.put(message)
        except RefusedThere as there:
            await self._commands.give_up_settling(received, intent, there.reply.code)
            data = {key: value for key, value in there.reply.data.items() if isinstance(value, str | int)}
            kind = NotFound if there.reply.status == NotFound.status else Refused
            raise kind(there.reply.code, data) from None
        except RequestFailed:
            raise Unavailable from None
        return incoming.Settlement(
            how=HowSettled.APPENDED.value,
            by_kind=intent.by_kind,
            by=intent.by,
            account=intent.account,
            ticket=intent.ticket,
            event=done.event_id,
        )

    async def _settled(
        self, order: requests.SettleMail, settlement: incoming.Settlement
    ) -> requests.MailSettled:
        effect: Effect = await self._commands.settled(order.received, order.command_id, settlement)
        data = effect.event["data"]
        return requests.MailSettled(
            received=order.received,
            how=HowSettled(data["how"]),
            event=data.get("event"),
            position=effect.position,
        )
