"""Whether an e-mail that came in comes from the address in its From, by what the trusted server found. Pure.

The server in front of us writes what it found into `Authentication-Results` (RFC 8601), and anybody else can
write the same into what they send. What tells them apart is where it stands: each server puts its own on top.

    Received: … by mail.example.net            1  the server that gave us the e-mail: whatever it calls itself
    Received: … by mx.example.net              2  others of the same organisation, and the ones in `trusted`
    Authentication-Results: mx.example.net; …  3  these count, up to the next Received
    Received: … by out.example.com             4  a stranger's: neither it nor what is under it counts
    Authentication-Results: mx.example.net; …     forged, or of an earlier journey

A server that writes its results under its own Received (Gmail, Postfix with a milter) puts them right on top
of what the sender wrote: there position cannot tell a forged one. So this is assumed of the server, as RFC
8601 (section 5) asks of every one: it removes what comes in with its own id, and takes no e-mail while its
filter is down (Postfix: `milter_default_action = tempfail`, the default). It is also assumed that nobody but
that server reaches our listener. Beyond that: of several headers that report a method the topmost counts; a
`dmarc=fail` anywhere in the block counts; `dmarc=pass` counts only if no header in the block says otherwise.
ARC is somebody else's word on an earlier hop, and is not read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from services.notify.received.authentication_results import Result, Results, results, without_comments
from services.notify.received.domains import aligned, ascii_domain, domain_of, organisation
from services.notify.received.headers import Headers

MAX_HEADERS: Final = 50
"""Headers that are read; servers write one for each filter."""

Outcome = Literal["pass", "fail", "none", "temperror"]

_DMARC_FAILS: Final = frozenset({"fail", "softfail", "quarantine", "reject"})
"""What servers write: the registered word is the first; rspamd names the policy that it would follow."""

_MAX_DETAILS: Final = 300
_BY: Final = re.compile(r"(?:^|\s)by\s+\[?([^\s;\[\]]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the e-mail is of its From (`Headers.author`).

    `none`: nothing speaks for it or against it; `temperror`: the DNS did not answer, try later. `by` is the
    id of the server whose word it is, `own` for our own look-ups, `headers` where From itself decides.
    `details` is one line for a log.
    """

    result: Outcome
    by: str
    details: str

    @classmethod
    def of(cls, result: Outcome, by: str, details: str) -> Verdict:
        """With the details as one short line."""
        return cls(result, by, " ".join(details.split())[:_MAX_DETAILS])


def author_domain(headers: Headers) -> str | Verdict:
    """The domain that has to answer for the e-mail; a verdict if From has not exactly one."""
    author = headers.author()
    if author is None:
        return Verdict.of("fail", "headers", "From is missing, has several addresses, or is ambiguous")
    domain = domain_of(author)
    if domain is None:
        return Verdict.of("fail", "headers", "the address in From has no domain")
    return domain


def by_trusted_server(headers: Headers, *, trusted: Collection[str]) -> Verdict:
    """What the servers with these authserv-ids found out, as the module says. Never `temperror`."""
    author = author_domain(headers)
    if isinstance(author, Verdict):
        return author
    block = _block(headers, frozenset(each.strip().lower() for each in trusted))
    if not block:
        return Verdict.of("none", "headers", "no Authentication-Results of a trusted server")
    server = block[0].server
    verdict = (
        _by_dmarc(author, block)
        or _by_dkim(author, block)
        or _by_spf(author, block)
        or _by_spf_failure(author, block)
    )
    if verdict is None:
        said = [f"{each.method}={each.result}" for found in block for each in found.results]
        return Verdict.of("none", server, f"nothing aligned with {author} in {' '.join(said)} by {server}")
    return verdict


def _block(headers: Headers, trusted: frozenset[str]) -> list[Results]:
    """The results that the trusted server wrote, from the top."""
    block: list[Results] = []
    hops = 0
    for name, value in headers.items():
        if name == "received":
            hops += 1
            if block or (hops > 1 and not _is_own(value, trusted)):
                break
        elif name == "authentication-results" and len(block) < MAX_HEADERS:
            found = results(value)
            if found is not None and found.server in trusted:
                block.append(found)
    return block


def _is_own(received: str, trusted: frozenset[str]) -> bool:
    """Whether the server that wrote this `Received` is one of ours."""
    by = _BY.search(without_comments(received))
    host = by.group(1).lower() if by else ""
    if host in trusted:
        return True
    domain = ascii_domain(host)
    organisations = {organisation(each) for each in map(ascii_domain, trusted) if each is not None}
    return domain is not None and organisation(domain) in organisations


def _by_dmarc(author: str, block: list[Results]) -> Verdict | None:
    found = [(each, of.server) for of in block for each in of.results if each.method == "dmarc"]
    for each, server in found:
        if each.result in _DMARC_FAILS:
            domain = _domain(each, "header.from")
            return Verdict.of("fail", server, f"dmarc={each.result} header.from={domain} by {server}")
    if not found or any(each.result != "pass" for each, _ in found):
        return None
    each, server = found[0]
    domain = _domain(each, "header.from")
    if domain is None:
        return None
    if not aligned(author, domain):
        return Verdict.of(
            "fail", server, f"dmarc=pass for header.from={domain}, but From is of {author}, by {server}"
        )
    return Verdict.of("pass", server, f"dmarc=pass header.from={domain} by {server}")


def _by_dkim(author: str, block: list[Results]) -> Verdict | None:
    for each, server in _topmost(block, "dkim"):
        for name in ("header.d", "header.i"):
            domain = _domain(each, name)
            if each.result == "pass" and domain is not None and aligned(author, domain):
                return Verdict.of("pass", server, f"dkim=pass {name}={domain} by {server}")
            if domain is not None:
                break  # header.d is what counts where there are both
    return None


def _by_spf(author: str, block: list[Results]) -> Verdict | None:
    for each, server in _topmost(block, "spf"):
        domain = _domain(each, "smtp.mailfrom")
        if each.result == "pass" and domain is not None and aligned(author, domain):
            return Verdict.of("pass", server, f"spf=pass smtp.mailfrom={domain} by {server}")
    return None


def _by_spf_failure(author: str, block: list[Results]) -> Verdict | None:
    """Where nothing passed: the domain says that such a host does not send for it.

    A signature that is not true says nothing: one broken on the way is as none (RFC 6376, section 6.1).
    """
    for each, server in _topmost(block, "spf"):
        domain = _domain(each, "smtp.mailfrom")
        if each.result == "fail" and domain is not None and aligned(author, domain):
            return Verdict.of("fail", server, f"spf=fail smtp.mailfrom={domain} by {server}")
    return None


def _topmost(block: list[Results], method: str) -> Iterator[tuple[Result, str]]:
    """The results of the method in the topmost header that has any."""
    for of in block:
        found = [each for each in of.results if each.method == method]
        if found:
            return iter([(each, of.server) for each in found])
    return iter(())


def _domain(result: Result, name: str) -> str | None:
    """The domain of a property, which is written as one, as `@domain` or as an address."""
    value = result.properties.get(name, "").strip("<>")
    return domain_of(value) if "@" in value else ascii_domain(value)
