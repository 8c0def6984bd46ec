"""What people may have done about e-mails."""

from __future__ import annotations

from contracts.access.events import PLATFORM
from contracts.access.roles import Permission
from contracts.notify import requests
from contracts.reference import derive_reference
from services.guard.guard import Guard
from services.notify import outgoing
from services.notify.commands import Commands
from services.notify.writing import TEST
from services.runtime.ids import derived_id


class Orders:
    """Carries out what agents and operators ask for."""

    def __init__(self, commands: Commands, guard: Guard, *, domain: str) -> None:
        """`domain` is that of our addresses."""
        self._commands = commands
        self._guard = guard
        self._domain = domain

    async def revive(self, order: requests.ReviveMail) -> requests.MailDone:
        """Send once more what was given up or came back. Raises Refused, `outgoing.Refusal`, Unavailable."""
        await self._guard.require(order.actor, None, Permission.MAIL_MANAGE)
        position = await self._commands.revive(order.mail, order.command_id)
        return requests.MailDone(mail=order.mail, position=position)

    async def send_test(self, order: requests.SendTest) -> requests.MailDone:
        """Send an e-mail that shows that e-mails arrive. Raises Refused, Unavailable."""
        await self._guard.require(order.actor, None, Permission.MAIL_MANAGE)
        mail = derived_id("mail", TEST, order.actor.id, order.command_id)
        position = await self._commands.queue(
            outgoing.Letter(
                id=mail,
                account=PLATFORM,
                kind=TEST,
                cause=outgoing.Cause(event=order.command_id, type=TEST),
                why="asked",
                email=order.email,
                language=order.language,
                reference=derive_reference("mail", mail),
                message_id=f"<{mail}@{self._domain}>",
            )
        )
        return requests.MailDone(mail=mail, position=position)
