"""Keys of services: made once, kept, and nobody else's to read."""

from __future__ import annotations

import stat
from pathlib import Path

from services.embedded.catalogue import CATALOGUE
from services.embedded.key_files import key_file


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = key_file(tmp_path / "keys", "CASETRAIL_LINK_KEY_FILE")
    key = first.read_text()
    assert len(key.strip()) >= 32
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    assert key_file(tmp_path / "keys", "CASETRAIL_LINK_KEY_FILE") == first
    assert first.read_text() == key
    other = key_file(tmp_path / "keys", "CASETRAIL_OTHER_KEY_FILE")
    assert other.read_text() != key


def test_the_access_service_is_given_the_key_that_it_needs() -> None:
    (access,) = (entry for entry in CATALOGUE if entry.name == "access")
    assert access.keys == ("CASETRAIL_LINK_KEY_FILE",)
