"""The line above which an answer to our e-mails is written."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contracts.wording import Language

DELIMITERS: Final[Mapping[Language, str]] = MappingProxyType(
    {
        "en": "##- Please write your answer above this line -##",
        "pl": "##- Odpowiedź napisz powyżej tej linii -##",
    }
)
"""The line that stands at the top of e-mails that may be answered: an answer stands above it."""
