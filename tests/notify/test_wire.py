"""Headers on the wire, read by a program that is none of ours and not Python: git, in C."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from contracts.wording import LANGUAGES, Language
from services.notify.compose import compose
from tests.notify.letters import NOW, envelope, every_kind


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(every_kind("en")))
def test_another_parser_reads_what_was_meant(kind: str, language: Language, tmp_path: Path) -> None:
    wanted = replace(envelope(language), earlier=("<one@mail.example>", "<two@mail.example>"))
    message = compose(every_kind(language)[kind], wanted)
    head = _read(bytes(message), tmp_path)
    assert head["Author"] == wanted.sender.display_name
    assert head["Email"] == wanted.sender.addr_spec
    assert head["Subject"] == message["Subject"]
    assert parsedate_to_datetime(head["Date"]) == NOW


def _read(raw: bytes, directory: Path) -> dict[str, str]:
    """The headers that git reads, decoded."""
    done = subprocess.run(
        ["git", "mailinfo", "-k", "--encoding=UTF-8", str(directory / "message"), str(directory / "rest")],
        input=raw,
        capture_output=True,
        check=True,
    )
    return dict(line.split(": ", 1) for line in done.stdout.decode().splitlines() if ": " in line)
