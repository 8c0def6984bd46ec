"""Every form, sent twice with the very same body: one effect, and a second answer that misleads nobody."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from nats.js import JetStreamContext

from contracts.subjects import DRAFTS, INTERESTS, STREAMS, bucket_stream
from tests.portal import ready_forms as ready
from tests.portal.desk import DeskSystem
from tests.portal.found_forms import forms_of
from tests.portal.gallery import PEOPLE, furnished, kind, sights
from tests.portal.ready_forms import TEXT, Made, of_member, of_profile, of_ticket
from tests.portal.system import ANNA, KATARZYNA, an_address

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300), pytest.mark.pages]

BUCKETS: Final = {bucket_stream(DRAFTS): "draft", bucket_stream(INTERESTS): "interest"}
BY_ITSELF: Final = ("update", "mail.queued", "mail.sending", "mail.sent", "mail.deferred", "mail.dead")
"""What notify does after events, at its own time."""
WITHIN_S: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A form: the kind of its address, what sending it does, and the kind of page where that leads.

    `does` are the kinds of events and of entries of buckets.
    """

    form: str
    made: Made
    does: tuple[str, ...] = ()
    lands: str


TICKET: Final = "/tickets/x"
AT_THE_DESK: Final = "/desk/tickets/x"
DRAFT: Final = "/help/acme-clinic/x"
PEOPLE_PAGE: Final = "/people?account&done"

