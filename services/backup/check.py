"""Looking a backup through before anything is made of it: nothing missing, cut off, altered or mixed up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydantic import ValidationError

from services.backup import index
from services.backup.archive import Archive
from services.backup.contents import CONTENTS
from services.backup.errors import BackupRefused
from services.backup.manifest import (
    FINGERPRINT,
    FORMAT,
    MANIFEST,
    FileRecord,
    Manifest,
    index_name,
    snapshot_name,
)


def checked(archive: Archive, *, fingerprint: str | None = None) -> tuple[Manifest, str]:
    """The manifest and the fingerprint of a backup that is whole. Reads all of it.

    `fingerprint` is what it must be, if that was kept elsewhere.
    Raises BackupRefused, which names the file and, where there is one, the position.
    """
    manifest, found = _manifest(archive)
    if fingerprint is not None and fingerprint.lower() != found:
        raise BackupRefused("backup_fingerprint", wanted=fingerprint, found=found)
    _check_names(archive, manifest)
    for record in manifest.streams:
        _check_file(archive, snapshot_name(record.name), record.snapshot)
        _check_file(archive, index_name(record.name), record.index)
    forgetful = {kept.stream for kept in CONTENTS if kept.forgets}
    for record in manifest.streams:
        if record.config.get("name") != record.name:
            raise BackupRefused("backup_config", stream=record.name)
        index.check(record, archive, forgets=record.name in forgetful)
    return manifest, found


def _manifest(archive: Archive) -> tuple[Manifest, str]:
    for name in (MANIFEST, FINGERPRINT):
        if name not in archive.names:
            raise BackupRefused("backup_member_missing", member=name)
    content = archive.read(MANIFEST)
    found = hashlib.sha256(content).hexdigest()
    if archive.read(FINGERPRINT) != f"{found}  {MANIFEST}\n".encode():
        raise BackupRefused("backup_altered", member=MANIFEST)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError:
        raise BackupRefused("backup_manifest", member=MANIFEST) from None
    if manifest.format != FORMAT:
        raise BackupRefused("backup_format", found=manifest.format, wanted=FORMAT)
    return manifest, found


def _check_names(archive: Archive, manifest: Manifest) -> None:
    wanted = [kept.stream for kept in CONTENTS]
    _check_list([record.name for record in manifest.streams], wanted)
    files = [name(stream) for stream in wanted for name in (snapshot_name, index_name)]
    _check_list(archive.names, [*files, MANIFEST, FINGERPRINT])


def _check_list(found: Sequence[str], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in found:
            raise BackupRefused("backup_member_missing", member=name)
    for name in found:
        if name not in wanted:
            raise BackupRefused("backup_member_unknown", member=name)
    for here, there in zip(found, wanted, strict=True):
        if here != there:
            raise BackupRefused("backup_order", member=here, wanted=there)


def _check_file(archive: Archive, name: str, wanted: FileRecord) -> None:
    found = archive.record(name)
    if found.size != wanted.size:
        raise BackupRefused("backup_size", member=name, found=found.size, wanted=wanted.size)
    if found != wanted:
        raise BackupRefused("backup_altered", member=name)
