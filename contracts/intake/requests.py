"""The requests of the intake service: what can be asked, and a draft from its first question to Submit.

Answers go over the wire as text, whatever a question's type is: `{"linkId": ["value", ...]}`; booleans as
`true` and `false`, dates as `2026-11-24`, a choice as its option's code, an attachment as its id. Whoever
shows a question finds in it what a person needs to answer it, in the language of the draft.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from contracts import subjects
from contracts.access.people import LanguageTag
from contracts.attachments.files import Attachment
from contracts.envelope import Timestamp
from contracts.number import TicketNumber
from contracts.reference import Reference
from contracts.requests import Answered, Command, Position, Query, Sent
from contracts.text import AccountId, Body, Code, CommandId, Line, ShortLine
from contracts.tickets.events import MAX_ANSWERS

SERVICE: Final = "intake"
OFFER: Final = subjects.request(SERVICE, "offer")
START: Final = subjects.request(SERVICE, "start")
DRAFT: Final = subjects.request(SERVICE, "draft")
DRAFTS: Final = subjects.request(SERVICE, "drafts")
ANSWER: Final = subjects.request(SERVICE, "answer")
BACK: Final = subjects.request(SERVICE, "back")
REVIEW: Final = subjects.request(SERVICE, "review")
SUBMIT: Final = subjects.request(SERVICE, "submit")
DISCARD: Final = subjects.request(SERVICE, "discard")
TOPICS: Final = subjects.request(SERVICE, "topics")
INTEREST_FORM: Final = subjects.request(SERVICE, "interest_form")
EXPRESS_INTEREST: Final = subjects.request(SERVICE, "express_interest")
SHOW_INTEREST: Final = subjects.request(SERVICE, "show_interest")
CONFIRM_INTEREST: Final = subjects.request(SERVICE, "confirm_interest")

MAX_VALUES: Final = 20
MAX_SENT_BYTES: Final = 256 * 1024

LinkId = ShortLine
Value = Annotated[str, Field(max_length=64 * 1024)]
DraftId = Annotated[str, Field(pattern="^[a-z0-9]{26}$")]
Revision = Annotated[int, Field(ge=1, lt=2**63)]
SentAnswers = Annotated[
    dict[LinkId, Annotated[tuple[Value, ...], Field(max_length=MAX_VALUES)]], Field(max_length=MAX_ANSWERS)
]


def _check_size(answers: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    size = sum(len(text.encode("utf-8", "replace")) for values in answers.values() for text in values)
    if size > MAX_SENT_BYTES:
        raise PydanticCustomError(
            "answers_too_long",
            "has answers of {size} bytes in all, at most {limit} are allowed",
            {"size": size, "limit": MAX_SENT_BYTES},
        )
    return answers


# What a person is shown


class ItemType(StrEnum):
    """What a question asks for; `group` and `display` are not answered."""

    GROUP = "group"
    DISPLAY = "display"
    STRING = "string"
    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    CHOICE = "choice"
    URL = "url"
    EMAIL = "email"
    ATTACHMENT = "attachment"


class ShownOption(Answered):
    """One of the answers that a choice has."""

    code: Code
    text: Line


class ShownItem(Answered):
    """A question, a group of them or a text, as it is to be shown now."""

    link_id: LinkId
    type: ItemType
    text: str
    help: str | None = None
    required: bool = False
    repeats: bool = False
    options: tuple[ShownOption, ...] = ()
    min_length: int | None = None
    max_length: int | None = None
    min_value: Annotated[str | None, Field(description="A number, or a date")] = None
    max_value: str | None = None
    min_occurs: int | None = None
    max_occurs: int | None = None
    identifier: Annotated[Code | None, Field(description="The answer is an identifier of this kind")] = None
    others_depend: Annotated[bool, Field(description="Which other questions are asked hangs on it")] = False
    values: Annotated[tuple[str, ...], Field(description="What was answered before")] = ()
    attachments: Annotated[tuple[Attachment, ...], Field(description="Those that `values` name")] = ()
    items: tuple[ShownItem, ...] = ()


class ShownPage(Answered):
    """One thing at a time: a question, or a group that belongs together."""

    link_id: LinkId
    item: ShownItem
    number: Annotated[int, Field(description="1, 2, 3... among the pages known now")]
    of: Annotated[int, Field(description="Pages known now; answers may add some or take some away")]


class AnswerShown(Answered):
    """An answer in words, as the ticket will have it."""

    link_id: LinkId
    page: Annotated[LinkId, Field(description="The page where it is changed")]
    question: str
    values: tuple[str, ...]


class Problem(Answered):
    """Why a draft cannot be submitted yet."""

    link_id: LinkId
    page: LinkId
    question: str
    rule: Annotated[str, Field(description="`contracts.wording.rule` has the words")]
    data: Annotated[dict[str, str | int], Field(default_factory=dict)]


# Before a draft


class Offer(Query):
    """Which questionnaires fit what somebody typed into "How can we help?"."""

    account: AccountId
    text: Body
    language: LanguageTag


class Offered(Answered):
    """A questionnaire that may be started."""

    questionnaire: Annotated[ShortLine, Field(description="url|version")]
    topic: Code
    title: str
    description: str
    because: Annotated[
        tuple[str, ...], Field(description="The words that made it fit, as they were typed")
    ] = ()


class Offers(Answered):
    """The questionnaires, the best fitting first, "something else" last."""

    offers: tuple[Offered, ...]


class NameTopics(Sent):
    """What topics are called. Questionnaires are no secret, so nobody has to say who asks."""

    language: LanguageTag


class TopicName(Answered):
    """A topic, and the title of the one questionnaire that is about it."""

    topic: Code
    title: str


class TopicNames(Answered):
    """The topics that have a name: those that no questionnaire is about, or several are, have none."""

    topics: tuple[TopicName, ...]


# Drafts


class StartDraft(Command):
    """Begin to answer a questionnaire. Repeated with the same command id it is the same draft."""

    questionnaire: Annotated[ShortLine, Field(description="url|version, as it was offered")]
    message: Annotated[Body, Field(description='What was typed into "How can we help?"')]
    language: LanguageTag
    follows: TicketNumber | None = None


class DraftQuery(Query):
    """Asks about a draft of one's own."""

    account: AccountId
    draft: DraftId


