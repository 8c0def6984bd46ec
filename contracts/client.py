"""Asking the services of Casetrail: a typed request out, its answer or an exception that says why not.

    RequestFailed         carries what the service said (`reply`)
    |- Refused            a rule said no
    |  '- NotFound        there is no such thing, or not for this caller
    |- Malformed          fields break rules; nothing was done
    |- ServiceUnavailable no answer in time: what was asked for may or may not have been done
    '- ServiceFault       a fault of the service, logged there

A command that was not answered may be sent again, by the same or by another process: with the same command
id it has one effect. That is what `call` does itself for as long as its deadline allows.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from typing import Final, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import BaseModel, ValidationError

from contracts import subjects, wording
from contracts.attachments import requests as attachment_requests
from contracts.attachments.files import Attachment
from contracts.envelope import ActorKind
from contracts.errors import STATUS_HEADER, ErrorKind, ErrorReply, FieldError
from contracts.requests import Answered, Sent, SentActor
from contracts.tickets import requests

AnswerT = TypeVar("AnswerT", bound=Answered)

DEFAULT_TIMEOUT_S: Final = 10.0
ATTEMPT_S: Final = 11.0
"""How long one attempt waits: longer than a service works on any request (10 s, of which 5 s for the position
that a query asks for), so that its own reason arrives, and never are two copies of a request in its hands."""
_LOOK_S: Final = 0.25
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


class RequestFailed(Exception):
    """What was asked for was not done, or is not known to have been."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(f"{reply.code}: {reply.message}")
        self.reply = reply


class Refused(RequestFailed):
    """A rule said no."""


class NotFound(Refused):
    """There is no such thing, or not for this caller."""


class Malformed(RequestFailed):
    """Fields break rules; `reply.fields` has which."""


class ServiceUnavailable(RequestFailed):
    """No answer, or none but "try again", until the deadline."""


class ServiceFault(RequestFailed):
    """A fault of the service, or an answer that cannot be understood."""


async def call(
    nc: Client,
    subject: str,
    request: Sent,
    answer_type: type[AnswerT],
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    traceparent: str | None = None,
) -> AnswerT:
    """The service's answer; asks again, with the same command id, until there is one or `timeout_s` is over.

    Args:
        traceparent: W3C Trace Context, under which the service records what it does.

    Raises:
        RequestFailed: as in the module's tree.
    """
    subject = _sent_to(subject, request)
    payload = request.model_dump_json(exclude_none=True).encode()
    headers = None if traceparent is None else {"traceparent": traceparent}
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    pause_s = _FIRST_PAUSE_S
    unavailable = ServiceUnavailable(_reply(ErrorKind.UNAVAILABLE, 503, "unavailable"))
    while (left_s := deadline - loop.time()) > 0:
        try:
            answer = await _attempt(nc, subject, payload, min(left_s, ATTEMPT_S), headers)
            return _understood(answer, answer_type)
        except ServiceUnavailable as error:
            unavailable = error
        except nats.errors.MaxPayloadError:
            raise Malformed(_too_large(len(payload), nc.max_payload)) from None
        except (nats.errors.ConnectionClosedError, nats.errors.ConnectionDrainingError):
            break
        except (nats.errors.Error, TimeoutError):  # nobody there, lost on the way, or still at work
            pass
        # Full jitter: callers that were turned away together do not come back together.
        await asyncio.sleep(min(random.uniform(0, pause_s), max(0.0, deadline - loop.time())))  # noqa: S311
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    raise unavailable


async def _attempt(
    nc: Client, subject: str, payload: bytes, timeout_s: float, headers: dict[str, str] | None
) -> Msg:
    """The answer to one request. Raises what `nc.request` does.

    TimeoutError also as soon as the connection was made anew: an answer on its way meanwhile is lost.
    """
    reconnects = nc.stats["reconnects"]
    asking = asyncio.create_task(nc.request(subject, payload, timeout_s, headers=headers))
    try:
        while not asking.done():
            await asyncio.wait({asking}, timeout=_LOOK_S)
            if nc.stats["reconnects"] != reconnects and not asking.done():
                raise TimeoutError
        return asking.result()
    finally:
        asking.cancel()


class Tickets:
    """The requests of the ticket service, each answered or failed as `call` says."""

    def __init__(
        self, nc: Client, *, timeout_s: float = DEFAULT_TIMEOUT_S, traceparent: str | None = None
    ) -> None:
        self._nc = nc
        self._timeout_s = timeout_s
        self._traceparent = traceparent

    async def open(self, command: requests.OpenTicket) -> requests.CommandDone:
        return await self._call(requests.OPEN, command, requests.CommandDone)

    async def reply(self, command: requests.ReplyToTicket) -> requests.CommandDone:
        return await self._call(requests.REPLY, command, requests.CommandDone)

    async def close(self, command: requests.CloseTicket) -> requests.CommandDone:
        return await self._call(requests.CLOSE, command, requests.CommandDone)

    async def reopen(self, command: requests.ReopenTicket) -> requests.CommandDone:
        return await self._call(requests.REOPEN, command, requests.CommandDone)

    async def get(self, query: requests.GetTicket) -> requests.Ticket:
        return await self._call(requests.GET, query, requests.Ticket)

    async def history(self, query: requests.TicketHistory) -> requests.HistoryPage:
        return await self._call(requests.HISTORY, query, requests.HistoryPage)

    async def list(self, query: requests.ListTickets) -> requests.TicketPage:
        return await self._call(requests.LIST, query, requests.TicketPage)

    async def lookup(self, query: requests.LookUp) -> requests.LookUpResult:
        return await self._call(requests.LOOKUP, query, requests.LookUpResult)

    async def topics(self, query: requests.ListTopics) -> requests.TopicList:
        return await self._call(requests.TOPICS, query, requests.TopicList)

    async def submission(self, query: requests.GetSubmission) -> requests.SubmissionTicket:
        return await self._call(requests.SUBMISSION, query, requests.SubmissionTicket)

    async def _call(self, subject: str, request: Sent, answer_type: type[AnswerT]) -> AnswerT:
        return await call(
            self._nc,
            subject,
            request,
            answer_type,
            timeout_s=self._timeout_s,
            traceparent=self._traceparent,
        )


