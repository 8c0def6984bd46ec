"""The settings of the interest form."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from contracts.text import AccountId
from services.guard.settings import GuardSettings
from services.intake.links import KeyInvalid, read_key
from services.runtime.settings import ReadableFile, SettingsInvalid, problem


class InterestSettings(GuardSettings):
    """Where the requests of new partners go, and how many are taken."""

    link_key_file: ReadableFile | None = Field(
        default=None,
        description="File that holds the key by which links of confirmations are signed, the same for all "
        "replicas: at least 32 random characters. Needed. With another key, links sent before are void.",
    )
    interest_account: AccountId = Field(
        default="new-partners",
        description="Account that gets the requests of new partners. While there is none, none are taken.",
    )
    interest_form: str = Field(
        default="https://casetrail.example/questionnaires/interest",
        min_length=1,
        description="`url` of the questionnaire that is the interest form; partners are not offered it.",
    )
    interest_per_address: int = Field(
        default=5, ge=0, description="Interest forms an hour from one network address (IPv6: one /64)."
    )
    interest_per_email: int = Field(
        default=3, ge=0, description="Interest forms an hour with one e-mail address."
    )
    interest_in_all: int = Field(default=200, ge=0, description="Interest forms an hour in all.")

    @field_validator("link_key_file")
    @classmethod
    def _is_given(cls, file: Path | None) -> Path | None:
        if file is None:
            raise ValueError("name the file that holds the key")
        return file

    def link_key(self) -> str:
        """Raises SettingsInvalid."""
        file = self.link_key_file or Path()
        try:
            return read_key(file)
        except (KeyInvalid, OSError) as error:
            raise SettingsInvalid(problem("CASETRAIL_LINK_KEY_FILE", file, str(error))) from None
