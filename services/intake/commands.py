"""From the first question to Submit: what changes a draft, and the one event that it becomes.

A draft is written on the condition that it is as it was read. To submit it takes three writes: the draft says
that the ticket was asked for, so that no other window changes it unnoticed; the submission is appended; the
draft is marked as submitted. Whoever comes in between, or after a crash, looks into the log and goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic_core import to_json

from contracts import subjects
from contracts.envelope import Actor, Via
from contracts.intake import requests
from services.intake import answering, domain, pages, shown, translate
from services.intake.catalogue import Catalogue
from services.intake.drafts import MAX_DRAFTS, Draft, DraftChanged, Drafts, Kept, Turn
from services.intake.reading import DraftIsSubmitted, DraftNotFound, Opened, Reading
from services.intake.submission import check_fits, command_id, submitted, today
from services.runtime import aggregate_commands, telemetry
from services.runtime.aggregate_commands import AggregateCommands, Effect, Recording
from services.runtime.errors import Malformed, NotFound, Refused, RequestInvalid, Unavailable
from services.runtime.ids import derived_id, uuid7
from services.runtime.locks import KeyedLocks
from services.runtime.log import Log
from services.runtime.replica import Replica

CACHED_SUBMISSIONS: Final = 1_000
MAX_DISCARDS: Final = 10
"""Changes of a draft by others during which it is tried to be discarded."""

_SUBMIT: Final = "submit"


class Cache(aggregate_commands.Cache[domain.Submission, domain.Submitted]):
    """Submissions worked on lately."""

    def __init__(self) -> None:
        super().__init__(
            size=CACHED_SUBMISSIONS,
            read=translate.read_submission_fact,
            evolve=domain.evolve_submission,
        )


class Commands:
    """The write side of the service."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        cache: Cache,
        catalogue: Catalogue,
        drafts: Drafts,
        reading: Reading,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._catalogue = catalogue
        self._drafts = drafts
        self._reading = reading
        self._now = now
        self._beginning = KeyedLocks()
        self._submissions: AggregateCommands[domain.Submission, domain.Submitted] = AggregateCommands(
            log, replica, cache, refusal=domain.Refusal, certain=(domain.Refusal,)
        )

    async def start(self, request: requests.StartDraft) -> requests.DraftShown:
        """Begin a draft, or find the one that this command began.

        Raises:
            NotFound: no such version of a questionnaire is offered.
            Refused: the actor may not, or has too many drafts, or the command id began something else.
        """
        actor = await self._reading.require(request.actor, request.account)
        draft_id = derived_id("draft", request.account, actor.kind.value, actor.id, request.command_id)
        begun_as = _digest(request.questionnaire, request.message, request.language, request.follows)
        kept = await self._drafts.get(actor, request.account, draft_id)
        if kept is None:
            async with self._beginning.holding(f"{actor.id}.{request.account}"):  # so that they are counted
                kept = await self._begin(request, actor, draft_id, begun_as)
        if kept.draft.begun_as != begun_as:
            raise Refused("command_id_reused", {"command_id": request.command_id})
        if kept.draft.is_submitted:
            raise DraftIsSubmitted
        return await self._shown(self._reading.opened(kept), kept)

    async def _begin(self, request: requests.StartDraft, actor: Actor, draft_id: str, begun_as: str) -> Kept:
        questionnaire = self._catalogue.version(request.questionnaire)
        if questionnaire is None or questionnaire not in self._catalogue.to_partners:
            raise NotFound("questionnaire_not_found", {"questionnaire": request.questionnaire})
        if (await self._submissions.loaded(draft_id)).state is not None:  # so long ago that its draft is gone
            raise DraftIsSubmitted
        if len(await self._drafts.list(actor, request.account)) >= MAX_DRAFTS:
            raise Refused("too_many_drafts", {"limit": MAX_DRAFTS})
        now = self._now()
        first = pages.pages(questionnaire, {})
        draft = Draft(
            draft=draft_id,
            actor=actor,
            account=request.account,
            questionnaire=questionnaire.canonical,
            language=request.language,
            via=request.via,
            message=request.message,
            follows=request.follows,
            page=first[0].link_id if first else None,
            started_at=now,
            updated_at=now,
            begun_as=begun_as,
        )
        self._reading.check(actor, request.account)
        try:
            return Kept(draft=draft, revision=await self._drafts.put(draft, over=0))
        except DraftChanged:  # the same command, at the same moment; or a draft that was discarded
            kept = await self._drafts.get(actor, request.account, draft_id)
            if kept is None:
                raise NotFound("draft_not_found") from None
            return kept

    async def answer(self, request: requests.AnswerPage) -> requests.DraftShown:
        """Answer a page, and go on to the next.

        Raises:
            RequestInvalid: names every question whose answer is not as it should be; nothing is changed.
            Refused: as `Reading.open`, or the draft has changed.
        """
        opened = await self._reading.open(request.actor, request.account, request.draft)
        said = _digest("answer", request.page, sorted(request.answers.items()))
        if self._is_repeated(opened.draft, request, said):
            return await self._shown(opened, opened.kept)
        await self._check_open(opened, request)
        answered = await answering.answer_page(
            opened.questionnaire,
            opened.draft.answers,
            request.page,
            request.answers,
            language=opened.draft.language,
            today=today(),
            find_upload=opened.find_upload,
        )
        change = {"answers": answered.answers, "page": answered.page}
        return await self._changed(opened, request, said, change)

    async def back(self, request: requests.GoBack) -> requests.DraftShown:
        """Go to the page before.

        Raises:
            Malformed: there is no such page.
            Refused: as `Reading.open`, or the draft has changed.
        """
        opened = await self._reading.open(request.actor, request.account, request.draft)
        said = _digest("back", request.page)
        if self._is_repeated(opened.draft, request, said):
            return await self._shown(opened, opened.kept)
        await self._check_open(opened, request)
        if request.page is not None and request.page not in opened.questionnaire.pages.values():
            raise Malformed("page", "answer_not_asked")
        found = pages.pages(opened.questionnaire, opened.draft.answers)
        earlier = pages.before(opened.questionnaire, found, request.page) or (found[0] if found else None)
        page = None if earlier is None else earlier.link_id
        return await self._changed(opened, request, said, {"page": page})

    async def submit(self, request: requests.SubmitDraft) -> requests.SubmissionRecorded:
        """Ask for the ticket. Repeated, also with another command id, it is the same submission.

        Raises:
            RequestInvalid: names every question that stands in the way.
            Refused: as `Reading.open`, or the draft has changed.
        """
        try:
            opened = await self._reading.open_any(request.actor, request.account, request.draft)
        except DraftNotFound:
            return await self._submitted_long_ago(request)
        recorded = await self._recorded(request.draft)
        if recorded is not None:
            fact = recorded.submitted
        else:
            try:
                opened, fact = await self._asked_for(opened, request)
            except DraftChanged:  # by another window, which may have asked for the same: once more on that
                return await self.submit(request)
        draft = opened.draft
        effect = await self._submissions.carry_out(
            draft.draft,
            command_id(draft.draft),
            decide=lambda submission: self._decide(request, fact, submission),
            record=lambda fact, submission: self._recording(request, draft, fact, submission),
        )
        await self._mark(opened.kept)
        return _told(request, effect)

    async def discard(self, request: requests.DiscardDraft) -> requests.DraftDiscarded:
        """Throw a draft away. Repeated: it is gone.

        Raises:
            Refused: as `Reading.open`.
            Unavailable: it changes all the time.
        """
        for _ in range(MAX_DISCARDS):
            try:
                opened = await self._reading.open(request.actor, request.account, request.draft)
            except DraftNotFound:
                actor = await self._reading.require(request.actor, request.account)
                if not await self._drafts.was_discarded(actor, request.account, request.draft):
                    raise
                return requests.DraftDiscarded(draft=request.draft)
            await self._check_not_recorded(opened)
            self._reading.check(opened.draft.actor, opened.draft.account)
            with contextlib.suppress(DraftChanged):
                await self._drafts.discard(opened.kept)
                return requests.DraftDiscarded(draft=request.draft)
        raise Unavailable("busy")

    # Drafts

    async def _changed(
        self, opened: Opened, request: requests.DraftCommand, said: str, change: Mapping[str, object]
    ) -> requests.DraftShown:
        draft = opened.draft.model_copy(
            update={
                **change,
                "updated_at": max(self._now(), opened.draft.updated_at),
                "last": Turn(command_id=request.command_id, revision=request.revision, said=said),
            }
        )
        self._reading.check(request.actor, request.account)
        try:
            revision = await self._drafts.put(draft, over=opened.kept.revision)
        except DraftChanged:
            again = await self._reading.open(request.actor, request.account, request.draft)
            if not self._is_repeated(again.draft, request, said):
                raise _changed_meanwhile() from None
            return await self._shown(again, again.kept)
        kept = Kept(draft=draft, revision=revision)
        return await self._shown(self._reading.opened(kept), kept)

    def _is_repeated(self, draft: Draft, request: requests.DraftCommand, said: str) -> bool:
        """Raises Refused: the command id did something else."""
        if draft.last is None or draft.last.command_id != request.command_id:
            return False
        if (draft.last.said, draft.last.revision) != (said, request.revision):
            raise Refused("command_id_reused", {"command_id": request.command_id})
        return True

    async def _check_open(self, opened: Opened, request: requests.DraftCommand) -> None:
        """Raises Refused: the draft has changed, or became a ticket."""
        if opened.draft.asked_for:
            await self._check_not_recorded(opened)
        self._check_revision(opened, request)

    async def _check_not_recorded(self, opened: Opened) -> None:
        """Raises DraftIsSubmitted, and marks the draft where whoever submitted it did not come to that."""
        if await self._recorded(opened.draft.draft) is not None:
            await self._mark(opened.kept)
            raise DraftIsSubmitted

    def _check_revision(self, opened: Opened, request: requests.DraftCommand) -> None:
        if opened.kept.revision != request.revision:
            raise _changed_meanwhile()

    async def _shown(self, opened: Opened, kept: Kept) -> requests.DraftShown:
        return shown.draft(kept, opened.questionnaire, kept.draft.page, await opened.files())

    # The submission

    async def _recorded(self, draft: str) -> domain.Submission | None:
        """The submission of the draft, by the log as it is now."""
        await self._submissions.catch_up()
        return (await self._submissions.loaded(draft)).state

    async def _submitted_long_ago(self, request: requests.SubmitDraft) -> requests.SubmissionRecorded:
        """The submission of a draft that the bucket has forgotten. Raises DraftNotFound: there is none."""
        actor = await self._reading.require(request.actor, request.account)
        recorded = await self._recorded(request.draft)
        theirs = request.account, domain.Actor(actor.kind.value, actor.id)
        if recorded is None or (recorded.submitted.account, recorded.submitted.by) != theirs:
            raise DraftNotFound
        return _told(request, self._submissions.effect_at(request.draft, recorded.revision))

    async def _asked_for(
        self, opened: Opened, request: requests.SubmitDraft
    ) -> tuple[Opened, domain.Submitted]:
        """What is to go on record, and the draft, which says by now that it was asked for.

        Raises:
            DraftChanged: somebody was faster.
        """
        last = opened.draft.last
        if last is not None and (last.said, last.revision) == (_SUBMIT, request.revision):
            return opened, await self._checked(opened)  # whoever asked did not come to the append
        self._check_revision(opened, request)
        fact = await self._checked(opened)
        turn = Turn(command_id=request.command_id, revision=request.revision, said=_SUBMIT)
        draft = opened.draft.model_copy(update={"asked_for": True, "last": turn})
        self._reading.check(draft.actor, draft.account)
        revision = await self._drafts.put(draft, over=opened.kept.revision)
        return self._reading.opened(Kept(draft=draft, revision=revision)), fact

    async def _checked(self, opened: Opened) -> domain.Submitted:
        draft, questionnaire = opened.draft, opened.questionnaire
        found = await answering.problems(
            questionnaire, draft.answers, today=today(), find_upload=opened.find_upload
        )
        if found:
            raise RequestInvalid(answering.field_errors(questionnaire, found, draft.language))
        fact = submitted(draft, questionnaire, await opened.files(), at=self._now())
        check_fits(fact)
        return fact

    def _decide(
        self, request: requests.SubmitDraft, fact: domain.Submitted, submission: domain.Submission | None
    ) -> Sequence[domain.Submitted]:
        self._reading.check(request.actor, request.account)
        return domain.decide_submission(fact, submission)

    def _recording(
        self,
        request: requests.SubmitDraft,
        draft: Draft,
        fact: domain.Submitted,
        submission: domain.Submission,
    ) -> Recording:
        circumstances = translate.Circumstances(
            event_id=uuid7(),
            subject=fact.id,
            revision=submission.revision,
            via=_via(request, draft),
            actor=fact.by,
            correlation_id=request.correlation_id or request.command_id,
            traceparent=telemetry.current_traceparent(),
        )
        subject = subjects.submission_events(fact.account, fact.id)
        return Recording(subject, translate.event(fact, circumstances))

    async def _mark(self, kept: Kept) -> None:
        """Leave of the draft only that it was submitted. Whoever comes later finds that, or does it again."""
        if kept.draft.is_submitted:
            return
        draft = kept.draft
        marked = draft.model_copy(update={"is_submitted": True, "answers": {}, "message": "-", "last": None})
        try:
            await self._drafts.put(marked, over=kept.revision)
        except DraftChanged:
            again = await self._drafts.get(draft.actor, draft.account, draft.draft)
            if again is not None:
                await self._mark(again)


def _via(request: requests.SubmitDraft, draft: Draft) -> Via:
    return request.via if request.via is not Via.API else draft.via


def _told(request: requests.SubmitDraft, effect: Effect) -> requests.SubmissionRecorded:
    return requests.SubmissionRecorded(
        submission=request.draft,
        account=request.account,
        position=effect.position,
        at=effect.event["time"],
    )


def _changed_meanwhile() -> Refused:
    return Refused("draft_changed")


def _digest(*said: object) -> str:
    return hashlib.sha256(to_json(said)).hexdigest()
