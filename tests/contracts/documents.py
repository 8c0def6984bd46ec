"""A full and valid document of every request: what the tests bend."""

from __future__ import annotations

from typing import Any, Final

from contracts.access import requests as access
from contracts.attachments import requests as attachments
from contracts.intake import requests as intake
from contracts.notify import requests as notify
from contracts.tickets import requests

Document = dict[str, Any]

NUMBER: Final = "4830291741"

PERSON: Final = "pnd7lfu3bcvi4rxa"
TOKEN: Final = "WyJhY21lIiwiMDE5MmYwYzQiXQ.signature"

DRAFT: Final = "a2" * 13
ATTACHMENT: Final = "b3" * 13

_ACTOR: Final[Document] = {"kind": "member", "id": "p-1"}
_OF_PERSON: Final[Document] = {
    "command_id": "c-1",
    "actor": _ACTOR,
    "via": "portal",
    "correlation_id": "r-1",
}
_COMMAND: Final[Document] = {**_OF_PERSON, "account": "acme"}
_QUERY: Final[Document] = {"actor": _ACTOR, "at_least": 1}
_PAGE: Final[Document] = {**_QUERY, "account": "acme", "limit": 5}
_PROFILE: Final[Document] = {
    "name": "Acme Clinic",
    "languages": ["pl", "en"],
    "identifiers": [{"kind": "merchant-id", "value": "88"}],
}
_PERSON: Final[Document] = {"display_name": "Jan Żak", "language": "pl"}
_DRAFT: Final[Document] = {**_QUERY, "account": "acme", "draft": DRAFT}
_DRAFT_COMMAND: Final[Document] = {**_COMMAND, "draft": DRAFT, "revision": 3}
_CHANGE: Final[Document] = {**_COMMAND, "number": NUMBER}

