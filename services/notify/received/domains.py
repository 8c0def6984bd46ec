"""Domains: one way to write each, and which of them belong to the same organisation. Pure.

Organisations are told apart by the public suffix list that `publicsuffixlist` ships, its private part
included: whoever rents `a.github.io` does not speak for `b.github.io`. Nothing is fetched.
"""

from __future__ import annotations

import functools
import re
from typing import Final

import idna
from publicsuffixlist import PublicSuffixList

_MAX_CHARACTERS: Final = 253
_NAME: Final = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])"
)


def ascii_domain(domain: str) -> str | None:
    """The domain in lower case and ASCII (RFC 5890, A-labels); None: it is no domain with a dot."""
    domain = domain.strip().removesuffix(".")
    if not 0 < len(domain) <= _MAX_CHARACTERS:
        return None
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    domain = domain.lower()
    return domain if len(domain) <= _MAX_CHARACTERS and _NAME.fullmatch(domain) else None


def domain_of(address: str) -> str | None:
    """The domain of an e-mail address as `ascii_domain` has it; None: it has none."""
    _, at, domain = address.rpartition("@")
    return ascii_domain(domain) if at else None


def organisation(domain: str) -> str:
    """The domain that its owner registered (RFC 7489, section 3.2); a public suffix is its own."""
    return _suffixes().privatesuffix(domain) or domain


def aligned(author: str, other: str | None, *, strict: bool = False) -> bool:
    """Whether `other` may speak for `author` (RFC 7489, section 3.1); both as `ascii_domain` has them."""
    if other is None:
        return False
    return author == other or (not strict and organisation(author) == organisation(other))


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
