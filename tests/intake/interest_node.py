"""The interest form as its callers reach it: a replica of that part of intake, and strangers who ask it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from contracts.errors import STATUS_HEADER, ErrorReply
from contracts.intake.events import QuestionnairePublished, QuestionnairePublishedV1, SubmittedV1
from contracts.intake.events import parse_intake_event as parse
from contracts.intake.requests import SERVICE, PendingInterest
from contracts.subjects import INTAKE, INTERESTS, questionnaire_events, request, submission_events
from services.guard.guard import Guard
from services.intake import domain, translate
from services.intake.catalogue import Catalogue, content_digest, version_id
from services.intake.interest import Interests, endpoints
from services.intake.interest_settings import InterestSettings
from services.intake.limits import Limits
from services.intake.links import InterestTokens
from services.intake.pending import PendingInterests
from services.intake.questionnaire import load_document
from services.intake.view import IntakeView
from services.runtime.aggregate_commands import AggregateCommands, Cache
from services.runtime.cancel import cancel
from services.runtime.log import Log
from services.runtime.replica import Replica
from services.runtime.requests import Metrics, RequestService
from services.runtime.settings import load

KEY: Final = "the key of these tests, long enough to be one"
ACCOUNT: Final = "new-partners"
EMAIL: Final = "Ewa.Lis@Lakowa.example"
FORM_URL: Final = "https://casetrail.example/questionnaires/interest"
CANONICAL: Final = f"{FORM_URL}|1.0"
FORM: Final[dict[str, Any]] = {
    "url": FORM_URL,
    "version": "1.0",
    "status": "active",
    "languages": ["en", "pl"],
    "title": {"en": "Become a partner", "pl": "Zostań partnerem"},
    "description": {"en": "For companies", "pl": "Dla firm"},
    "topic": "new-partner",
    "ticketTitle": {"en": "New partner: {company}", "pl": "Nowy partner: {company}"},
    "messageItem": "wish",
    "item": [
        {"linkId": "company", "type": "string", "text": {"en": "Company", "pl": "Firma"}, "required": True},
        {
            "linkId": "contact",
            "type": "group",
            "text": {"en": "Contact", "pl": "Kontakt"},
            "item": [
                {
                    "linkId": "address",
                    "type": "email",
                    "text": {"en": "E-mail", "pl": "E-mail"},
                    "required": True,
                },
                {"linkId": "vat", "type": "string", "text": {"en": "VAT", "pl": "NIP"}, "identifier": "vat"},
            ],
        },
        {
            "linkId": "kind",
            "type": "choice",
            "text": {"en": "What are you?", "pl": "Czym jesteście?"},
            "required": True,
            "answerOption": [
                {"code": "clinic", "text": {"en": "A clinic", "pl": "Przychodnia"}},
                {"code": "site", "text": {"en": "A booking site", "pl": "Serwis rezerwacyjny"}},
            ],
        },
        {
            "linkId": "traffic",
            "type": "integer",
            "text": {"en": "Visits", "pl": "Odwiedziny"},
            "required": True,
            "enableWhen": [{"question": "kind", "answer": "site"}],
        },
        {"linkId": "wish", "type": "text", "text": {"en": "Your plans", "pl": "Wasze plany"}},
        {"linkId": "logo", "type": "attachment", "text": {"en": "Logo", "pl": "Logo"}},
    ],
}
ANSWERS: Final[dict[str, list[str]]] = {
    "company": ["Przychodnia Łąkowa"],
    "address": [EMAIL],
    "vat": ["PL5260250274"],
    "kind": ["clinic"],
    "wish": ["We would like to offer\nour appointments."],
}


class Clock:
    """The time, which goes on when it is told to."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.at

    def next_hour(self) -> None:
        """To the beginning of an hour, in which nothing was counted yet."""
        self.at = self.at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)

    def __iadd__(self, seconds: float) -> Clock:
        self.at += timedelta(seconds=seconds)
        return self