SENDINGS: Final = {
    "reply": Sending(
        form=f"{TICKET}/reply", made=of_ticket(ANNA, "/reply", {"text": TEXT}),
        does=("ticket.replied",), lands=TICKET,
    ),
    "reply with a file": Sending(
        form=f"{TICKET}/reply", made=ready.reply_with_file, does=("ticket.replied",), lands=TICKET
    ),
    "close": Sending(
        form=f"{TICKET}/close", made=of_ticket(ANNA, "/close", {"reason": "solved"}),
        does=("ticket.closed",), lands=TICKET,
    ),
    "reopen": Sending(
        form=f"{TICKET}/reopen", made=of_ticket(ANNA, "/reopen", {"text": TEXT}, is_closed=True),
        does=("ticket.reopened",), lands=TICKET,
    ),
    "reopen with the kept text": Sending(
        form=f"{TICKET}/reopen", made=ready.reopening_with_the_kept_text,
        does=("ticket.reopened",), lands=TICKET,
    ),
    "reply of an agent": Sending(
        form=f"{AT_THE_DESK}/reply", made=of_ticket(KATARZYNA, "/reply", {"text": TEXT}),
        does=("ticket.replied",), lands=AT_THE_DESK,
    ),
    "reply and close": Sending(
        form=f"{AT_THE_DESK}/reply-and-close/solved",
        made=of_ticket(KATARZYNA, "/reply-and-close/solved", {"text": TEXT}),
        does=("ticket.replied", "ticket.closed"), lands=AT_THE_DESK,
    ),
    "close of an agent": Sending(
        form=f"{AT_THE_DESK}/close", made=of_ticket(KATARZYNA, "/close", {"reason": "declined"}),
        does=("ticket.closed",), lands=AT_THE_DESK,
    ),
    "reopen of an agent": Sending(
        form=f"{AT_THE_DESK}/reopen", made=of_ticket(KATARZYNA, "/reopen", {"text": TEXT}, is_closed=True),
        does=("ticket.reopened",), lands=AT_THE_DESK,
    ),
    "how can we help": Sending(form="/help", made=ready.asking, lands="/help"),
    "an offer": Sending(form="/help", made=ready.starting, does=("draft",), lands=f"{DRAFT}?page"),
    "change the text": Sending(form="/help", made=ready.changing_the_text, lands="/help"),
    "answer": Sending(form=DRAFT, made=ready.answering(), does=("draft",), lands=f"{DRAFT}?page"),
    "answer with a file": Sending(
        form=DRAFT, made=ready.answering_with_a_file, does=("draft",), lands=f"{DRAFT}/check"
    ),
    "save and come back": Sending(
        form=DRAFT, made=ready.answering(later="1"), does=("draft",), lands="/help?account&saved"
    ),
    "back": Sending(form=f"{DRAFT}/back", made=ready.going_back, does=("draft",), lands=f"{DRAFT}?page"),
    "back from the check": Sending(
        form=f"{DRAFT}/back", made=ready.going_back_from_the_check, does=("draft",), lands=f"{DRAFT}?page"
    ),
    "discard": Sending(
        form=f"{DRAFT}/discard", made=ready.discarding, does=("draft",), lands="/help?account&discarded"
    ),
    "submit": Sending(
        form=f"{DRAFT}/check", made=ready.submitting,
        does=("draft", "draft", "submission.submitted", "ticket.opened"), lands=f"{TICKET}?opened",
    ),
    "invite": Sending(
        form="/people/invite?account", made=ready.inviting, does=("member.invited",), lands=PEOPLE_PAGE
    ),
    "change a role": Sending(
        form="/people/x/role?account", made=of_member("role", {"role": "admin"}),
        does=("member.changed",), lands=PEOPLE_PAGE,
    ),
    "remove": Sending(
        form="/people/x/remove?account", made=of_member("remove"), does=("member.removed",), lands=PEOPLE_PAGE
    ),
    "leave": Sending(
        form="/people/x/remove?account", made=ready.leaving, does=("member.removed",), lands="/"
    ),
    "withdraw": Sending(
        form="/people/x/withdraw?account", made=ready.withdrawing,
        does=("invitation.withdrawn",), lands=PEOPLE_PAGE,
    ),
    "accept": Sending(
        form="/invitation?token", made=ready.accepting, does=("member.joined",), lands="/tickets?account"
    ),
    "stop e-mails": Sending(
        form="/mail/stop?token", made=ready.stopping_mail, does=("person.changed",), lands="/mail/stop?token"
    ),
    "name and language": Sending(
        form="/profile", made=of_profile("name", {"name": "Ewa Łoś", "language": "pl"}),
        does=("person.changed",), lands="/profile?done",
    ),
    "which e-mails": Sending(
        form="/profile", made=of_profile("mail", {"tickets": "mine"}),
        does=("person.changed",), lands="/profile?done",
    ),
    "sign out elsewhere": Sending(
        form="/profile", made=of_profile("", {"session": "others"}), lands="/profile?done"
    ),
    "choose an account": Sending(form="/account", made=ready.choosing_an_account, lands="/tickets"),
    "choose a language": Sending(form="/language", made=ready.choosing_a_language, lands="/"),
    "sign out": Sending(form="/sign-out", made=ready.signing_out, lands="/sign-out"),
    "interest": Sending(
        form="/interest", made=ready.expressing_interest, does=("interest",), lands="/interest/sent?reference"
    ),
    "confirm": Sending(
        form="/interest/confirm", made=ready.confirming_interest,
        does=("interest", "submission.submitted", "ticket.opened"), lands="/interest/confirm?token",
    ),
    "make an account": Sending(
        form="/desk/partners/x", made=ready.admitting,
        does=("account.registered", "member.invited"), lands="/desk/partners/x",
    ),
    "dismiss": Sending(
        form="/desk/mails/received/x/dismiss", made=ready.dismissing,
        does=("mail.settled",), lands="/desk/mails?settled",
    ),
    "put on a ticket": Sending(
        form="/desk/mails/received/x/ticket", made=ready.putting_on_a_ticket,
        does=("mail.settling", "mail.settled", "ticket.replied"), lands=AT_THE_DESK,
    ),
    "send again": Sending(
        form="/desk/mails/given-up", made=ready.sending_again,
        does=("mail.revived",), lands="/desk/mails/given-up?again",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effects:
    """What came into the streams and buckets since a moment."""

    js: JetStreamContext
    since: dict[str, int]

    async def found(self) -> list[str]:
        """Their kinds, sorted, without what follows at its own time."""
        kinds: list[str] = []
        for stream, before in self.since.items():
            last = (await self.js.stream_info(stream)).state.last_seq
            if stream in BUCKETS:  # which keep the last entry only
                kinds += [BUCKETS[stream]] * (last - before)
                continue
            for position in range(before + 1, last + 1):
                message = await self.js.get_msg(stream, position)
                kinds.append(_kind(message.data or b""))
        return sorted(each for each in kinds if not each.startswith(BY_ITSELF))

    async def until(self, expected: list[str]) -> list[str]:
        """What is there, once it is as much as is expected: a service may do its part a moment later."""
        async with asyncio.timeout(WITHIN_S):
            while Counter(expected) - Counter(found := await self.found()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # nothing here could wake us
        return found


def _kind(document: bytes) -> str:
    told: dict[str, Any] = json.loads(document)
    return str(told["type"]).removeprefix("casetrail.").rpartition(".")[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def js(desk: DeskSystem) -> AsyncIterator[JetStreamContext]:
    yield (await desk.system.connect("root")).jetstream()


async def _effects(js: JetStreamContext) -> Effects:
    kept = [*(stream.name for stream in STREAMS), *BUCKETS]
    return Effects(js, {name: (await js.stream_info(name)).state.last_seq for name in kept})


def _landed(answer: httpx2.Response) -> str:
    at = urlsplit(str(answer.url))
    return kind(at.path + (f"?{at.query}" if at.query else ""))


def _told(answer: httpx2.Response) -> str:
    """What an answer comes down to, for the message of a failure."""
    return f"{answer.status_code} {_landed(answer)}"


def _is_as_the_first(answer: httpx2.Response, sending: Sending) -> bool:
    return (
        answer.status_code == 200
        and _landed(answer) == sending.lands
        and "govuk-error-summary" not in answer.text
        and 'class="notice notice--problem"' not in answer.text
    )


@pytest.mark.parametrize("name", SENDINGS)
async def test_a_form_that_is_sent_again_has_one_effect(
    desk: DeskSystem, js: JetStreamContext, name: str
) -> None:
    sending = SENDINGS[name]
    form = await sending.made(desk)
    effects = await _effects(js)
    first = await form.post()
    assert _is_as_the_first(first, sending), _told(first)
    assert await effects.until(sorted(sending.does)) == sorted(sending.does)
    second = await form.post()
    assert await effects.found() == sorted(sending.does)
    assert _is_as_the_first(second, sending), _told(second)


@pytest.mark.parametrize("name", SENDINGS)
async def test_a_form_that_is_sent_twice_at_once_has_one_effect(
    desk: DeskSystem, js: JetStreamContext, name: str
) -> None:
    sending = SENDINGS[name]
    form = await sending.made(desk)
    effects = await _effects(js)
    answers = await asyncio.gather(form.post(), form.post())
    assert await effects.until(sorted(sending.does)) == sorted(sending.does)
    assert all(_is_as_the_first(answer, sending) for answer in answers), [*map(_told, answers)]


async def test_no_form_of_a_page_is_left_out(desk: DeskSystem) -> None:
    found: set[str] = set()
    everybody = {who: await desk.system.browser(email, address=an_address()) for who, email in PEOPLE.items()}
    for sight in await sights(desk.system, await furnished(desk)):
        page = await everybody[sight.who].get(sight.path)
        for form in forms_of(sight, page.text):
            found |= {kind(address) for address in (form.action, *form.buttons)}
    one_reason = {re.sub(r"(/reply-and-close)/.*", r"\1/solved", each) for each in found}
    assert one_reason - {each.form for each in SENDINGS.values()} == set()
