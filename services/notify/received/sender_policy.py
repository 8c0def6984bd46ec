"""Whether a host may send in a domain's name (SPF, RFC 7208), by pyspf. Blocks."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

import spf  # type: ignore[import-untyped]

from services.notify.received.lookups import Lookups, TemporaryFailure, TooManyLookups

_INSIDE: Final = tuple(
    ip_network(each)
    for each in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Where senders' servers are not, but a server of ours in front of us is: it passes on what anybody sent."""

_UNREADABLE: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip  # what pyspf lets through on records that it does not expect


def spf_result(lookups: Lookups, *, peer: str, helo: str, mail_from: str) -> str:
    """`pass`, `fail`, `softfail`, `neutral`, `none` or `permerror`. Raises TemporaryFailure.

    With an empty `mail_from` it is judged by `helo` (section 2.4). Domains are in ASCII. Of a host in a
    private network nothing is said.
    """
    try:
        address = ip_address(peer)
    except ValueError:
        return "none"
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if any(address in network for network in _INSIDE):
        return "none"
    try:
        result, _, why = _Query(lookups, peer=peer, helo=helo, mail_from=mail_from).check()
    except _UNREADABLE:
        return "permerror"
    if result == "temperror":
        raise TemporaryFailure(str(why))
    return str(result)


class _Query(spf.query):  # type: ignore[misc]  # untyped
    """Asks where we ask."""

    def __init__(self, lookups: Lookups, *, peer: str, helo: str, mail_from: str) -> None:
        super().__init__(i=peer, s=mail_from, h=helo, receiver="unknown")
        self._lookups = lookups
        self._answers: dict[tuple[str, str], list[Any]] = {}

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:
        """What pyspf expects: texts in pieces, exchanges with their preference, all else as text."""
        key = name.lower().rstrip("."), qtype
        if key not in self._answers:
            self._answers[key] = self._asked(*key)
        found = self._answers[key]
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many look-ups without an answer")
        return list(found)

    def _asked(self, name: str, kind: str) -> list[Any]:
        if any(not 0 < len(label) < 64 for label in name.split(".")):
            return []
        try:
            match kind:
                case "TXT":
                    return [(text,) for text in self._lookups.texts(name)]
                case "MX":
                    return list(self._lookups.exchanges(name))
                case "PTR":
                    return list(self._lookups.pointers(name))
                case _:
                    return list(self._lookups.addresses(name, kind))
        except TemporaryFailure as failure:
            raise spf.TempError(str(failure)) from None
        except TooManyLookups:
            raise spf.PermError("too many look-ups") from None
