"""The tokens in links of invitations: which invitation of which account, signed, nothing secret in them.

Access makes and reads them, notify makes the same ones for its e-mails. A token is good for as long as the
log says that the invitation is; it can be made again at any time.
"""

from __future__ import annotations

import hashlib
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

from services.links.mail import TokenVoid

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

    def read(self, token: str) -> tuple[str, str]:
        """The account and the invitation. Raises TokenVoid."""
        try:
            account, invitation = self._serializer.loads(token)
        except (BadData, UnicodeEncodeError):
            raise TokenVoid from None
        return str(account), str(invitation)
