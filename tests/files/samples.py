"""Small real files, made here."""

from __future__ import annotations

import io
import zipfile
import zlib

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
GZIP = b"\x1f\x8b\x08\x00" + b"\0" * 6 + zlib.compress(b"x")
EXE = b"MZ\x90\x00" + b"\0" * 200
ELF = b"\x7fELF\x02\x01\x01" + b"\0" * 60
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def archive(**entries: bytes) -> bytes:
    """A zip; `__` in a name is a slash, `_dot_` a dot."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, content in entries.items():
            made.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return target.getvalue()


def office(document: str, *more: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name in ("[Content_Types].xml", document, *more):
            made.writestr(name, b"<x/>")
    return target.getvalue()


def open_document(kind: str, compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        made.writestr("mimetype", kind, compress_type=compression)
        made.writestr("content.xml", b"<x/>")
    return target.getvalue()


DOCX, XLSX = office("word/document.xml"), office("xl/workbook.xml")
ODT = open_document("application/vnd.oasis.opendocument.text")