class GetDraft(DraftQuery):
    """The draft where it was left, or one of its pages."""

    page: LinkId | None = None


class ListDrafts(Query):
    """One's own drafts in an account, the one changed last first."""

    account: AccountId


class DraftCommand(Command):
    """Asks for a change of a draft that nobody has changed since `revision`."""

    draft: DraftId
    revision: Annotated[Revision, Field(description="`revision` of the draft as it was shown")]


class AnswerPage(DraftCommand):
    """Answer the questions of a page; those that are left out, or empty, have no answer any more."""

    page: LinkId
    answers: SentAnswers

    @field_validator("answers")
    @classmethod
    def _answers_fit(cls, answers: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return _check_size(answers)


class GoBack(DraftCommand):
    """To the page before this one."""

    page: Annotated[LinkId | None, Field(description="Absent: the review")] = None


class ReviewDraft(DraftQuery):
    """All answers, for a last look."""


class SubmitDraft(DraftCommand):
    """Ask for the ticket."""


class DiscardDraft(Command):
    """Throw a draft away, whatever its revision."""

    draft: DraftId


class DraftSummary(Answered):
    """A draft as one line of a list."""

    draft: DraftId
    account: AccountId
    revision: Revision
    questionnaire: ShortLine
    title: Annotated[str, Field(description="Of the questionnaire")]
    topic: Code
    language: LanguageTag
    message: str
    started_at: Timestamp
    updated_at: Timestamp
    expires_at: Annotated[Timestamp, Field(description="It is gone then, unless it is changed before")]
    follows: TicketNumber | None = None


class DraftShown(DraftSummary):
    """A draft and the page to be answered next; without a page, everything is answered."""

    page: ShownPage | None = None


class DraftList(Answered):
    """Drafts."""

    drafts: tuple[DraftSummary, ...]


class DraftReview(DraftSummary):
    """What the ticket will say, what it will not, and what is still missing."""

    ticket_title: str
    answers: tuple[AnswerShown, ...]
    dropped: Annotated[
        tuple[AnswerShown, ...], Field(description="Answers to questions that are not asked any more")
    ] = ()
    problems: Annotated[tuple[Problem, ...], Field(description="Empty: it can be submitted")] = ()


class DraftDiscarded(Answered):
    """It is gone."""

    draft: DraftId


class SubmissionRecorded(Answered):
    """The submission is on record, and a ticket will be opened from it (`requests.tickets.submission`)."""

    submission: DraftId
    account: AccountId
    position: Annotated[Position, Field(description="In the log of intake")]
    at: Timestamp


# Those who are no partners yet


class GetInterestForm(Sent):
    """The interest form: whole, or what of it is asked after these answers."""

    language: LanguageTag
    answers: Annotated[
        SentAnswers | None, Field(description="What was typed so far. Absent: every question, asked or not")
    ] = None

    @field_validator("answers")
    @classmethod
    def _answers_fit(cls, answers: dict[str, tuple[str, ...]] | None) -> dict[str, tuple[str, ...]] | None:
        return None if answers is None else _check_size(answers)


class InterestForm(Answered):
    """The form, and a token that tells when it was handed out."""

    questionnaire: ShortLine
    title: str
    description: str
    items: tuple[ShownItem, ...]
    token: str


class ExpressInterest(Sent):
    """A filled-in interest form, from somebody whom nobody knows."""

    command_id: CommandId
    token: Annotated[str, Field(min_length=1, max_length=512)]
    language: LanguageTag
    answers: SentAnswers
    website: Annotated[
        str, Field(max_length=1000, description="Nobody sees this field: whatever fills it in is a program")
    ] = ""
    address: Annotated[
        str, Field(min_length=1, max_length=64, description="Network address that it came from")
    ]

    @field_validator("answers")
    @classmethod
    def _answers_fit(cls, answers: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return _check_size(answers)


class InterestNoted(Answered):
    """An e-mail is on its way; its link makes this a request."""

    reference: Reference
    expires_at: Timestamp


class ShowInterest(Sent):
    """What the link of a confirmation e-mail is about. Opening the link changes nothing."""

    token: Annotated[str, Field(min_length=1, max_length=512)]
    language: LanguageTag


class Interest(Answered):
    """An interest that somebody expressed."""

    reference: Reference
    confirmed: bool
    answers: Annotated[tuple[AnswerShown, ...], Field(description="While it is not confirmed")] = ()


class ConfirmInterest(Sent):
    """The address is right and the interest is meant."""

    token: Annotated[str, Field(min_length=1, max_length=512)]


class InterestConfirmed(Answered):
    """The request is on record."""

    reference: Reference
    submission: DraftId
    position: Position


class PendingInterest(Answered):
    """An interest form that waits for its confirmation, as it stands in the bucket `INTERESTS`.

    The notify service sends the e-mail: `token` goes into its link.
    """

    reference: Reference
    submission: DraftId
    questionnaire: ShortLine
    language: LanguageTag
    email: str
    answers: dict[LinkId, tuple[Value, ...]]
    at: Timestamp
    expires_at: Timestamp
    token: str
    confirmed: bool = False
