"""The settings of the portal."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from contracts.text import AccountId
from services.guard.settings import GuardSettings
from services.runtime.settings import SettingsInvalid, problem
from services.signin.settings import SignInSettings

BUILT = Path(__file__).parent / "static"


class PortalSettings(SignInSettings, GuardSettings):
    """Where the pages are served, and with which assets."""

    portal_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address on which the pages are served."
    )
    portal_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of the pages; 0 takes any free one and logs it."
    )
    portal_assets_dir: Path | None = Field(
        default=None,
        description="Directory with the built style sheet and scripts; unset: those of the package, "
        "which `make assets` builds.",
    )
    portal_trusted_proxies: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Addresses and networks, separated by commas, whose `X-Forwarded-For` tells who asks.",
    )

    interest_account: AccountId = Field(
        default="new-partners",
        description="Account that gets the requests of new partners, as intake has it.",
    )

    def assets_dir(self) -> Path:
        """Where the assets are. Raises SettingsInvalid when nothing was built there."""
        directory = self.portal_assets_dir or BUILT
        if not (directory / "manifest.json").is_file():
            rule = "has no manifest.json: build the assets with `make assets`"
            raise SettingsInvalid(problem("CASETRAIL_PORTAL_ASSETS_DIR", directory, rule))
        return directory
