"""Every event type, request and answer of Casetrail, by its stable name.

What stands here is published (`contracts.publish`) and guarded (`contracts.compatibility`). A name that
was given once keeps its meaning for ever: a second model under it is refused when this module is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel

from contracts.access import events as access_events
from contracts.access import requests as access_requests
from contracts.attachments import requests as attachment_requests
from contracts.envelope import Envelope, schema_name
from contracts.intake import events as intake_events
from contracts.intake import requests as intake_requests
from contracts.notify import events as notify_events
from contracts.notify import requests as notify_requests
from contracts.requests import Answered, Sent
from contracts.tickets import events as ticket_events
from contracts.tickets import requests as ticket_requests

_TAG: Final = re.compile(r"casetrail\.[a-z]+\.[a-z]+\.v[1-9][0-9]*")


class NameTaken(ValueError):
    """A name was given to a second model."""


def tag(model: type[Envelope]) -> str:
    """The type tag of an event's model.

    Raises:
        ValueError: it has none, or not one of the form `casetrail.<noun>.<fact>.v<n>`.
    """
    field = model.model_fields.get("type")
    if field is None or not isinstance(field.default, str) or not _TAG.fullmatch(field.default):
        raise ValueError(f"{model.__name__} has no type tag casetrail.<noun>.<fact>.v<n>")
    return field.default


def event_types(models: Iterable[type[Envelope]]) -> Mapping[str, type[Envelope]]:
    """The models by their type tags, in the order of the tags.

    Raises:
        NameTaken: two models have the same tag.
    """
    found: dict[str, type[Envelope]] = {}
    for model in models:
        name = tag(model)
        if name in found:
            raise NameTaken(f"{name} is {found[name].__name__}; {model.__name__} needs a tag of its own")
        found[name] = model
    return MappingProxyType(dict(sorted(found.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that a service answers, with the codes of the refusals that a caller must expect."""

    subject: str
    asks: type[Sent]
    answers: type[Answered]
    refusals: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        return self.subject.split(".")[1]

    def published_as(self, model: type[BaseModel]) -> str:
        """The name under which its question or its answer is published."""
        return f"{self.service}.{schema_name(model)}"


def requests(entries: Iterable[Request]) -> Mapping[str, Request]:
    """The requests by their subjects, in the order of the subjects.

    Raises:
        NameTaken: a subject stands for two requests, or two models would be published under one name.
    """
    found: dict[str, Request] = {}
    models: dict[str, type[BaseModel]] = {}
    for entry in entries:
        if entry.subject in found:
            raise NameTaken(f"{entry.subject} stands for two requests")
        found[entry.subject] = entry
        for model in (entry.asks, entry.answers):
            name = entry.published_as(model)
            if models.setdefault(name, model) is not model:
                raise NameTaken(f"{name} is published for two models")
    return MappingProxyType(dict(sorted(found.items())))


EVENTS: Final = event_types(
    (
        ticket_events.OpenedV1,
        ticket_events.RepliedV1,
        ticket_events.ClosedV1,
        ticket_events.ReopenedV1,
        intake_events.QuestionnairePublishedV1,
        intake_events.QuestionnaireRetiredV1,
        intake_events.SubmittedV1,
        notify_events.MailQueuedV1,
        notify_events.MailSendingV1,
        notify_events.MailSentV1,
        notify_events.MailDeferredV1,
        notify_events.MailDeadV1,
        notify_events.MailRevivedV1,
        notify_events.MailBouncedV1,
        notify_events.MailReceivedV1,
        notify_events.MailHandledV1,
        notify_events.MailSettlingV1,
        notify_events.MailUnsettledV1,
        notify_events.MailSettledV1,
        notify_events.UpdatesBegunV1,
        notify_events.UpdateAddressedV1,
        access_events.AccountRegisteredV1,
        access_events.AccountChangedV1,
        access_events.MemberInvitedV1,
        access_events.MemberJoinedV1,
        access_events.InvitationWithdrawnV1,
        access_events.MemberChangedV1,
        access_events.MemberRemovedV1,
        access_events.CredentialCreatedV1,
        access_events.CredentialRevokedV1,
        access_events.PersonRegisteredV1,
        access_events.PersonChangedV1,
        access_events.PersonLinkedV1,
        access_events.PersonAppointedV1,
        access_events.PersonDismissedV1,
    )
)

_ASKING: Final = ("account_not_found", "actor_missing", "actor_not_yours", "not_permitted")

