"""From an update to what stands on the page, in the reader's language: one shape for all e-mails. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from contracts.number import shown
from contracts.wording import Language, Wording
from services.notify import words
from services.notify.marked_up import plain
from services.notify.received.delimiters import DELIMITERS
from services.notify.threading import cut, one_line
from services.notify.updates import (
    AddressFails,
    File,
    InterestConfirmation,
    InterestReceived,
    Invitation,
    ReplyRefused,
    Test,
    TicketNews,
    Unassigned,
    Update,
    What,
    Why,
)
from services.notify.words import said

_PREHEADER_CHARACTERS: Final = 140


class Row(NamedTuple):
    """A name and its value, which may have several lines."""

    label: str
    value: str


class Link(NamedTuple):
    """A way on."""

    label: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What stands on the page, from top to bottom. `text` is a person's, everything else is ours."""

    heading: str
    preheader: str
    delimiter: str | None = None
    over: str | None = None
    lead: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    text_label: str | None = None
    text: str | None = None
    answers_label: str = ""
    answers: tuple[Row, ...] = ()
    files_label: str = ""
    files: tuple[Row, ...] = ()
    links: tuple[Link, ...] = ()
    after: tuple[str, ...] = ()
    why: str | None = None


def sheet(update: Update, language: Language, *, answerable: bool) -> Sheet:
    """What stands on the page of the e-mail that tells of the update, to which one may answer or not."""

    def say(wording: Wording, **values: str) -> str:
        return said(wording, language, **values)

    match update:
        case TicketNews():
            return _news(update, language, say, answerable=answerable)
        case ReplyRefused():
            return _refused(update, language, say)
        case Invitation():
            return _invitation(update, language, say)
        case InterestConfirmation():
            return Sheet(
                heading=say(words.CONFIRM_SUBJECT),
                preheader=say(words.CONFIRM_ASKED),
                lead=(say(words.CONFIRM_ASKED),),
                rows=(Row(say(words.GOOD_UNTIL), words.moment(update.until, language)),),
                links=(Link(say(words.CONFIRM), update.link),),
                after=(say(words.CONFIRM_IGNORE),),
            )
        case InterestReceived():
            return Sheet(
                heading=say(words.RECEIVED_SUBJECT),
                preheader=f"{say(words.REFERENCE_TO_QUOTE)}: {update.interest}",
                lead=(say(words.RECEIVED),),
                rows=(Row(say(words.REFERENCE_TO_QUOTE), update.interest),),
                after=(say(words.RECEIVED_QUOTE),),
            )
        case Unassigned():
            return Sheet(
                heading=say(words.UNASSIGNED),
                preheader=say(words.UNASSIGNED_WHY),
                lead=(say(words.UNASSIGNED_WHY), say(words.UNASSIGNED_NEXT)),
                links=(Link(say(words.OPEN_PORTAL), update.portal_link),),
            )
        case AddressFails():
            return _failing(update, say)
        case Test():
            return Sheet(
                heading=say(words.TEST),
                preheader=say(words.TEST_SAYS),
                lead=(say(words.TEST_SAYS),),
                links=(Link(say(words.OPEN_PORTAL), update.portal_link),),
            )
        case _:
            assert_never(update)


_Say = Callable[..., str]


def _news(news: TicketNews, language: Language, say: _Say, *, answerable: bool) -> Sheet:
    by = say(words.BY[news.what], author=one_line(news.author))
    text = plain(news.text) if news.text is not None else None
    rows = [Row(say(words.ACCOUNT), one_line(news.account))]
    if news.reason is not None:
        rows.append(Row(say(words.REASON), say(words.REASONS[news.reason])))
    next_ = words.NEXT_OF_AGENT if news.why is Why.AGENT else words.NEXT
    if not answerable and news.what is not What.CLOSED:
        next_ = words.NEXT_WITHOUT_ANSWER
    heading = say(words.HEADINGS[news.what])
    return Sheet(
        heading=one_line(news.title),
        preheader=cut(one_line(f"{heading}. {by}. {text or ''}"), _PREHEADER_CHARACTERS),
        delimiter=DELIMITERS[language] if answerable else None,
        over=f"{heading} · {shown(news.number)}",
        lead=(by,),
        rows=tuple(rows),
        text=text,
        answers_label=say(words.ANSWERS),
        answers=tuple(Row(one_line(q), "\n".join(map(plain, values))) for q, values in news.answers),
        files_label=say(words.ATTACHMENTS),
        files=_files(news.files, language),
        links=_links(news, say),
        after=(say(next_[news.what]),),
        why=say(words.WHYS[news.why]),
    )


def _links(news: TicketNews, say: _Say) -> tuple[Link, ...]:
    links = [Link(say(words.OPEN_TICKET), news.link)]
    if news.what is What.CLOSED:
        if news.reopen_link is not None:
            links.append(Link(say(words.REOPEN), news.reopen_link))
        if news.new_ticket_link is not None:
            links.append(Link(say(words.NEW_TICKET), news.new_ticket_link))
    return tuple(links)


def _files(files: tuple[File, ...], language: Language) -> tuple[Row, ...]:
    return tuple(Row(one_line(file.name), words.size(file.size, language)) for file in files)


def _refused(refused: ReplyRefused, language: Language, say: _Say) -> Sheet:
    why = say(words.REFUSED_WHY, number=shown(refused.number))
    return Sheet(
        heading=say(words.REFUSED),
        preheader=why,
        delimiter=DELIMITERS[language],
        over=f"{shown(refused.number)} · {one_line(refused.title)}",
        lead=(why,),
        text_label=say(words.YOUR_TEXT),
        text=plain(refused.text),
        links=(
            Link(say(words.REOPEN), refused.reopen_link),
            Link(say(words.NEW_TICKET), refused.new_ticket_link),
        ),
        after=(say(words.REFUSED_NEXT),),
    )


def _failing(fails: AddressFails, say: _Say) -> Sheet:
    return Sheet(
        heading=say(words.ADDRESS_FAILS),
        preheader=say(words.ADDRESS_FAILS_WHY),
        over=f"{shown(fails.number)} · {one_line(fails.title)}",
        lead=(say(words.ADDRESS_FAILS_WHY),),
        rows=(
            Row(say(words.ACCOUNT), one_line(fails.account)),
            Row(say(words.PERSON), one_line(fails.person)),
            Row(say(words.STATUS), one_line(fails.status)),
        ),
        links=(Link(say(words.OPEN_TICKET), fails.link),),
        after=(say(words.ADDRESS_FAILS_NEXT),),
    )


def _invitation(invitation: Invitation, language: Language, say: _Say) -> Sheet:
    account = one_line(invitation.account)
    return Sheet(
        heading=say(words.INVITED_SUBJECT, account=account),
        preheader=say(words.INVITED),
        lead=(say(words.INVITED),),
        rows=(
            Row(say(words.ACCOUNT), account),
            Row(say(words.ROLE), say(words.ROLES[invitation.role])),
            Row(say(words.INVITED_BY), one_line(invitation.invited_by)),
            Row(say(words.GOOD_UNTIL), words.moment(invitation.expires, language)),
        ),
        links=(Link(say(words.ACCEPT), invitation.link),),
        after=(say(words.INVITED_IGNORE),),
    )
