"""The settings of a service that decides who may do what."""

from __future__ import annotations

from pydantic import Field

from services.runtime.settings import RuntimeSettings


class GuardSettings(RuntimeSettings):
    """Those of every service, and how old its picture of the access log may be."""

    access_max_age_s: float = Field(
        default=5,
        ge=2,  # the broker says something once a second
        allow_inf_nan=False,
        description="Seconds without word of the access log after which nobody is let do anything.",
    )
