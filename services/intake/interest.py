"""The interest form: from somebody whom nobody knows to a submission in the log.

    interest_form     the form, with a signed token that says when it was handed out
    express_interest  the filled-in form waits in a bucket; notify sends the link to the address
    show_interest     what the link is about; changes nothing, because mail scanners open links
    confirm_interest  the submission is appended to the log, and a ticket is opened from it as from any other

Nobody is bothered before the link was used. Every step may be repeated, and a process may die after any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import structlog

from contracts import subjects
from contracts.access.people import normalised as normalised_address
from contracts.envelope import Via
from contracts.intake import requests
from contracts.intake.requests import ItemType
from contracts.reference import derive_reference
from services.guard.guard import Guard
from services.intake import answering, content, domain, evaluator, interest_submission, translate
from services.intake.catalogue import Catalogue
from services.intake.interest_settings import InterestSettings
from services.intake.interest_submission import submission_id
from services.intake.limits import AddressInvalid, Limits, network
from services.intake.links import HandedOut, InterestTokens, TokenVoid
from services.intake.pending import Found, KeptInterest, PendingInterests
from services.intake.questionnaire import Questionnaire, localized
from services.runtime import telemetry
from services.runtime.aggregate_commands import AggregateCommands, Recording
from services.runtime.errors import Malformed, NotFound, Refused, RequestInvalid, Unavailable
from services.runtime.ids import uuid7
from services.runtime.locks import KeyedLocks
from services.runtime.requests import Endpoint

FASTEST: Final = timedelta(seconds=3)
"""No person fills in the form in less."""
OLDEST: Final = timedelta(hours=24)
CONFIRM_WITHIN: Final = timedelta(days=7)

Submissions = AggregateCommands[domain.Submission, domain.Submitted]

log = structlog.get_logger()


class InterestClosed(Refused):
    """There is no account for it, or no form."""

    def __init__(self) -> None:
        super().__init__("interest_closed")


class InterestFormVoid(Refused):
    """The token is not ours, or too old."""

    def __init__(self) -> None:
        super().__init__("interest_form_void")


class InterestTooFast(Refused):
    """Faster than a person can be."""

    def __init__(self) -> None:
        super().__init__("interest_too_fast")


class InterestTooOften(Refused):
    """From this address, with this e-mail address, or in all. Which of them is not told."""

    def __init__(self) -> None:
        super().__init__("interest_too_often")


class InterestLinkVoid(NotFound):
    """The link is not ours, or its time is over."""

    def __init__(self) -> None:
        super().__init__("interest_link_void")


class Interests:
    """Answers the four requests."""

    def __init__(
        self,
        *,
        settings: InterestSettings,
        catalogue: Catalogue,
        guard: Guard,
        pending: PendingInterests,
        limits: Limits,
        tokens: InterestTokens,
        submissions: Submissions,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._guard = guard
        self._pending = pending
        self._limits = limits
        self._tokens = tokens
        self._submissions = submissions
        self._now = now
        self._locks = KeyedLocks()

    async def form(self, request: requests.GetInterestForm) -> requests.InterestForm:
        """Raises InterestClosed."""
        await self._check_open()
        form = self._catalogue.newest(self._settings.interest_form)
        if form is None:
            raise InterestClosed
        return requests.InterestForm(
            questionnaire=form.canonical,
            title=localized(form.title, request.language),
            description=localized(form.description, request.language),
            items=_items(form, request, self._now().date()),
            token=self._tokens.of_form(form.canonical, self._now()),
        )

    async def express(self, request: requests.ExpressInterest) -> requests.InterestNoted:
        """Keep a filled-in form until it is confirmed.

        Raises:
            InterestClosed, InterestFormVoid, InterestTooFast, InterestTooOften: see there.
            RequestInvalid: names every answer that is not as it should be.
        """
        try:
            handed_out = self._tokens.read_form(request.token)
        except TokenVoid:
            raise InterestFormVoid from None
        reference = derive_reference("interest", request.command_id)
        async with self._locks.holding(reference):
            found = await self._pending.find(reference)
            if found is None:
                return await self._express(request, handed_out, reference)
        return _noted(found.interest)

    async def _express(
        self, request: requests.ExpressInterest, handed_out: HandedOut, reference: str
    ) -> requests.InterestNoted:
        now = self._now()
        await self._check_open()
        if now - handed_out.at > OLDEST:
            raise InterestFormVoid
        if now - handed_out.at < FASTEST:
            raise InterestTooFast
        form = self._catalogue.version(handed_out.questionnaire)
        if form is None:
            raise InterestFormVoid
        answers = _checked(form, request, now.date())
        interest = KeptInterest(
            reference=reference,
            submission=submission_id(reference),
            questionnaire=form.canonical,
            language=request.language,
            email=_email(form, answers),
            answers=answers,
            at=now,
            expires_at=now + CONFIRM_WITHIN,
            token=self._tokens.of_confirmation(reference),
        )
        if request.website.strip():  # whatever filled it in should not learn that it was found out
            log.info("interest.of_a_program")
            return _noted(interest)
        await self._count(request, interest)
        if await self._pending.create(interest):
            return _noted(interest)
        kept = await self._pending.find(reference)  # another replica was faster with the same command
        return _noted(interest if kept is None else kept.interest)

    async def _count(self, request: requests.ExpressInterest, interest: KeptInterest) -> None:
        """Raises InterestTooOften. What one address sends too often takes nothing away from the others."""
        try:
            address = network(request.address)
        except AddressInvalid:
            raise Malformed("address", "network_address_shape") from None
        for what, whom, at_most in (
            ("interest-address", address, self._settings.interest_per_address),
            ("interest-email", normalised_address(interest.email), self._settings.interest_per_email),
            ("interest-all", "", self._settings.interest_in_all),
        ):
            if not await self._limits.take(what, whom, at_most=at_most):
                log.info("interest.too_often", what=what)
                raise InterestTooOften

    async def show(self, request: requests.ShowInterest) -> requests.Interest:
        """Raises InterestLinkVoid."""
        interest = (await self._found(self._reference(request.token))).interest
        if interest.confirmed:
            return requests.Interest(reference=interest.reference, confirmed=True)
        form = self._version(interest)
        shown = content.answers_shown(form, interest.answers, request.language)
        return requests.Interest(reference=interest.reference, confirmed=False, answers=shown)

    async def confirm(self, request: requests.ConfirmInterest) -> requests.InterestConfirmed:
        """Put it on record. Raises InterestLinkVoid, InterestClosed."""
        reference = self._reference(request.token)
        async with self._locks.holding(reference):
            found = await self._found(reference)
            position = found.interest.position
            if position is None:
                await self._check_open()
                position = await self._append(found.interest)
                await self._pending.confirm(found, position)
        return requests.InterestConfirmed(
            reference=reference, submission=found.interest.submission, position=position
        )

    async def _append(self, interest: KeptInterest) -> int:
        """The position of the submission, whoever appended it."""
        submitted = interest_submission.submitted(
            self._version(interest), interest, account=self._settings.interest_account, at=self._now()
        )
        effect = await self._submissions.carry_out(
            submitted.id,
            submitted.command_id,
            decide=lambda state: domain.decide_submission(submitted, state),
            record=_recording,
            probably_new=True,
        )
        return effect.position

    async def _check_open(self) -> None:
        if not await self._guard.knows_account(self._settings.interest_account):
            raise InterestClosed

    def _reference(self, token: str) -> str:
        try:
            return self._tokens.read_confirmation(token)
        except TokenVoid:
            raise InterestLinkVoid from None

    async def _found(self, reference: str) -> Found:
        found = await self._pending.find(reference)
        if found is None or not (found.interest.confirmed or self._now() < found.interest.expires_at):
            raise InterestLinkVoid
        return found

    def _version(self, interest: KeptInterest) -> Questionnaire:
        form = self._catalogue.version(interest.questionnaire)
        if form is None:  # published versions stay: this replica has not heard of it yet
            raise Unavailable
        return form


def endpoints(interests: Interests) -> list[Endpoint[Any, Any]]:
    """One per subject of the contract."""
    return [
        Endpoint(subject=requests.INTEREST_FORM, request=requests.GetInterestForm, handler=interests.form),
        Endpoint(
            subject=requests.EXPRESS_INTEREST, request=requests.ExpressInterest, handler=interests.express
        ),
        Endpoint(subject=requests.SHOW_INTEREST, request=requests.ShowInterest, handler=interests.show),
        Endpoint(
            subject=requests.CONFIRM_INTEREST, request=requests.ConfirmInterest, handler=interests.confirm
        ),
    ]


def _items(
    form: Questionnaire, request: requests.GetInterestForm, today: date
) -> tuple[requests.ShownItem, ...]:
    whole = tuple(content.shown_item(item, request.language) for item in form.item)
    if request.answers is None:
        return whole
    asked = evaluator.enabled(form, _typed(form, request.answers, today))
    return content.those_asked(whole, asked, form.depended_on)


def _typed(
    form: Questionnaire, answers: Mapping[str, tuple[str, ...]], today: date
) -> dict[str, tuple[str, ...]]:
    """Files are not among it: a stranger has uploaded none."""
    return {
        link_id: evaluator.normalised(item, answers[link_id], today=today)[0]
        for link_id, item in form.items.items()
        if link_id in answers and item.is_answered and item.type is not ItemType.ATTACHMENT
    }


def _checked(
    form: Questionnaire, request: requests.ExpressInterest, today: date
) -> dict[str, tuple[str, ...]]:
    """The answers to what is asked.

    Raises:
        RequestInvalid: names every question whose answer is not as it should be.
    """
    typed = _typed(form, request.answers, today)
    found = evaluator.problems(form, typed, today=today)
    if found:
        raise RequestInvalid(answering.field_errors(form, found, request.language))
    return evaluator.kept(form, typed)


def _email(form: Questionnaire, answers: evaluator.Answers) -> str:
    """Where the confirmation goes. Raises InterestClosed for a form that does not ask for it."""
    for link_id, values in answers.items():
        if form.items[link_id].type is ItemType.EMAIL:
            return values[0]
    log.error("interest.form_without_email", questionnaire=form.canonical)
    raise InterestClosed


def _recording(fact: domain.Submitted, after: domain.Submission) -> Recording:
    event = translate.event(
        fact,
        translate.Circumstances(
            event_id=uuid7(),
            subject=fact.id,
            revision=after.revision,
            via=Via.PORTAL,
            actor=interest_submission.NOBODY,
            correlation_id=fact.command_id,
            traceparent=telemetry.current_traceparent(),
        ),
    )
    return Recording(subjects.submission_events(fact.account, fact.id), event)


def _noted(interest: KeptInterest) -> requests.InterestNoted:
    return requests.InterestNoted(reference=interest.reference, expires_at=interest.expires_at)
