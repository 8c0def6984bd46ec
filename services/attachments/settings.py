"""The settings of the attachments service."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from services.files.scan import Scanner, check_address
from services.guard.settings import GuardSettings


class AttachmentsSettings(GuardSettings):
    """What is taken, and who looks at it."""

    clamd_address: Annotated[str, AfterValidator(check_address)] | None = Field(
        default=None,
        description="Address of a virus scanner that speaks clamd's protocol: `host:port` or `unix:/path`. "
        "When it is set and does not answer, no file is taken.",
    )
    clamd_timeout_s: float = Field(
        default=30, gt=0, allow_inf_nan=False, description="Seconds that the scanner may take for a file."
    )
    upload_bytes_per_hour: int = Field(
        default=1 << 30, ge=0, description="Bytes that one account may upload in an hour."
    )

    def scanner(self) -> Scanner | None:
        """The scanner, if there is one."""
        if self.clamd_address is None:
            return None
        return Scanner(self.clamd_address, timeout_s=self.clamd_timeout_s)
