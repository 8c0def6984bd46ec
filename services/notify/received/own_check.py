"""Whether an e-mail that came in comes from the address in its From, by our own check of SPF, DKIM and DMARC.

Only where the sender's own server speaks to us: behind a server of ours, SPF would see that one's address,
which the SPF record of our own domain names, and so whoever wrote through it would pass as one of us. A peer
in a private network is such a server: nothing is concluded from it. One with a public address cannot be told
apart.

Where the domain's owner publishes a policy (DMARC), the e-mail passes or fails by it. Without one, a true
signature or a host that may send for the domain is enough to pass, a host of which the domain says that it
may not (`spf=fail`) to fail, and the absence of all of them says nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import dns.resolver

from services.notify.received.authentic import Outcome, Verdict, author_domain
from services.notify.received.domains import aligned, ascii_domain, domain_of
from services.notify.received.headers import Headers
from services.notify.received.lookups import Lookups, TemporaryFailure
from services.notify.received.policy import policy
from services.notify.received.sender_policy import spf_result
from services.notify.received.signatures import Signatures

MAX_LOOKUPS: Final = 60
"""For one e-mail; SPF alone may ask some thirty times where a domain has many servers."""

_BY: Final = "own"


class OwnCheck:
    """Asks the DNS about the e-mails that come in."""

    def __init__(
        self,
        resolver: dns.resolver.Resolver | None = None,
        *,
        timeout_s: float = 20.0,
        lookup_timeout_s: float = 5.0,
    ) -> None:
        """Without a resolver, the machine's (`/etc/resolv.conf`).

        Raises:
            dns.resolver.NoResolverConfiguration: the machine has none.
        """
        self._resolver = resolver or dns.resolver.Resolver()
        self._timeout_s = timeout_s
        self._lookup_timeout_s = lookup_timeout_s

    async def check(self, raw: bytes, headers: Headers, *, peer: str, helo: str, mail_from: str) -> Verdict:
        """The verdict on the e-mail, on a thread; `temperror`: the DNS did not answer, ask again later.

        `headers` are those of `raw`; `peer` is the address of the sender's host, `mail_from` what it gave in
        MAIL FROM, empty or `<>` for the null sender.
        """
        return await asyncio.to_thread(self._checked, raw, headers, _Envelope.of(peer, helo, mail_from))

    def _checked(self, raw: bytes, headers: Headers, envelope: _Envelope) -> Verdict:
        author = author_domain(headers)
        if isinstance(author, Verdict):
            return author
        lookups = Lookups(
            self._resolver, most=MAX_LOOKUPS, within_s=self._timeout_s, each_within_s=self._lookup_timeout_s
        )
        return _Evidence(lookups, author, headers.author() or "").verdict(raw, envelope)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What SPF judges: `domain` is of MAIL FROM or, for the null sender, HELO."""

    peer: str
    helo: str
    mail_from: str
    domain: str | None

    @classmethod
    def of(cls, peer: str, helo: str, mail_from: str) -> _Envelope:
        sender = mail_from.strip().strip("<>")
        host = ascii_domain(helo) or ""
        domain = domain_of(sender) if sender else host or None
        local = sender.rpartition("@")[0]
        return cls(peer, host, f"{local}@{domain}" if sender and domain else "", domain)


class _Evidence:
    """What is found about one e-mail."""

    def __init__(self, lookups: Lookups, author: str, address: str) -> None:
        self._lookups = lookups
        self._author = author
        self._address = address
        self._said: list[str] = []
        self._unknown = False
        self._is_refuted = False
        """The domain says itself that such a host does not send for it."""

    def verdict(self, raw: bytes, envelope: _Envelope) -> Verdict:
        # While the policy is unknown, what counts under every policy counts.
        has_policy, strict_dkim, strict_spf = self._policy()
        if self._is_signed(raw, strict=strict_dkim) or self._is_sent(envelope, strict=strict_spf):
            return self._verdict("pass", has_policy=has_policy)
        if self._unknown:
            return self._verdict("temperror", has_policy=has_policy)
        return self._verdict("fail" if has_policy or self._is_refuted else "none", has_policy=has_policy)

    def _verdict(self, result: Outcome, *, has_policy: bool) -> Verdict:
        dmarc = f"dmarc={result} header.from={self._author}" if has_policy else f"header.from={self._author}"
        return Verdict.of(result, _BY, " ".join((dmarc, *self._said, "by our own check")))

    def _policy(self) -> tuple[bool, bool, bool]:
        try:
            found = policy(self._lookups, self._author)
        except TemporaryFailure as failure:
            self._fails("dmarc", failure)
            return False, True, True
        return found is not None, bool(found and found.strict_dkim), bool(found and found.strict_spf)

    def _is_signed(self, raw: bytes, *, strict: bool) -> bool:
        try:
            domain = Signatures(raw, self._author, address=self._address).true_domain(
                self._lookups, strict=strict
            )
        except TemporaryFailure as failure:
            self._fails("dkim", failure)
            return False
        self._said.append(f"dkim=pass header.d={domain}" if domain else "dkim=none")
        return domain is not None

    def _is_sent(self, envelope: _Envelope, *, strict: bool) -> bool:
        if not aligned(self._author, envelope.domain, strict=strict):
            self._said.append(f"spf=none smtp.mailfrom={envelope.domain or '<>'} is not aligned")
            return False
        try:
            result = spf_result(
                self._lookups, peer=envelope.peer, helo=envelope.helo, mail_from=envelope.mail_from
            )
        except TemporaryFailure as failure:
            self._fails("spf", failure)
            return False
        self._said.append(f"spf={result} smtp.mailfrom={envelope.domain}")
        self._is_refuted = result == "fail"
        return result == "pass"

    def _fails(self, method: str, failure: TemporaryFailure) -> None:
        self._unknown = True
        self._said.append(f"{method}=temperror ({failure})")
