"""Files that come with a form: handed to the attachments service before the message names them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile

from contracts.attachments.files import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS
from contracts.client import Attachments, RequestFailed, ServiceUnavailable
from contracts.requests import SentActor
from services.portal.forms import Problems
from services.portal.site import Visit

_ID: Final = re.compile(r"[a-z0-9]{26}")
_NOT_IN_NAME: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that is there already, and goes with the form when it is sent again."""

    id: str
    name: str

    def as_field(self) -> str:
        """For a hidden field."""
        return json.dumps([self.id, self.name])


def kept(fields: Sequence[str]) -> list[Uploaded]:
    """The files that hidden fields name. Whether they are the visitor's own the service decides."""
    found: list[Uploaded] = []
    for each in fields[:MAX_ATTACHMENTS]:
        try:
            attachment, name = json.loads(each)
        except (ValueError, TypeError):
            continue
        if isinstance(attachment, str) and isinstance(name, str) and _ID.fullmatch(attachment):
            found.append(Uploaded(attachment, _plain(name)))
    return found


async def upload(
    visit: Visit,
    files: Sequence[UploadFile],
    before: Sequence[Uploaded],
    *,
    command: str,
    account: str,
    actor: SentActor,
    problems: Problems,
    field: str = "files",
) -> list[Uploaded]:
    """All files that are there now; those that were not taken are told in `problems`.

    Raises:
        ServiceUnavailable: the service does not answer; what was sent may be sent again.
    """
    there = list(before)
    if len(there) + len(files) > MAX_ATTACHMENTS:
        problems.add(field, visit._("A message takes at most ten files."))
        return there
    client, told = Attachments(visit.site.nc), list[str]()
    for file in files:
        name = _plain(file.filename or "")
        if not file.size:
            told.append(visit._("The file %s is empty.") % name)
            continue
        if file.size > MAX_ATTACHMENT_BYTES:
            told.append(visit._("The file %s is larger than 10 MB.") % name)
            continue
        content = await file.read()
        try:
            attachment = await client.upload(
                name,
                content,
                upload=f"{command}.{_digest(name, content)}",
                account=account,
                actor=actor,
            )
        except ServiceUnavailable:
            raise
        except RequestFailed as failed:
            told.append(_why(failed, name, visit))
        else:
            there.append(Uploaded(attachment.id, attachment.name))
    if told:
        problems.add(field, " ".join(told))
    return there


def _digest(name: str, content: bytes) -> str:
    """Tells the files of a form apart: another one that is chosen after one was refused is another upload."""
    return hashlib.sha256(name.encode() + b"\0" + content).hexdigest()[:24]


def _why(failed: RequestFailed, name: str, visit: Visit) -> str:
    """Why a file was not taken, with its name."""
    said = Problems(visit.language)
    said.add_failed(name, failed)
    return said.by_field[name] if name in said.by_field[name] else f"{name}: {said.by_field[name]}"


def _plain(name: str) -> str:
    """The name without a path, as short as names are, its ending kept."""
    name = _NOT_IN_NAME.sub("", name.replace("\\", "/").rpartition("/")[2]).strip() or "file"
    stem, dot, ending = name.rpartition(".")
    if len(name) <= _LONGEST_NAME:
        return name
    if not dot or len(ending) > 16:
        return name[:_LONGEST_NAME]
    return f"{stem[: _LONGEST_NAME - len(ending) - 1]}.{ending}"
