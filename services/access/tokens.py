"""The tokens in links of invitations: which invitation of which account, signed, nothing secret in them.

A token is good for as long as the log says that the invitation is; it can be made again at any time.
"""

from __future__ import annotations

import hashlib
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

from services.access.account import InvitationId, InvitationNotFound
from services.access.domain import AccountId

_SALT: Final = "casetrail.access.invitation"  # what the same key signs elsewhere is no invitation


class InvitationTokens:
    """Makes and reads tokens with one key."""

    def __init__(self, key: str) -> None:
        self._serializer = URLSafeSerializer(
            key, salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def token(self, account: str, invitation: str) -> str:
        """Always the same for an invitation."""
        return str(self._serializer.dumps([account, invitation]))

    def read(self, token: str) -> tuple[AccountId, InvitationId]:
        """The invitation and its account.

        Raises:
            InvitationNotFound: not signed by us.
        """
        try:
            account, invitation = self._serializer.loads(token)
        except (BadData, UnicodeEncodeError):
            raise InvitationNotFound from None
        return AccountId(account), InvitationId(invitation)
