"""Finding a draft, for whoever may: what commands and queries on drafts begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nats.aio.client import Client

from contracts.access.roles import Permission
from contracts.attachments.files import Attachment
from contracts.envelope import Actor
from services.files.store import describe_upload
from services.guard.guard import Guard
from services.intake import answering, domain
from services.intake.answering import FindUpload
from services.intake.catalogue import Catalogue
from services.intake.drafts import Draft, Drafts, Kept
from services.intake.questionnaire import Questionnaire
from services.runtime.errors import NotFound, Refused, Unavailable


class DraftNotFound(NotFound):
    """There is no such draft, or it is somebody else's, or its time is over."""

    def __init__(self) -> None:
        super().__init__("draft_not_found")


class DraftIsSubmitted(Refused):
    """It became a ticket."""

    def __init__(self) -> None:
        super().__init__("draft_is_submitted")


@dataclass(frozen=True, slots=True)
class Opened:
    """A draft with its questionnaire, and whose files its answers may name."""

    kept: Kept
    questionnaire: Questionnaire
    find_upload: FindUpload

    @property
    def draft(self) -> Draft:
        return self.kept.draft

    async def files(self) -> Mapping[str, Attachment]:
        """The files that the answers name, by their ids."""
        return await answering.files(self.questionnaire, self.draft.answers, self.find_upload)


class Reading:
    """Opens drafts."""

    def __init__(self, nc: Client, drafts: Drafts, catalogue: Catalogue, guard: Guard) -> None:
        self._nc = nc
        self._drafts = drafts
        self._catalogue = catalogue
        self._guard = guard

    async def require(self, actor: Actor | None, account: str) -> Actor:
        """Who asks, if it may open tickets for the account. Raises Refused."""
        await self._guard.require(actor, account, Permission.TICKET_OPEN)
        if actor is None:  # for mypy: the guard has refused it
            raise Refused("actor_missing")
        return Actor(kind=actor.kind, id=actor.id)  # not the caller's model: it is kept and compared

    def check(self, actor: Actor, account: str) -> None:
        """As `require`, right before something is written, on what is known at this moment."""
        self._guard.check(actor, account, Permission.TICKET_OPEN)

    async def open(self, actor: Actor | None, account: str, draft: str) -> Opened:
        """The draft, if it is this person's.

        Raises:
            Refused: the actor may not.
            DraftNotFound: see there.
            DraftIsSubmitted: see there.
        """
        opened = await self.open_any(actor, account, draft)
        if opened.draft.is_submitted:
            raise DraftIsSubmitted
        return opened

    async def open_any(self, actor: Actor | None, account: str, draft: str) -> Opened:
        """As `open`, but submitted ones too."""
        actor = await self.require(actor, account)
        kept = await self._drafts.get(actor, account, draft)
        if kept is None or kept.draft.actor != actor:
            raise DraftNotFound
        return self.opened(kept)

    def opened(self, kept: Kept) -> Opened:
        """The draft with its questionnaire. Raises Unavailable."""
        draft = kept.draft
        questionnaire = self._catalogue.version(draft.questionnaire)
        if questionnaire is None:  # published versions stay: this replica has not heard of it yet
            raise Unavailable
        return Opened(kept, questionnaire, self._uploads_of(draft.actor, draft.account))

    def _uploads_of(self, actor: Actor, account: str) -> FindUpload:
        found: dict[str, Attachment | None] = {}

        async def find(attachment: str) -> Attachment | None:
            if attachment not in found:
                upload = await describe_upload(self._nc, attachment)
                mine = upload is not None and upload.is_by(actor, account)
                found[attachment] = upload.attachment if upload is not None and mine else None
            return found[attachment]

        return find


def recorded(attachment: Attachment) -> domain.Attachment:
    """The file as a submission keeps it."""
    return domain.Attachment(
        attachment.id, attachment.name, attachment.media_type, attachment.size, attachment.sha256
    )
