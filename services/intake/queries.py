"""What fits a question, and drafts as they stand."""

from __future__ import annotations

from contracts.intake import requests
from services.intake import answering, content, shown
from services.intake.catalogue import Catalogue
from services.intake.drafts import Drafts
from services.intake.questionnaire import localized
from services.intake.reading import Reading
from services.intake.submission import today, worded
from services.runtime.replica import Replica


class Queries:
    """The read side of the service."""

    def __init__(self, replica: Replica, catalogue: Catalogue, drafts: Drafts, reading: Reading) -> None:
        self._replica = replica
        self._catalogue = catalogue
        self._drafts = drafts
        self._reading = reading

    async def offer(self, query: requests.Offer) -> requests.Offers:
        """The questionnaires that fit the text, the best first. Raises Refused: the actor may not."""
        await self._replica.wait_for(query.at_least)
        await self._reading.require(query.actor, query.account)
        return requests.Offers(
            offers=tuple(
                requests.Offered(
                    questionnaire=offer.questionnaire.canonical,
                    topic=offer.questionnaire.topic,
                    title=localized(offer.questionnaire.title, query.language),
                    description=localized(offer.questionnaire.description, query.language),
                    because=offer.words,
                )
                for offer in self._catalogue.ranking.offers(query.text)
            )
        )

    async def topics(self, query: requests.NameTopics) -> requests.TopicNames:
        """What topics are called."""
        names = {
            topic: localized(questionnaire.title, query.language)
            for topic, questionnaire in self._catalogue.by_topic.items()
        }
        return requests.TopicNames(
            topics=tuple(requests.TopicName(topic=topic, title=names[topic]) for topic in sorted(names))
        )

    async def draft(self, query: requests.GetDraft) -> requests.DraftShown:
        """A draft where it was left, or one of its pages. Raises as `Reading.open`."""
        opened = await self._reading.open(query.actor, query.account, query.draft)
        at = opened.draft.page if query.page is None else query.page
        return shown.draft(opened.kept, opened.questionnaire, at, await opened.files())

    async def drafts(self, query: requests.ListDrafts) -> requests.DraftList:
        """One's own drafts in an account. Raises Refused: the actor may not."""
        actor = await self._reading.require(query.actor, query.account)
        kept = await self._drafts.list(actor, query.account)
        return requests.DraftList(
            drafts=tuple(shown.summary(each, self._reading.opened(each).questionnaire) for each in kept)
        )

    async def review(self, query: requests.ReviewDraft) -> requests.DraftReview:
        """All answers, what is dropped, and what is still missing. Raises as `Reading.open`."""
        opened = await self._reading.open(query.actor, query.account, query.draft)
        draft, questionnaire = opened.draft, opened.questionnaire
        names = {each.id: each.name for each in (await opened.files()).values()}
        problems = await answering.problems(
            questionnaire, draft.answers, today=today(), find_upload=opened.find_upload
        )
        answers = worded(content.answers_shown(questionnaire, draft.answers, draft.language), names)
        return shown.review(
            opened.kept,
            questionnaire,
            ticket_title=content.ticket_title(
                questionnaire, draft.answers, draft.language, otherwise=content.first_line(draft.message)
            ),
            answers=answers,
            dropped=answering.dropped_shown(questionnaire, draft.answers, draft.language, names),
            problems=answering.problems_shown(questionnaire, problems, draft.language),
        )
