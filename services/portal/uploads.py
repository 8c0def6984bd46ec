"""Files that come with a form: handed to the attachments service before the message names them."""

from __future__ import annotations

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
    client = Attachments(visit.site.nc)
    for number, file in enumerate(files):
        name = _plain(file.filename or "")
        if not file.size:
            problems.add(field, visit._("The file %s is empty.") % name)
            continue
        if file.size > MAX_ATTACHMENT_BYTES:
            problems.add(field, visit._("The file %s is larger than 10 MB.") % name)
            continue
        try:
            attachment = await client.upload(
                name,
                await file.read(),
                upload=f"{command}.{len(before) + number}",
                account=account,
                actor=actor,
            )
        except ServiceUnavailable:
            raise
        except RequestFailed as failed:
            problems.add_failed(field, failed)
        else:
            there.append(Uploaded(attachment.id, attachment.name))
    return there


def _plain(name: str) -> str:
    """The name without a path, as short as names are, its ending kept."""
    name = _NOT_IN_NAME.sub("", name.replace("\\", "/").rpartition("/")[2]).strip() or "file"
    stem, dot, ending = name.rpartition(".")
    if len(name) <= _LONGEST_NAME:
        return name
    if not dot or len(ending) > 16:
        return name[:_LONGEST_NAME]
    return f"{stem[: _LONGEST_NAME - len(ending) - 1]}.{ending}"
