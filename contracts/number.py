"""Ticket numbers: ten digits, of which the last is a check digit.

The check digit is Damm's (ISBN 978-3-8322-1494-4; `stdnum.damm`): it finds every single wrong digit
and every swap of two neighbours, the mistakes people make when they copy a number.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from stdnum import damm

_DIGITS: Final = re.compile(r"[0-9]{10}")
_SEPARATORS: Final = re.compile(r"[\s.\-\u2010-\u2015\u2212#]")


def spelled(value: str) -> str:
    """The value without the separators that people write into a number (`483-029 1746`, `#4830291746`)."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", value))


def looks_like_number(value: str) -> bool:
    """Whether the value has the shape of a ticket number; its check digit may still be wrong."""
    return bool(_DIGITS.fullmatch(spelled(value)))


def is_number(value: str) -> bool:
    """Whether the value, in any spelling, is a ticket number with a right check digit."""
    digits = spelled(value)
    return bool(_DIGITS.fullmatch(digits)) and bool(damm.is_valid(digits))


def parse_number(value: object) -> str:
    """The ten digits of a ticket number in any spelling.

    Raises:
        PydanticCustomError: not ten digits (`number_shape`), or a wrong check digit (`number_check_digit`).
    """
    digits = value if isinstance(value, str) and len(value) <= 40 else ""
    if not _DIGITS.fullmatch(digits):
        digits = spelled(digits)
    if not _DIGITS.fullmatch(digits):
        raise PydanticCustomError("number_shape", "must be a ticket number: ten digits, such as 483-029-1741")
    if not damm.is_valid(digits):
        raise PydanticCustomError(
            "number_check_digit",
            "is not a ticket number: a digit of {number} is wrong or two are swapped",
            {"number": shown(digits)},
        )
    return digits


def shown(number: str) -> str:
    """The number as people read it: `483-029-1741`."""
    digits = spelled(number)
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"


def derive_number(account: str, command_id: str, attempt: int = 0) -> str:
    """The number of the ticket that this command opens: always the same, so that a repeat finds its ticket.

    `attempt` counts the collisions met so far; there are 900 million numbers.
    """
    digest = hashlib.sha256(f"{account}\0{command_id}\0{attempt}".encode()).digest()
    stem = str(100_000_000 + int.from_bytes(digest[:8], "big") % 900_000_000)
    return stem + str(damm.calc_check_digit(stem))


TicketNumber = Annotated[
    str,
    BeforeValidator(parse_number),
    Field(examples=["4830291741"]),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9]{10}$", "description": "Ten digits, the last a check digit"}
    ),
]
"""A ticket number in any spelling, kept as ten digits."""
