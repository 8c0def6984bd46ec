"""Why somebody could not be signed in.

SignInFailed            the person is told by its code (`words.FAILURES`), the operator by `reason` in the log
|- Cancelled            the person, or the provider, said no
|- AttemptUnknown       not started in this browser, too old, or used before
|- IdentityUnproven     the provider's answer does not prove who it is
|- EmailUnverified      the provider knows no e-mail address of the person for certain
'- Unavailable          the provider, the broker or the access service does not answer; worth another try
"""

from __future__ import annotations

from typing import ClassVar


class SignInFailed(Exception):
    """Nobody was signed in. `str()` is for the log and never holds a token or a code."""

    code: ClassVar[str]
    status: ClassVar[int] = 400


class Cancelled(SignInFailed):
    code = "cancelled"


class AttemptUnknown(SignInFailed):
    code = "attempt_unknown"


class IdentityUnproven(SignInFailed):
    code = "identity_unproven"


class EmailUnverified(SignInFailed):
    code = "email_unverified"
    status = 403


class Unavailable(SignInFailed):
    code = "unavailable"
    status = 503
