"""DNS look-ups for the check of one e-mail: so many, and so much time for all of them. Blocks."""

from __future__ import annotations

import time
from typing import Final

import dns.exception
import dns.resolver
from dns.name import Name
from dns.rdata import Rdata

MAX_TEXT_BYTES: Final = 2048
"""Longer TXT records are passed over: an RSA key of 8192 bits has room, and reading them could take long."""

MAX_ANSWERS: Final = 50


class TemporaryFailure(Exception):
    """The DNS did not answer, or not in time: perhaps later."""


class TooManyLookups(Exception):
    """The e-mail asks for more than its check may do. SPF alone can."""


class Lookups:
    """Asks the resolver until the time is up or the number is used up.

    An answer that there is nothing of the kind is an empty tuple. Each method raises TemporaryFailure,
    TooManyLookups.
    """

    def __init__(
        self, resolver: dns.resolver.Resolver, *, most: int, within_s: float, each_within_s: float
    ) -> None:
        self._resolver = resolver
        self._left = most
        self._ends = time.monotonic() + within_s
        self._each_within_s = each_within_s

    def texts(self, name: str) -> tuple[bytes, ...]:
        """The TXT records, each in one piece."""
        whole = (b"".join(each.strings) for each in self._records(name, "TXT"))  # type: ignore[attr-defined]
        return tuple(text for text in whole if len(text) <= MAX_TEXT_BYTES)

    def addresses(self, name: str, kind: str) -> tuple[str, ...]:
        """The A or AAAA records (`kind`)."""
        return tuple(each.to_text() for each in self._records(name, kind))

    def exchanges(self, name: str) -> tuple[tuple[int, str], ...]:
        """The MX records: preference and host."""
        return tuple((each.preference, _host(each.exchange)) for each in self._records(name, "MX"))  # type: ignore[attr-defined]

    def pointers(self, name: str) -> tuple[str, ...]:
        """The PTR records."""
        return tuple(_host(each.target) for each in self._records(name, "PTR"))  # type: ignore[attr-defined]

    def _records(self, name: str, kind: str) -> list[Rdata]:
        self._left -= 1
        if self._left < 0:
            raise TooManyLookups
        left_s = self._ends - time.monotonic()
        if left_s <= 0:
            raise TemporaryFailure(f"no time left to ask for {kind} of {name[:253]}")
        try:
            answer = self._resolver.resolve(
                name.rstrip(".") + ".",
                kind,
                lifetime=min(left_s, self._each_within_s),
                raise_on_no_answer=False,
                search=False,
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.YXDOMAIN):
            return []
        except (dns.exception.Timeout, dns.resolver.NoNameservers, OSError) as error:
            raise TemporaryFailure(f"{kind} of {name[:253]}: {type(error).__name__}") from None
        except (dns.exception.DNSException, UnicodeError, ValueError):
            return []  # no name that could be asked for, or an answer that is none
        return list(answer)[:MAX_ANSWERS] if answer.rrset is not None else []


def _host(name: Name) -> str:
    return name.to_text(omit_final_dot=True)
