"""What topics are called: as the questionnaires that are about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import nats.errors

from contracts.client import RequestFailed, call
from contracts.intake import requests
from services.portal.site import Visit

_NAMED_WITHIN_S: Final = 1.0
"""A page shows the topics themselves rather than wait."""


async def topic_names(visit: Visit) -> Mapping[str, str]:
    """The names in the visitor's language, by topic. Not every topic has one, and none when nobody says."""
    query = requests.NameTopics(language=visit.language)
    try:
        answer = await call(
            visit.site.nc, requests.TOPICS, query, requests.TopicNames, timeout_s=_NAMED_WITHIN_S
        )
    except (RequestFailed, nats.errors.Error, TimeoutError, OSError):
        return {}
    return {each.topic: each.title for each in answer.topics}
