"""Keys are made once, kept, and readable to their owner only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from services.credentials.nkeys import SeedInvalid, public_key, seed_file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    made = public_key(keys, "tickets")
    assert made.startswith("U")
    assert len(made) == 56
    assert public_key(keys, "tickets") == made
    assert public_key(keys, "cli") != made


def test_only_the_owner_reads_seeds(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    public_key(keys, "tickets")
    assert mode(keys) == 0o700
    assert [(path, mode(path)) for path in keys.iterdir()] == [(seed_file(keys, "tickets"), 0o600)]


@pytest.mark.parametrize("content", ["", "SU", "no seed at all", "SUAAAAAAAA1"])
def test_a_seed_file_that_holds_no_seed_is_told_and_kept(tmp_path: Path, content: str) -> None:
    seed_file(tmp_path, "tickets").write_text(content)
    with pytest.raises(SeedInvalid, match=r"tickets\.nk does not hold"):
        public_key(tmp_path, "tickets")
    assert seed_file(tmp_path, "tickets").read_text() == content
