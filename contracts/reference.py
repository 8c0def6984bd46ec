"""Reference IDs: what stands in an e-mail or on a confirmation, so that a person can quote it.

Eleven characters of Crockford's base 32 and a check character: Luhn's over the same alphabet, which finds
every single wrong character and nearly every swap of two neighbours. Shown as `R-7K3M-9QX2-81FG`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from stdnum import luhn

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_STEM_CHARACTERS: Final = 11
_BITS: Final = 5
_SEPARATORS: Final = re.compile(r"[\s.\-\u2010-\u2015\u2212#]")
_SHAPE: Final = re.compile(rf"R?([{ALPHABET}]{{{_STEM_CHARACTERS + 1}}})")
_MISREAD: Final = str.maketrans("OIL", "011")


def derive_reference(*parts: str) -> str:
    """The reference ID of whatever the parts name: always the same. One in 36 thousand million million."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    number = int.from_bytes(digest[:8], "big") >> 64 - _BITS * _STEM_CHARACTERS
    stem = "".join(
        ALPHABET[number >> shift & 31] for shift in range(_BITS * (_STEM_CHARACTERS - 1), -1, -_BITS)
    )
    return shown(stem + luhn.calc_check_digit(stem, ALPHABET))


def shown(reference: str) -> str:
    """The twelve characters as people read them: `R-7K3M-9QX2-81FG`."""
    return f"R-{reference[:4]}-{reference[4:8]}-{reference[8:]}"


def parse_reference(value: object) -> str:
    """The reference ID as it is shown, out of any spelling: small letters, no hyphens, O for 0, I or L for 1.

    Raises:
        PydanticCustomError: no such shape (`reference_shape`), or a wrong check character
            (`reference_check_character`).
    """
    spelled = value if isinstance(value, str) and len(value) <= 40 else ""
    spelled = _SEPARATORS.sub("", unicodedata.normalize("NFKC", spelled)).upper().translate(_MISREAD)
    found = _SHAPE.fullmatch(spelled)
    if found is None:
        raise PydanticCustomError("reference_shape", "must be a reference ID, such as R-7K3M-9QX2-81FG")
    if not luhn.is_valid(found[1], ALPHABET):
        raise PydanticCustomError(
            "reference_check_character",
            "is not a reference ID: a character of {reference} is wrong or two are swapped",
            {"reference": shown(found[1])},
        )
    return shown(found[1])


def is_reference(value: str) -> bool:
    """Whether the value, in any spelling, is a reference ID with a right check character."""
    try:
        parse_reference(value)
    except PydanticCustomError:
        return False
    return True


Reference = Annotated[
    str,
    BeforeValidator(parse_reference),
    Field(examples=["R-7K3M-9QX2-81FG"]),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^R-[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}$",
            "description": "Twelve characters, the last a check character",
        }
    ),
]
"""A reference ID in any spelling, kept as it is shown."""
