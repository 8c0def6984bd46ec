"""The requests that the intake service answers, and the status of each refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.intake import requests
from services.intake import domain, interest
from services.intake.commands import Commands
from services.intake.interest import Interests
from services.intake.queries import Queries
from services.runtime.requests import Endpoint

REFUSALS: Final[Mapping[type[Exception], int]] = {domain.NotPublished: 404, domain.Refusal: 409}


def endpoints(commands: Commands, queries: Queries, interests: Interests) -> list[Endpoint[Any, Any]]:
    """One per subject of the contract."""
    return [
        Endpoint(subject=requests.OFFER, request=requests.Offer, handler=queries.offer),
        Endpoint(subject=requests.TOPICS, request=requests.NameTopics, handler=queries.topics),
        Endpoint(subject=requests.START, request=requests.StartDraft, handler=commands.start),
        Endpoint(subject=requests.DRAFT, request=requests.GetDraft, handler=queries.draft),
        Endpoint(subject=requests.DRAFTS, request=requests.ListDrafts, handler=queries.drafts),
        Endpoint(subject=requests.ANSWER, request=requests.AnswerPage, handler=commands.answer),
        Endpoint(subject=requests.BACK, request=requests.GoBack, handler=commands.back),
        Endpoint(subject=requests.REVIEW, request=requests.ReviewDraft, handler=queries.review),
        Endpoint(subject=requests.SUBMIT, request=requests.SubmitDraft, handler=commands.submit),
        Endpoint(subject=requests.DISCARD, request=requests.DiscardDraft, handler=commands.discard),
        *interest.endpoints(interests),
    ]