class Node:
    """One replica of the service, with the four requests and nothing else."""

    def __init__(self, nc: Client, directory: Path, **settings: Any) -> None:
        self.nc = nc
        self.clock = Clock()
        self.settings = load(InterestSettings, link_key_file=_key(directory), **settings)
        key = self.settings.link_key()
        catalogue = Catalogue()
        submissions: Cache[domain.Submission, domain.Submitted] = Cache(
            size=10, read=translate.read_submission_fact, evolve=domain.evolve_submission
        )
        self.guard = Guard(nc, user="intake", max_age_s=10)
        self.replica = Replica(
            nc, INTAKE, IntakeView(), directory, user="intake", on_documents=catalogue.take_in
        )
        self.interests = Interests(
            settings=self.settings,
            catalogue=catalogue,
            guard=self.guard,
            pending=PendingInterests(nc.jetstream()),
            limits=Limits(nc.jetstream(), key, self.clock),
            tokens=InterestTokens(key),
            submissions=AggregateCommands(
                Log(nc, INTAKE), self.replica, submissions, refusal=domain.Refusal, certain=()
            ),
            now=self.clock,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Node]:
        tasks = [asyncio.create_task(self.guard.run()), asyncio.create_task(self.replica.run())]
        service = RequestService(
            self.nc, name=SERVICE, version="1.0.0", description="", refusals={},
            metrics=Metrics(CollectorRegistry()), max_concurrent=100, timeout_s=10,
        )  # fmt: skip
        try:
            await self.guard.caught_up()
            await self.replica.caught_up()
            await service.start(endpoints(self.interests))
            yield self
            await service.stop(timeout_s=2)
        finally:
            await cancel(tasks)
            self.replica.close()


class Stranger:
    """Somebody with a browser, an e-mail address and a network address that nobody else has."""

    def __init__(self, node: Node, *, asking: Client | None = None, looking: Client | None = None) -> None:
        """`asking` sends the requests, `looking` sees what stands in the log."""
        self.node = node
        self._asking = asking or node.nc
        self._looking = looking or node.nc
        unique = uuid.uuid4().int
        self.email = f"ewa{unique % 10**9}@lakowa.example"
        self.address = f"2001:db8:{unique & 0xFFFF:x}:{unique >> 16 & 0xFFFF:x}::1"

    async def ask(self, name: str, /, **body: Any) -> tuple[str | None, Any]:
        raw = json.dumps(body).encode()
        reply = await self._asking.request(request(SERVICE, name), raw, timeout=15)
        return (reply.headers or {}).get(STATUS_HEADER), json.loads(reply.data)

    async def done(self, name: str, /, **body: Any) -> dict[str, Any]:
        status, answer = await self.ask(name, **body)
        assert status is None, answer
        assert isinstance(answer, dict)
        return answer

    async def refused(self, name: str, /, **body: Any) -> ErrorReply:
        status, answer = await self.ask(name, **body)
        assert status is not None, answer
        return ErrorReply.model_validate(answer)

    async def filled_in(self, *, after_s: float = 60, language: str = "en", **more: Any) -> dict[str, Any]:
        """What is sent, so long after the form was handed out; the answers of `more` in place of others."""
        form = await self.done("interest_form", language=language)
        self.node.clock += after_s
        return {
            "command_id": uuid.uuid4().hex,
            "token": form["token"],
            "language": language,
            "answers": {**ANSWERS, "address": [self.email]},
            "address": self.address,
            **more,
        }

    async def express(self, **more: Any) -> str:
        """The token of the link that notify sends."""
        noted = await self.done("express_interest", **await self.filled_in(**more))
        return (await self.kept(noted["reference"])).token

    async def kept(self, reference: str) -> PendingInterest:
        found = await PendingInterests(self.node.nc.jetstream()).find(reference)
        assert found is not None
        return found.interest

    async def entries(self) -> int:
        """How many entries the bucket has."""
        return (await self.node.nc.jetstream().stream_info(f"KV_{INTERESTS}")).state.messages

    async def submissions(self, submission: str) -> list[SubmittedV1]:
        """What stands in the log of a submission."""
        js = self._looking.jetstream()
        subject = submission_events(ACCOUNT, submission)
        info = await js.stream_info(INTAKE.name, subjects_filter=subject)
        count = (info.state.subjects or {}).get(subject, 0)
        if not count:
            return []
        event = parse((await js.get_last_msg(INTAKE.name, subject)).data or b"")
        assert isinstance(event, SubmittedV1)
        return [event] * count


def _key(directory: Path) -> Path:
    file = directory.parent / "links.key"
    file.write_text(KEY)
    return file


async def publish(nc: Client, document: dict[str, Any] = FORM) -> None:
    """Put a version of a questionnaire on record, as the service does it from a file."""
    questionnaire = load_document(document)
    subject = version_id(questionnaire.canonical)
    event = QuestionnairePublishedV1(
        id=uuid.uuid4().hex, source="/casetrail/intake", subject=subject, time=datetime.now(UTC),
        account="platform", revision=1, actor="system:intake", via="api",
        commandid=uuid.uuid4().hex, correlationid="test",
        data=QuestionnairePublished(
            questionnaire=questionnaire.canonical,
            sha256=content_digest(questionnaire),
            document=questionnaire.document(),
        ),
    )  # fmt: skip
    await nc.jetstream().publish(
        questionnaire_events(subject), event.model_dump_json(exclude_none=True).encode()
    )