class Attachments:
    """Files of messages: each is uploaded first, and named by the message then."""

    def __init__(
        self, nc: Client, *, timeout_s: float = DEFAULT_TIMEOUT_S, traceparent: str | None = None
    ) -> None:
        """`timeout_s` is for each chunk."""
        self._nc = nc
        self._timeout_s = timeout_s
        self._traceparent = traceparent

    async def upload(
        self, name: str, content: bytes, *, upload: str, account: str, actor: SentActor
    ) -> Attachment:
        """The file, once the service has looked at all of it. The caller chooses `upload`: with the same
        one it is the same file, so that an upload can be repeated.

        Raises:
            RequestFailed: as in the module's tree.
        """
        offset = after = 0
        while True:
            chunk = attachment_requests.UploadChunk(
                upload=upload,
                account=account,
                actor=actor,
                name=name,
                size=len(content),
                offset=offset,
                after=after,
                data=base64.b64encode(content[offset : offset + attachment_requests.MAX_CHUNK_BYTES]),
            )
            done = await self._call(attachment_requests.UPLOAD, chunk, attachment_requests.Uploaded)
            if done.attachment is not None:
                return done.attachment
            offset, after = done.next_offset, done.position

    async def download(self, attachment: str, *, account: str, actor: SentActor) -> tuple[Attachment, bytes]:
        """The file and its bytes, which are those that its digest says.

        Raises:
            RequestFailed: as in the module's tree.
        """
        content = bytearray()
        while True:
            query = attachment_requests.DownloadAttachment(
                attachment=attachment, account=account, actor=actor, offset=len(content)
            )
            chunk = await self._call(attachment_requests.DOWNLOAD, query, attachment_requests.AttachmentChunk)
            content += chunk.data
            if chunk.next_offset is None:
                break
        return (
            Attachment(
                id=attachment,
                name=chunk.name,
                media_type=chunk.media_type,
                size=chunk.size,
                sha256=hashlib.sha256(content).hexdigest(),
            ),
            bytes(content),
        )

    async def _call(self, subject: str, request: Sent, answer_type: type[AnswerT]) -> AnswerT:
        return await call(
            self._nc,
            subject,
            request,
            answer_type,
            timeout_s=self._timeout_s,
            traceparent=self._traceparent,
        )


def _sent_to(subject: str, request: Sent) -> str:
    """A system asks on a subject of its own, so that nobody else can ask under its name."""
    actor = getattr(request, "actor", None)
    if actor is None or actor.kind is not ActorKind.SYSTEM or subjects.sending_system(subject) is not None:
        return subject
    _, service, name = subject.split(".")
    return subjects.system_request(actor.id, service, name)


def _understood(answer: Msg, answer_type: type[AnswerT]) -> AnswerT:
    """Raises RequestFailed."""
    failed = bool(answer.headers and STATUS_HEADER in answer.headers)
    model: type[BaseModel] = ErrorReply if failed else answer_type
    try:
        understood = model.model_validate_json(answer.data)
    except ValidationError as error:
        raise ServiceFault(_reply(ErrorKind.INTERNAL, 500, "internal")) from error
    if isinstance(understood, ErrorReply):
        raise _failure(understood)
    assert isinstance(understood, answer_type)  # noqa: S101  (for mypy: it was chosen above)
    return understood


def _failure(reply: ErrorReply) -> RequestFailed:
    match reply.kind:
        case ErrorKind.REFUSED:
            return NotFound(reply) if reply.status == 404 else Refused(reply)
        case ErrorKind.MALFORMED:
            return Malformed(reply)
        case ErrorKind.UNAVAILABLE:
            return ServiceUnavailable(reply)
        case ErrorKind.INTERNAL:
            return ServiceFault(reply)


def _too_large(size: int, limit: int) -> ErrorReply:
    data: dict[str, str | int | float | bool] = {"size": size, "limit": limit}
    whole = FieldError(field="", rule="too_large", message=wording.rule("too_large", data), data=data)
    return _reply(ErrorKind.MALFORMED, 400, "malformed", whole)


def _reply(kind: ErrorKind, status: int, code: str, *fields: FieldError) -> ErrorReply:
    return ErrorReply(kind=kind, status=status, code=code, message=wording.refusal(code, {}), fields=fields)
