"""Why there is no backup, or no restore.

BackupError
├─ BackupRefused   the file is not what it should be, or the system is not empty: trying again is no use
└─ BackupFailed    NATS did not answer, or did not do it: what was begun counts for nothing
"""

from __future__ import annotations


class BackupError(Exception):
    """`code` has its sentence in `services.cli.words`; `data` is what the sentence names."""

    def __init__(self, code: str, **data: str | int) -> None:
        super().__init__(f"{code}: {', '.join(f'{name} {value}' for name, value in data.items())}")
        self.code = code
        self.data = data


class BackupRefused(BackupError):
    """What is there is not to be used."""


class BackupFailed(BackupError):
    """It could not be done now."""