REQUESTS: Final = requests(
    (
        Request(
            subject=ticket_requests.OPEN,
            asks=ticket_requests.OpenTicket,
            answers=ticket_requests.CommandDone,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "followed_ticket_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=ticket_requests.REPLY,
            asks=ticket_requests.ReplyToTicket,
            answers=ticket_requests.CommandDone,
            refusals=(
                "actor_not_yours",
                "command_id_reused",
                "not_permitted",
                "ticket_is_closed",
                "ticket_is_full",
                "ticket_not_found",
            ),
        ),
        Request(
            subject=ticket_requests.CLOSE,
            asks=ticket_requests.CloseTicket,
            answers=ticket_requests.CommandDone,
            refusals=(
                "actor_not_yours",
                "command_id_reused",
                "not_permitted",
                "ticket_is_already_closed",
                "ticket_not_found",
            ),
        ),
        Request(
            subject=ticket_requests.REOPEN,
            asks=ticket_requests.ReopenTicket,
            answers=ticket_requests.CommandDone,
            refusals=(
                "actor_not_yours",
                "command_id_reused",
                "not_permitted",
                "ticket_is_full",
                "ticket_is_open",
                "ticket_not_found",
            ),
        ),
        Request(
            subject=ticket_requests.GET,
            asks=ticket_requests.GetTicket,
            answers=ticket_requests.Ticket,
            refusals=(
                "actor_missing",
                "actor_not_yours",
                "not_permitted",
                "ticket_did_not_exist",
                "ticket_not_found",
            ),
        ),
        Request(
            subject=ticket_requests.HISTORY,
            asks=ticket_requests.TicketHistory,
            answers=ticket_requests.HistoryPage,
            refusals=("actor_missing", "actor_not_yours", "not_permitted", "ticket_not_found"),
        ),
        Request(
            subject=ticket_requests.LIST,
            asks=ticket_requests.ListTickets,
            answers=ticket_requests.TicketPage,
            refusals=(
                "actor_missing",
                "actor_not_yours",
                "not_permitted",
                "account_missing",
                "account_not_found",
            ),
        ),
        Request(
            subject=ticket_requests.LOOKUP,
            asks=ticket_requests.LookUp,
            answers=ticket_requests.LookUpResult,
            refusals=(
                "actor_missing",
                "actor_not_yours",
                "not_permitted",
                "account_missing",
                "account_not_found",
            ),
        ),
        Request(
            subject=ticket_requests.TOPICS,
            asks=ticket_requests.ListTopics,
            answers=ticket_requests.TopicList,
            refusals=(
                "actor_missing",
                "actor_not_yours",
                "not_permitted",
                "account_missing",
                "account_not_found",
            ),
        ),
        Request(
            subject=ticket_requests.SUBMISSION,
            asks=ticket_requests.GetSubmission,
            answers=ticket_requests.SubmissionTicket,
            refusals=(
                "account_not_found",
                "actor_missing",
                "actor_not_yours",
                "not_permitted",
                "ticket_not_opened_yet",
            ),
        ),
        Request(
            subject=intake_requests.OFFER,
            asks=intake_requests.Offer,
            answers=intake_requests.Offers,
            refusals=(
                "account_not_found",
                "actor_missing",
                "actor_not_yours",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.START,
            asks=intake_requests.StartDraft,
            answers=intake_requests.DraftShown,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "not_permitted",
                "questionnaire_not_found",
                "too_many_drafts",
            ),
        ),
        Request(
            subject=intake_requests.DRAFT,
            asks=intake_requests.GetDraft,
            answers=intake_requests.DraftShown,
            refusals=(
                "account_not_found",
                "actor_missing",
                "actor_not_yours",
                "draft_is_submitted",
                "draft_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.DRAFTS,
            asks=intake_requests.ListDrafts,
            answers=intake_requests.DraftList,
            refusals=(
                "account_not_found",
                "actor_missing",
                "actor_not_yours",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.ANSWER,
            asks=intake_requests.AnswerPage,
            answers=intake_requests.DraftShown,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "draft_changed",
                "draft_is_submitted",
                "draft_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.BACK,
            asks=intake_requests.GoBack,
            answers=intake_requests.DraftShown,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "draft_changed",
                "draft_is_submitted",
                "draft_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.REVIEW,
            asks=intake_requests.ReviewDraft,
            answers=intake_requests.DraftReview,
            refusals=(
                "account_not_found",
                "actor_missing",
                "actor_not_yours",
                "draft_is_submitted",
                "draft_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.SUBMIT,
            asks=intake_requests.SubmitDraft,
            answers=intake_requests.SubmissionRecorded,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "draft_changed",
                "draft_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.DISCARD,
            asks=intake_requests.DiscardDraft,
            answers=intake_requests.DraftDiscarded,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "draft_is_submitted",
                "draft_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=intake_requests.TOPICS,
            asks=intake_requests.NameTopics,
            answers=intake_requests.TopicNames,
            refusals=(),
        ),
        Request(
            subject=intake_requests.INTEREST_FORM,
            asks=intake_requests.GetInterestForm,
            answers=intake_requests.InterestForm,
            refusals=("interest_closed",),
        ),
        Request(
            subject=intake_requests.EXPRESS_INTEREST,
            asks=intake_requests.ExpressInterest,
            answers=intake_requests.InterestNoted,
            refusals=(
                "interest_closed",
                "interest_form_void",
                "interest_too_fast",
                "interest_too_often",
            ),
        ),
        Request(
            subject=intake_requests.SHOW_INTEREST,
            asks=intake_requests.ShowInterest,
            answers=intake_requests.Interest,
            refusals=("interest_link_void",),
        ),
        Request(
            subject=intake_requests.CONFIRM_INTEREST,
            asks=intake_requests.ConfirmInterest,
            answers=intake_requests.InterestConfirmed,
            refusals=(
                "interest_closed",
                "interest_link_void",
            ),
        ),
        Request(
            subject=attachment_requests.UPLOAD,
            asks=attachment_requests.UploadChunk,
            answers=attachment_requests.Uploaded,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "attachment_infected",
                "attachment_type_not_allowed",
                "not_permitted",
                "upload_out_of_order",
                "upload_too_much",
            ),
        ),
        Request(
            subject=attachment_requests.DOWNLOAD,
            asks=attachment_requests.DownloadAttachment,
            answers=attachment_requests.AttachmentChunk,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "attachment_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.ADMIT,
            asks=access_requests.AdmitAccount,
            answers=access_requests.InvitationSent,
            refusals=(
                "account_is_full",
                "account_is_taken",
                "already_member",
                "actor_not_yours",
                "command_id_reused",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.REGISTER,
            asks=access_requests.RegisterAccount,
            answers=access_requests.AccountDone,
            refusals=("account_is_taken", "actor_not_yours", "command_id_reused", "not_permitted"),
        ),
        Request(
            subject=access_requests.CHANGE,
            asks=access_requests.ChangeAccount,
            answers=access_requests.AccountDone,
            refusals=(
                "account_is_full",
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "not_permitted",
                "nothing_to_change",
            ),
        ),
        Request(
            subject=access_requests.INVITE,
            asks=access_requests.InviteMember,
            answers=access_requests.InvitationSent,
            refusals=(
                "account_is_full",
                "account_not_found",
                "actor_not_yours",
                "already_member",
                "command_id_reused",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.INVITATION,
            asks=access_requests.ShowInvitation,
            answers=access_requests.Invitation,
            refusals=("invitation_not_found",),
        ),
        Request(
            subject=access_requests.ACCEPT,
            asks=access_requests.AcceptInvitation,
            answers=access_requests.MemberJoined,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "invitation_expired",
                "invitation_for_another",
                "invitation_not_found",
                "invitation_not_open",
            ),
        ),
        Request(
            subject=access_requests.WITHDRAW,
            asks=access_requests.WithdrawInvitation,
            answers=access_requests.AccountDone,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "invitation_not_found",
                "invitation_not_open",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.CHANGE_ROLE,
            asks=access_requests.ChangeRole,
            answers=access_requests.AccountDone,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "has_role_already",
                "last_admin",
                "not_a_member",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.REMOVE,
            asks=access_requests.RemoveMember,
            answers=access_requests.AccountDone,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "last_admin",
                "not_a_member",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.LIST,
            asks=access_requests.ListAccounts,
            answers=access_requests.AccountPage,
            refusals=("actor_not_yours", "not_permitted"),
        ),
        Request(
            subject=access_requests.PEOPLE,
            asks=access_requests.ListPeople,
            answers=access_requests.PeoplePage,
            refusals=("account_not_found", "actor_not_yours", "not_permitted"),
        ),
        Request(
            subject=access_requests.WHOAMI,
            asks=access_requests.WhoAmI,
            answers=access_requests.Person,
            refusals=("actor_not_yours", "person_not_found"),
        ),
        Request(
            subject=access_requests.PERMISSIONS,
            asks=access_requests.EffectivePermissions,
            answers=access_requests.GrantPage,
            refusals=("account_not_found", "actor_not_yours", "not_permitted"),
        ),
        Request(
            subject=access_requests.APPOINT,
            asks=access_requests.AppointPerson,
            answers=access_requests.PersonDone,
            refusals=(
                "actor_not_yours",
                "command_id_reused",
                "has_role_already",
                "not_permitted",
                "person_is_full",
            ),
        ),
        Request(
            subject=access_requests.DISMISS,
            asks=access_requests.DismissPerson,
            answers=access_requests.PersonDone,
            refusals=(
                "actor_not_yours",
                "command_id_reused",
                "has_not_the_role",
                "not_permitted",
                "person_not_found",
            ),
        ),
        Request(
            subject=access_requests.LINK,
            asks=access_requests.LinkPerson,
            answers=access_requests.PersonDone,
            refusals=("actor_not_yours", "command_id_reused", "not_permitted", "person_is_full"),
        ),
        Request(
            subject=access_requests.CHANGE_PERSON,
            asks=access_requests.ChangePerson,
            answers=access_requests.PersonDone,
            refusals=(
                "actor_not_yours",
                "command_id_reused",
                "nothing_to_change",
                "person_is_full",
                "person_not_found",
            ),
        ),
        Request(
            subject=access_requests.STOP_MAIL,
            asks=access_requests.StopMail,
            answers=access_requests.MailStopped,
            refusals=("link_void", "person_is_full"),
        ),
        Request(
            subject=access_requests.CREATE_CREDENTIAL,
            asks=access_requests.CreateCredential,
            answers=access_requests.CredentialRecorded,
            refusals=(
                "account_is_full",
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "credential_exists",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.REVOKE_CREDENTIAL,
            asks=access_requests.RevokeCredential,
            answers=access_requests.CredentialRecorded,
            refusals=(
                "account_not_found",
                "actor_not_yours",
                "command_id_reused",
                "credential_not_found",
                "not_permitted",
            ),
        ),
        Request(
            subject=access_requests.LIST_CREDENTIALS,
            asks=access_requests.ListCredentials,
            answers=access_requests.CredentialPage,
            refusals=("account_not_found", "actor_not_yours", "not_permitted"),
        ),
        Request(
            subject=notify_requests.MAILS,
            asks=notify_requests.ListMails,
            answers=notify_requests.MailPage,
            refusals=_ASKING,
        ),
        Request(
            subject=notify_requests.MAIL,
            asks=notify_requests.GetMail,
            answers=notify_requests.MailRecord,
            refusals=("mail_not_found", *_ASKING),
        ),
        Request(
            subject=notify_requests.FIND,
            asks=notify_requests.FindReference,
            answers=notify_requests.FoundReference,
            refusals=("reference_not_found", *_ASKING),
        ),
        Request(
            subject=notify_requests.REVIVE,
            asks=notify_requests.ReviveMail,
            answers=notify_requests.MailDone,
            refusals=("mail_not_found", "mail_not_dead", *_ASKING),
        ),
        Request(
            subject=notify_requests.TEST,
            asks=notify_requests.SendTest,
            answers=notify_requests.MailDone,
            refusals=_ASKING,
        ),
        Request(
            subject=notify_requests.RECEIVED,
            asks=notify_requests.ListReceived,
            answers=notify_requests.ReceivedPage,
            refusals=_ASKING,
        ),
        Request(
            subject=notify_requests.RECEIVED_MAIL,
            asks=notify_requests.GetReceived,
            answers=notify_requests.ReceivedRecord,
            refusals=("mail_not_found", *_ASKING),
        ),
        Request(
            subject=notify_requests.ORIGINAL,
            asks=notify_requests.GetOriginal,
            answers=notify_requests.Original,
            refusals=("account_not_found", "mail_not_found", *_ASKING),
        ),
        Request(
            subject=notify_requests.RAW,
            asks=notify_requests.GetRaw,
            answers=notify_requests.RawChunk,
            refusals=("mail_not_found", *_ASKING),
        ),
        Request(
            subject=notify_requests.SETTLE,
            asks=notify_requests.SettleMail,
            answers=notify_requests.MailSettled,
            refusals=(
                "mail_not_found",
                "mail_needs_nobody",
                "mail_is_being_settled",
                "mail_is_settled",
                "ticket_is_closed",
                "ticket_is_full",
                "ticket_not_found",
                *_ASKING,
            ),
        ),
    )
)
