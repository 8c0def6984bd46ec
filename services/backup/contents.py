"""What a backup holds, and in which order it is taken.

Each stream is taken whole up to a position of its own, one stream after the other, while the services work.
An effect is taken before its cause: the e-mail before the event that it tells of, the event before the file
and the person that it names. So whatever a backup holds finds in it what it refers to, and everything that
was acknowledged before it was begun is in it. What the effects would have been of causes that came in
between, the services do after a restore, as after any crash.

Not in it: `SESSIONS`, because a session that was ended since would be alive again, and people sign in again;
`LIMITS`, which counts for an hour. No key and no credential is in it either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts import subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A stream of the backup. `forgets`: its messages may go, by their age or by a newer one."""

    stream: str
    forgets: bool = False


CONTENTS: Final = (
    Kept(stream=subjects.DEAD_LETTERS.name),  # events of any stream that nobody could handle
    Kept(stream=subjects.NOTIFY.name),  # of tickets, people and interest forms
    Kept(stream=subjects.bucket_stream(subjects.READ_MARKS), forgets=True),  # of tickets
    # Before the submission that a draft becomes: what was typed is in one of them, or in both.
    Kept(stream=subjects.bucket_stream(subjects.DRAFTS), forgets=True),
    Kept(stream=subjects.bucket_stream(subjects.INTERESTS), forgets=True),
    Kept(stream=subjects.TICKETS.name),  # of submissions, people and files
    Kept(stream=subjects.INTAKE.name),
    Kept(stream=subjects.ACCESS.name),
    Kept(stream=subjects.object_stream(subjects.UPLOADS), forgets=True),
    Kept(stream=subjects.object_stream(subjects.ATTACHMENTS)),
    Kept(stream=subjects.object_stream(subjects.MAIL)),
)
"""Taken, and restored, in this order."""
