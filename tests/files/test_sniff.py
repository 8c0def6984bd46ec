"""What a file is, whatever it is called."""

from __future__ import annotations

import contextlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.attachments.files import MEDIA_TYPES
from services.files.sniff import MAX_NAME_CHARACTERS, NotAllowed, safe_name, sniffed
from tests.files.samples import (
    DOCX,
    ELF,
    EXE,
    GIF,
    GZIP,
    JPEG,
    ODT,
    PDF,
    PNG,
    XLSX,
    archive,
    office,
    open_document,
)

WORDS = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"\0" * 30, "image/webp"),
        (PDF, "application/pdf"),
        (GZIP, "application/gzip"),
        (DOCX, WORDS),
        (XLSX, SHEET),
        (ODT, "application/vnd.oasis.opendocument.text"),
        (archive(log_dot_txt=b"x"), "application/zip"),
        ("Zażółć gęślą jaźń".encode(), "text/plain"),
        ("Zażółć gęślą jaźń".encode("cp1250"), "text/plain"),
        ("Zażółć\r\n".encode("utf-16"), "text/plain"),
        (b"just a line", "text/plain"),
        (b"a < b && c > d\n", "text/plain"),
        (b"id;name\n1;Acme\n2;Nova\n", "text/csv"),
        (b"id,name\n1,Acme\n", "text/csv"),
        (b'{"error": 500}', "application/json"),
        (b"[1, 2]", "application/json"),
        (b"{not json", "text/plain"),
        (b'<?xml version="1.0"?><feed><item/></feed>', "application/xml"),
    ],
)
def test_what_is_taken(content: bytes, media_type: str) -> None:
    assert sniffed(content) == media_type
    assert media_type in MEDIA_TYPES


@pytest.mark.parametrize(
    "content",
    [
        b"",
        EXE,
        ELF,
        b"#!/bin/sh\nrm -rf /\n",
        b"<!DOCTYPE html><html></html>",
        b"\xef\xbb\xbf  <HTML><script>alert(1)</script>",
        b"<script>alert(1)</script>",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
        b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>',
        b'<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>',
        b"text with \x00 in it",
        b"\x81\x8d\x8f\x90",
        office("word/document.xml", "word/vbaProject.bin"),
        archive(setup_dot_exe=b"x"),
        archive(classes_dot_dex=b"x", AndroidManifest_dot_xml=b"x"),
        open_document("application/vnd.oasis.opendocument.text-template"),
        open_document("text/html"),
        b"PK\x03\x04 and then nothing",
        PNG[:8] + b"<script>alert(1)</script>" + PNG[8:],
        b"%PDF-1.4 <html><script>x</script>",
        b"MThd\x00\x00\x00\x06",
        b"ID3\x03\x00" + b"\0" * 200,
        b"\x00\x00\x00\x18ftypmp42" + b"\0" * 40,
        b"7z\xbc\xaf\x27\x1c" + b"\0" * 40,
        b"Rar!\x1a\x07\x00" + b"\0" * 40,
    ],
)
def test_what_is_not_taken(content: bytes) -> None:
    with pytest.raises(NotAllowed):
        sniffed(content)


def test_an_archive_is_not_unpacked() -> None:
    """Forty kilobytes that would be forty megabytes: only its directory is read."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("zeros.txt", b"\0" * (40 << 20))
    assert len(target.getvalue()) < 100_000
    assert sniffed(target.getvalue()) == "application/zip"


@given(st.binary(max_size=300))
def test_anything_is_of_a_type_that_is_taken_or_refused(content: bytes) -> None:
    with contextlib.suppress(NotAllowed):
        assert sniffed(content) in MEDIA_TYPES


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("zrzut ekranu – błąd 500.png", "zrzut ekranu – błąd 500.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\jan\\a.txt", "a.txt"),
        ("/", "file"),
        ("", "file"),
        ("...", "file"),
        ("a\x00b\r\nc.txt", "a_b__c.txt"),
        ("fdp.\u202egpj.exe", "fdp.gpj.exe"),
        ("a\tb   c.txt", "a_b c.txt"),
        ("za" + "\u0307" + ".txt", "zȧ.txt"),
        ('<img src=x onerror="x">.png', "_img src=x onerror=_x__.png"),
        ("x" * 300 + ".png", "x" * 124 + ".png"),
        ("x" * 300, "x" * 128),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(max_size=300))
def test_a_safe_name_is_a_line_that_stays_as_it_is(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= MAX_NAME_CHARACTERS
    assert not set(safe) & set('/\\\r\n\0<>"')
    assert safe_name(safe) == safe
