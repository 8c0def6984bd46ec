"""People by their e-mail address: the same address is the same person, everywhere, without a look-up.

A person's id follows from the address. It is a pseudonym and no secret: who has an address can work it out.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

MAX_EMAIL_CHARACTERS: Final = 254
"""RFC 5321, errata 1690."""

_MAX_LOCAL_BYTES: Final = 64
_MAX_LABEL: Final = 63
_ID_CHARACTERS: Final = 15
_NOT_IN_LOCAL: Final = re.compile(r'[\s\x00-\x1f\x7f-\x9f\ud800-\udfff()<>\[\]:;,@\\"]')
_ASCII_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class NotAnAddress(ValueError):
    """It is not an e-mail address."""


def _label(label: str) -> str:
    """A label of a domain in ASCII. Raises NotAnAddress."""
    if not label.isascii():
        if not all(unicodedata.category(character)[0] in "LMN" or character == "-" for character in label):
            raise NotAnAddress(label)
        # What IDNA 2008 makes of a label in lower case. Python's own codec is IDNA 2003, to which
        # `straße` and `strasse` are one: two domains, which may have two owners.
        label = "xn--" + label.encode("punycode").decode("ascii")
    if len(label) > _MAX_LABEL or not _ASCII_LABEL.fullmatch(label):
        raise NotAnAddress(label)
    return label


def normalised(email: str) -> str:
    """The address as it is compared: NFKC, no white space around it, lower case, the domain in ASCII.

    Raises:
        NotAnAddress: it is none.
    """
    whole = unicodedata.normalize("NFKC", email).strip().lower()
    whole = unicodedata.normalize("NFKC", whole)  # some letters come apart again in lower case: İ
    local, at, domain = whole.rpartition("@")
    if not at or not local or len(local.encode(errors="surrogatepass")) > _MAX_LOCAL_BYTES:
        raise NotAnAddress(email)
    if _NOT_IN_LOCAL.search(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise NotAnAddress(email)
    labels = [_label(label) for label in domain.split(".")]
    address = f"{local}@{'.'.join(labels)}"
    if len(labels) < 2 or len(address) > MAX_EMAIL_CHARACTERS:
        raise NotAnAddress(email)
    return address


def person_id(email: str) -> str:
    """The id of the person with this address, in any spelling of it: `p` and 15 letters and digits.

    Raises:
        NotAnAddress: it is none.
    """
    digest = hashlib.sha256(normalised(email).encode()).digest()
    return "p" + base64.b32encode(digest).decode()[:_ID_CHARACTERS].lower()


def check_email(value: str) -> str:
    """The address without white space around it, otherwise as it was written."""
    try:
        normalised(value)
    except NotAnAddress:
        raise PydanticCustomError(
            "email_shape", "must be an e-mail address, such as jan@example.com"
        ) from None
    return value.strip()


EmailAddress = Annotated[
    str,
    StringConstraints(min_length=3, max_length=MAX_EMAIL_CHARACTERS),
    AfterValidator(check_email),
    Field(examples=["jan@example.com"]),
]
"""An e-mail address, kept as it was written."""

LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
"""The language in which somebody wants to be addressed (ISO 639-1). One that we do not speak is English."""