FULL: Final[dict[type[Any], Document]] = {
    requests.OpenTicket: {
        **_COMMAND,
        "title": "Rezerwacja zniknęła",
        "message": "Dzień dobry",
        "topic": "booking",
        "questionnaire": "https://casetrail.example/q|1",
        "answers": [{"link_id": "1", "question": "Which?", "values": ["This", "That"]}],
        "identifiers": [{"kind": "merchant-id", "value": "88"}],
        "follows": NUMBER,
        "attachments": [ATTACHMENT],
    },
    requests.ReplyToTicket: {**_CHANGE, "text": "Dziękuję", "attachments": [ATTACHMENT]},
    requests.CloseTicket: {**_CHANGE, "reason": "solved", "note": "Done"},
    requests.ReopenTicket: {**_CHANGE, "reason": "Not done"},
    requests.GetTicket: {
        **_QUERY,
        "number": NUMBER,
        "account": "acme",
        "as_of_time": "2026-11-20T09:00:00Z",
    },
    requests.TicketHistory: {
        **_QUERY,
        "number": NUMBER,
        "account": "acme",
        "after_revision": 1,
        "limit": 5,
    },
    requests.ListTickets: {
        **_QUERY,
        "account": "acme",
        "status": "open",
        "topic": "booking",
        "unanswered": True,
        "number": NUMBER,
        "identifier": {"kind": "merchant-id", "value": "88"},
        "words": "rezerw*",
        "limit": 5,
        "before": 9,
        "order": "newest",
    },
    requests.ListTopics: {**_QUERY, "account": "acme", "limit": 5},
    requests.LookUp: {**_QUERY, "value": "88", "account": "acme", "limit": 5},
    requests.GetSubmission: {**_QUERY, "account": "acme", "submission": DRAFT, "wait_s": 2},
    intake.Offer: {**_QUERY, "account": "acme", "text": "Brak wizyt", "language": "pl"},
    intake.StartDraft: {
        **_COMMAND,
        "questionnaire": "https://casetrail.example/q|1",
        "message": "Brak wizyt",
        "language": "pl",
        "follows": NUMBER,
    },
    intake.GetDraft: {**_DRAFT, "page": "area"},
    intake.ListDrafts: {**_QUERY, "account": "acme"},
    intake.AnswerPage: {**_DRAFT_COMMAND, "page": "area", "answers": {"area": ["feed", ""]}},
    intake.GoBack: {**_DRAFT_COMMAND, "page": "area"},
    intake.ReviewDraft: _DRAFT,
    intake.SubmitDraft: _DRAFT_COMMAND,
    intake.DiscardDraft: {**_COMMAND, "draft": DRAFT},
    intake.NameTopics: {"language": "pl"},
    intake.GetInterestForm: {"language": "pl", "answers": {"company": ["Acme"]}},
    intake.ExpressInterest: {
        "command_id": "c-1",
        "token": TOKEN,
        "language": "pl",
        "answers": {"company": ["Acme"]},
        "website": "spam",
        "address": "203.0.113.7",
    },
    intake.ShowInterest: {"token": TOKEN, "language": "pl"},
    intake.ConfirmInterest: {"token": TOKEN},
    attachments.UploadChunk: {
        "upload": "u-1",
        "account": "acme",
        "actor": _ACTOR,
        "name": "zrzut ekranu.png",
        "size": 9,
        "offset": 3,
        "after": 7,
        "data": "AAEC",
    },
    attachments.DownloadAttachment: {
        "attachment": ATTACHMENT,
        "account": "acme",
        "actor": _ACTOR,
        "offset": 3,
    },
    access.RegisterAccount: {**_COMMAND, **_PROFILE},
    access.AdmitAccount: {
        **_COMMAND,
        "name": "Acme Clinic",
        "languages": ["pl"],
        "email": "jan@acme.example",
    },
    access.ChangeAccount: {**_COMMAND, **_PROFILE},
    access.InviteMember: {**_COMMAND, "email": "jan@acme.example", "role": "admin", "valid_days": 3},
    access.WithdrawInvitation: {**_COMMAND, "invitation": "0192f0c4"},
    access.ChangeRole: {**_COMMAND, "person": PERSON, "role": "admin"},
    access.RemoveMember: {**_COMMAND, "person": PERSON},
    access.CreateCredential: {
        **_COMMAND,
        "name": "sync",
        "public_key": "U" + "A" * 55,
        "may": ["subscribe", "read"],
    },
    access.RevokeCredential: {**_COMMAND, "name": "sync"},
    access.AcceptInvitation: {**_OF_PERSON, **_PERSON, "token": TOKEN},
    access.AppointPerson: {**_OF_PERSON, **_PERSON, "email": "jan@acme.example", "role": "agent"},
    access.DismissPerson: {**_OF_PERSON, "person": PERSON, "role": "agent"},
    access.LinkPerson: {
        **_OF_PERSON,
        **_PERSON,
        "issuer": "https://id.example",
        "provider_subject": "24400320",
        "email": "jan@acme.example",
    },
    access.ChangePerson: {**_OF_PERSON, **_PERSON, "mail": {"tickets": "mine", "own": True}},
    access.StopMail: {"command_id": "c-1", "token": TOKEN},
    notify.ListMails: {
        **_QUERY,
        "account": "acme",
        "ticket": NUMBER,
        "person": PERSON,
        "state": "dead",
        "limit": 5,
        "before": 9,
    },
    notify.GetMail: {**_QUERY, "mail": "R-7K3M-9QX2-81FG"},
    notify.FindReference: {**_QUERY, "reference": "R-7K3M-9QX2-81FG", "account": "acme"},
    notify.ReviveMail: {**_OF_PERSON, "mail": "q2w3e4r5t6y7u2i3o4p5a6s7d2"},
    notify.ListReceived: {
        **_QUERY,
        "waiting": True,
        "account": "acme",
        "ticket": NUMBER,
        "person": PERSON,
        "outcome": "quarantined",
        "limit": 5,
        "before": 9,
    },
    notify.GetReceived: {**_QUERY, "received": "01939f6c-1de7-7c1e-8f6b-1d4c5f8a9b0c"},
    notify.GetOriginal: {**_QUERY, "account": "acme", "event": "01939f6c-1de7-7c1e-8f6b-1d4c5f8a9b0c"},
    notify.GetRaw: {**_QUERY, "received": "01939f6c-1de7-7c1e-8f6b-1d4c5f8a9b0c", "offset": 524288},
    notify.SettleMail: {
        **_OF_PERSON,
        "received": "01939f6c-1de7-7c1e-8f6b-1d4c5f8a9b0c",
        "ticket": NUMBER,
        "account": "acme",
    },
    notify.SendTest: {**_OF_PERSON, "email": "jan@acme.example", "language": "pl"},
    access.ShowInvitation: {**_QUERY, "token": TOKEN},
    access.ListAccounts: {**_QUERY, "words": "acme", "limit": 5, "after": "abc"},
    access.ListPeople: {**_PAGE, "after": PERSON},
    access.WhoAmI: _QUERY,
    access.EffectivePermissions: {
        **_PAGE,
        "person": PERSON,
        "as_of_time": "2026-11-20T09:00:00Z",
        "after": 9,
    },
    access.ListCredentials: {**_PAGE, "after": 9},
}

Path = tuple[str | int, ...]


def paths(value: object, path: Path = ()) -> list[Path]:
    """The path of every value in the document, the document's own first."""
    found = [path]
    if isinstance(value, dict):
        found += [inner for key in value for inner in paths(value[key], (*path, key))]
    if isinstance(value, list):
        found += [inner for index, item in enumerate(value) for inner in paths(item, (*path, index))]
    return found


def replaced(value: Any, path: Path, new: object) -> Any:
    """The document with another value at the path, which may be a new field."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, list):
        return [replaced(item, tuple(rest), new) if at == first else item for at, item in enumerate(value)]
    return {**value, first: replaced(value.get(first), tuple(rest), new)}
