"""Of what type a file is, by what stands in it: what its sender calls it plays no part.

A type that is not on the list (`contracts.attachments.files.MEDIA_TYPES`) is none. Nothing is unpacked: of
archives only the directory is read, and of text files every byte, since they have no beginning to go by.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
import zipfile
from typing import Final

import filetype  # type: ignore[import-untyped]

from contracts.attachments.files import MEDIA_TYPES

MAX_NAME_CHARACTERS: Final = 128

_MAX_ENTRIES: Final = 5_000
_OFFICE: Final = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_OPEN_DOCUMENT: Final = frozenset(
    {"application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet"}
)
_MACROS: Final = re.compile(r"(?:vbaProject\.bin|vbaData\.xml|macrosheets/|Basic/|Scripts/)", re.IGNORECASE)
_PROGRAMS: Final = re.compile(
    r"\.(?:exe|dll|com|scr|pif|msi|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|jar|lnk|apk|app|sh|iso|img|reg)$",
    re.IGNORECASE,
)
_MARKUP: Final = re.compile(
    r"<\s*(?:!doctype\s+html|html|head|body|script|iframe|object|embed|svg|xsl:|\?xml-stylesheet)",
    re.IGNORECASE,
)
_NOT_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_CSV_LINES: Final = 50

# The letters that turn the direction of what follows, so that `exe.png` is shown for what ends in `.exe`.
_DIRECTION: Final = re.compile(r"[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_NOT_IN_NAME: Final = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>:"|?*]')


class NotAllowed(Exception):
    """The file is of no type that is taken."""


def sniffed(content: bytes) -> str:
    """The media type of the file.

    Raises:
        NotAllowed: it is empty, or of no type that is taken.
    """
    if not content:
        raise NotAllowed
    kind = filetype.guess(content[:8192])
    found = None if kind is None else str(kind.mime)
    if found == "application/zip" or content.startswith(b"PK\x03\x04"):
        found = _archive(content)
    elif found is None or found.startswith(("text/", "application/xml", "application/json")):
        found = _text(content)
    if found not in MEDIA_TYPES:
        raise NotAllowed
    if found.startswith("image/") or found == "application/pdf":
        _check_beginning(content, found)
    return found


def safe_name(name: str) -> str:
    """The name without a path, control characters and letters that turn its direction."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    name = _NOT_IN_NAME.sub("_", _DIRECTION.sub("", name))
    name = " ".join(name.split()).strip(" .") or "file"
    if len(name) <= MAX_NAME_CHARACTERS:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 10:
        return name[:MAX_NAME_CHARACTERS]
    return f"{stem[: MAX_NAME_CHARACTERS - len(suffix) - 1]}.{suffix}"


def _check_beginning(content: bytes, found: str) -> None:
    """Raises NotAllowed: a picture or PDF in whose beginning a browser could see a page."""
    beginning = content[:1024]
    if found == "application/pdf" and not content.startswith(b"%PDF-"):
        raise NotAllowed
    if _MARKUP.search(beginning.decode("latin-1")):
        raise NotAllowed


def _archive(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            kind = _mimetype(archive, entries)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, EOFError):
        raise NotAllowed from None
    if not entries or len(entries) > _MAX_ENTRIES or any(_MACROS.search(name) for name in names):
        raise NotAllowed
    if kind is not None:
        return kind
    for name, media_type in _OFFICE.items():
        if name in names and "[Content_Types].xml" in names:
            return media_type
    if any(_PROGRAMS.search(name) for name in names) or "AndroidManifest.xml" in names:
        raise NotAllowed
    return "application/zip"


def _mimetype(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> str | None:
    """The type that an OpenDocument file says it is of: its first entry, stored as it is."""
    first = entries[0] if entries else None
    if first is None or first.filename != "mimetype" or first.compress_type != zipfile.ZIP_STORED:
        return None
    if not 0 < first.file_size <= 100:
        raise NotAllowed
    kind = archive.read(first).decode("ascii", "replace").strip()
    if kind not in _OPEN_DOCUMENT:
        raise NotAllowed
    return kind


def _text(content: bytes) -> str:
    text = _decoded(content)
    beginning = text.lstrip("\ufeff \t\r\n")[:4096]
    if beginning.startswith("#!") or _MARKUP.search(beginning):
        raise NotAllowed
    if beginning.startswith("<?xml") and not _MARKUP.search(text):
        return "application/xml"
    if beginning[:1] in {"{", "["} and _is_json(text):
        return "application/json"
    return "text/csv" if _is_csv(text) else "text/plain"


def _decoded(content: bytes) -> str:
    """The text, in whichever of the encodings that office programs write. Raises NotAllowed."""
    encodings = ["utf-16"] if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ["utf-8-sig", "cp1250"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _NOT_IN_TEXT.search(text):
            raise NotAllowed
        return text
    raise NotAllowed


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_csv(text: str) -> bool:
    """Whether the first lines have the same number of a separator, two columns at least."""
    lines = [line for line in text.splitlines()[:_CSV_LINES] if line.strip()]
    return len(lines) >= 2 and any(
        len(counts := {line.count(separator) for line in lines if '"' not in line}) == 1 and counts != {0}
        for separator in (",", ";", "\t")
    )
