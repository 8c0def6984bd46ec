"""The requests of the attachments service: a file comes in and goes out in chunks that fit into a message."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Base64Bytes, Field, field_validator
from pydantic_core import PydanticCustomError

from contracts import subjects
from contracts.attachments.files import MAX_ATTACHMENT_BYTES, Attachment, AttachmentId, MediaType
from contracts.requests import Answered, Position, Sent, SentActor
from contracts.text import AccountId, CommandId, ShortLine

SERVICE: Final = "attachments"
UPLOAD: Final = subjects.request(SERVICE, "upload")
DOWNLOAD: Final = subjects.request(SERVICE, "download")

MAX_CHUNK_BYTES: Final = 512 * 1024

Offset = Annotated[int, Field(ge=0, lt=MAX_ATTACHMENT_BYTES)]


class UploadChunk(Sent):
    """The next bytes of a file. All chunks of a file say the same, but for `offset`, `after` and `data`.

    A chunk may be sent again; the file is there once the answer to its last chunk names the attachment.
    """

    upload: Annotated[CommandId, Field(description="Chosen by the caller, one per file")]
    account: AccountId
    actor: SentActor
    name: ShortLine
    size: Annotated[int, Field(ge=1, le=MAX_ATTACHMENT_BYTES, description="Of the whole file, in bytes")]
    offset: Offset = 0
    after: Annotated[Position, Field(description="`position` of the chunk before; 0: this is the first")] = 0
    data: Annotated[
        Base64Bytes, Field(strict=False, description=f"At most {MAX_CHUNK_BYTES} bytes, in base 64")
    ]

    @field_validator("data")
    @classmethod
    def _fits_into_a_message(cls, data: bytes) -> bytes:
        if not 0 < len(data) <= MAX_CHUNK_BYTES:
            raise PydanticCustomError(
                "chunk_size",
                "has {size} bytes, it must have between 1 and {limit}",
                {"size": len(data), "limit": MAX_CHUNK_BYTES},
            )
        return data


class Uploaded(Answered):
    """What is there now."""

    next_offset: Annotated[int, Field(description="Where the next chunk begins")]
    position: Annotated[Position, Field(description="To be sent as `after` with the next chunk")]
    attachment: Annotated[Attachment | None, Field(description="After the last chunk")] = None


class DownloadAttachment(Sent):
    """Some bytes of an attachment, for whoever may see its ticket; before it has one, for its uploader."""

    attachment: AttachmentId
    account: AccountId
    actor: SentActor
    offset: Offset = 0


class AttachmentChunk(Answered):
    """Bytes of an attachment."""

    name: ShortLine
    media_type: MediaType
    size: Annotated[int, Field(description="Of the whole file, in bytes")]
    data: Base64Bytes
    next_offset: Annotated[int | None, Field(description="Absent: these were the last bytes")] = None
