"""What an attachment is, and which files may be one."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

from contracts.envelope import Published
from contracts.text import ShortLine, _Shape

MAX_ATTACHMENT_BYTES: Final = 10 * 1024 * 1024
MAX_ATTACHMENTS: Final = 10
"""Of one message: an opening or a reply."""

MEDIA_TYPES: Final = MappingProxyType(
    {
        "image/png": "PNG",
        "image/jpeg": "JPEG",
        "image/gif": "GIF",
        "image/webp": "WebP",
        "application/pdf": "PDF",
        "text/plain": "TXT",
        "text/csv": "CSV",
        "application/json": "JSON",
        "application/xml": "XML",
        "application/zip": "ZIP",
        "application/gzip": "GZIP",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "XLSX",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PPTX",
        "application/vnd.oasis.opendocument.text": "ODT",
        "application/vnd.oasis.opendocument.spreadsheet": "ODS",
    }
)
"""The types that are taken, by what stands in the file, and how a person calls them."""

AttachmentId = Annotated[
    str,
    _Shape(
        "attachment_id_shape",
        r"^[a-z0-9]{26}$",
        "must be the id of an attachment: 26 small letters a-z and digits",
    ),
]
"""Follows from the account, the person and the upload, so that a repeated upload is the same attachment."""

MediaType = Annotated[str, Field(min_length=3, max_length=128)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Attachment(Published):
    """A file that came with a message. Its name is what the sender called it, without a path."""

    id: AttachmentId
    name: ShortLine
    media_type: MediaType
    size: Annotated[int, Field(ge=1, le=MAX_ATTACHMENT_BYTES, description="Bytes")]
    sha256: Sha256
