"""Keys are what their first letter says, sign for themselves only, and show their seed to nobody."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from services.credentials.nkeys import KeyKind, KeyPair, SeedInvalid, write_private


@pytest.mark.parametrize(
    ("kind", "letter"), [(KeyKind.OPERATOR, "O"), (KeyKind.ACCOUNT, "A"), (KeyKind.USER, "U")]
)
def test_a_key_says_what_it_is(kind: KeyKind, letter: str) -> None:
    pair = KeyPair.new(kind)
    assert (pair.public[0], len(pair.public)) == (letter, 56)
    assert (pair.seed[:2], len(pair.seed)) == (f"S{letter}", 58)
    assert KeyPair(pair.seed, kind).public == pair.public
    assert KeyPair.new(kind).public != pair.public


def test_a_key_signs_for_itself_only() -> None:
    pair, other = KeyPair.new(KeyKind.USER), KeyPair.new(KeyKind.USER)
    signature = pair.sign(b"content")
    assert pair.has_signed(b"content", signature)
    assert not pair.has_signed(b"another content", signature)
    assert not other.has_signed(b"content", signature)
    assert not pair.has_signed(b"content", b"")


def test_a_key_shows_its_seed_to_nobody() -> None:
    pair = KeyPair.new(KeyKind.ACCOUNT)
    assert pair.public in f"{pair}{pair!r}"
    assert pair.seed not in f"{pair}{pair!r}"


def test_a_seed_of_another_kind_is_refused_without_being_shown() -> None:
    seed = KeyPair.new(KeyKind.USER).seed
    with pytest.raises(SeedInvalid, match="not the nkey seed of an operator") as refused:
        KeyPair(seed, KeyKind.OPERATOR)
    assert seed not in str(refused.value)


@pytest.mark.parametrize("content", ["", "SU", "no seed at all", "SUAAAAAAAA1", "ż" * 58])
def test_a_file_that_holds_no_seed_is_told_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "user.nk"
    path.write_text(content)
    with pytest.raises(SeedInvalid, match=r"user\.nk: not an? ?.*nkey seed"):
        KeyPair.read(path, KeyKind.USER)
    assert path.read_text() == content


def test_a_seed_with_a_letter_changed_is_told_by_its_check_sum() -> None:
    seed = KeyPair.new(KeyKind.USER).seed
    changed = seed[:30] + ("A" if seed[30] != "A" else "B") + seed[31:]
    with pytest.raises(SeedInvalid):
        KeyPair(changed, KeyKind.USER)


def test_a_private_file_is_its_owners_only_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("earlier")
    path.chmod(0o644)
    write_private(path, "secret\n")
    assert path.read_text() == "secret\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_that_cannot_be_written_leaves_no_part_of_the_secret(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "secret", "half of it, and then ż")
    assert list(tmp_path.iterdir()) == []
