"""Our own check of where e-mails come from, against a name server, with e-mails that are really signed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import dkim  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from services.notify.received.authentic import Verdict
from services.notify.received.headers import Headers
from services.notify.received.own_check import OwnCheck
from services.notify.received.signatures import MAX_SIGNATURES
from tests.notify.received.nameserver import NameServer, name_server
from tests.notify.received.signed import (
    ED25519_RECORD,
    KEY,
    SELECTOR,
    SHORT_KEY,
    SLOW_KEY,
    WEAK_PEM,
    WEAK_RECORD,
    Key,
    mail,
    signed,
    signed_without_from,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEER, STRANGER = "192.0.2.10", "203.0.113.66"
DKIM_NAME = f"{SELECTOR}._domainkey.example.com"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[NameServer]:
    async with name_server() as server:
        yield server


@pytest.fixture
def dns(running: NameServer) -> NameServer:
    """Knows example.com: its key, its policy, its host."""
    running.zone.clear()
    running.asked.clear()
    for names in (running.silent, running.broken, running.long):
        names.clear()
    running.text(DKIM_NAME, KEY.record)
    running.text("_dmarc.example.com", "v=DMARC1; p=reject; rua=mailto:d@example.com")
    running.text("example.com", "something=else", f"v=spf1 ip4:{PEER} -all")
    return running


@dataclass(frozen=True)
class Came:
    """How an e-mail came."""

    raw: bytes
    peer: str = STRANGER
    helo: str = "mail.example.org"
    mail_from: str = "bounce@elsewhere.example.org"

    async def to(self, dns: NameServer, *, timeout_s: float = 10, lookup_timeout_s: float = 5) -> Verdict:
        check = OwnCheck(dns.resolver(), timeout_s=timeout_s, lookup_timeout_s=lookup_timeout_s)
        return await check.check(
            self.raw, Headers(self.raw), peer=self.peer, helo=self.helo, mail_from=self.mail_from
        )


DIRECT = Came(mail(), peer=PEER, helo="out.example.com", mail_from="ola@example.com")
SIGNED = Came(signed(mail()))


# Signatures


async def test_a_signed_mail_passes_by_its_owners_policy(dns: NameServer) -> None:
    assert await SIGNED.to(dns) == Verdict(
        "pass", "own", "dmarc=pass header.from=example.com dkim=pass header.d=example.com by our own check"
    )


async def test_a_forwarded_mail_passes_by_its_signature(dns: NameServer) -> None:
    forwarded = b"Received: from x by list.example.org; Wed, 25 Nov 2026 10:00:01 +0100\r\n" + SIGNED.raw
    assert (
        await Came(forwarded, mail_from="srs0=x=example.com=ola@list.example.org").to(dns)
    ).result == "pass"
    assert (await Came(forwarded, mail_from="ola@example.com").to(dns)).result == "pass"  # SPF fails


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (signed(mail(), algorithm=b"ed25519-sha256"), ED25519_RECORD),
        (signed(mail(), pem=SHORT_KEY.pem), SHORT_KEY.record),
        (signed(mail()), KEY.record.replace("v=DKIM1; k=rsa; ", "")),
        (signed(mail()), KEY.record.replace("k=rsa", "k=rsa; t=y; s=email; h=sha1:sha256; n=note")),
        (signed(mail()).replace(b"\r\n", b"\n"), KEY.record),
        (signed(mail(), identity=b"ola@sub.example.com"), KEY.record),
    ],
    ids=["ed25519", "1024 bits", "only p", "all tags", "bare line feeds", "an identity below the domain"],
)
async def test_a_true_signature_counts(dns: NameServer, raw: bytes, record: str) -> None:
    dns.text(DKIM_NAME, record)
    assert (await Came(raw).to(dns)).result == "pass"


BROKEN = {
    "a footer of a mailing list": (signed(mail()) + b"-- \r\nlist footer\r\n", KEY.record),
    "a tag of a mailing list in the subject": (signed(mail()).replace(b"Re: ", b"[list] Re: "), KEY.record),
    "another From": (signed(mail()).replace(b"ola@example.com>", b"ewa@example.com>"), KEY.record),
    "no key in the DNS": (signed(mail()), ""),
    "another key": (signed(mail()), Key().record),
    "a revoked key": (signed(mail()), "v=DKIM1; k=rsa; p="),
    "a key that is none": (signed(mail()), "v=DKIM1; k=rsa; p=AAAA"),
    "a record that is none": (signed(mail()), ";;;=;"),
    "a key of another version": (signed(mail()), KEY.record.replace("DKIM1", "DKIM2")),
    "a key for other things than e-mail": (signed(mail()), KEY.record + "; s=tlsrpt"),
    "a key for SHA-1 only": (signed(mail()), KEY.record + "; h=sha1"),
    "a key for the very domain only": (signed(mail(), identity=b"ola@sub.example.com"), KEY.record + "; t=s"),
    "a key of another kind": (signed(mail()), ED25519_RECORD),
    "768 bits": (signed(mail(), pem=WEAK_PEM), WEAK_RECORD),
    "an exponent that takes long": (signed(mail(), pem=SLOW_KEY.pem), SLOW_KEY.record),
    "SHA-1": (signed(mail(), algorithm=b"rsa-sha1"), KEY.record),
    "a part of the body": (signed(mail(), length=True), KEY.record),
    "a part of the body, and more after it": (signed(mail(), length=True) + b"Pay here\r\n", KEY.record),
    "From left out": (signed_without_from(mail()), KEY.record),
    "no signature": (mail(), KEY.record),
    "no signature in it": (
        b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=mail2026; h=from; b=\r\n" + mail(), KEY.record
    ),
    "tags that are none": (b"DKIM-Signature: ;;d=example.com\r\n" + mail(), KEY.record),
    "a selector that is no name": (signed(mail()).replace(b"s=mail2026", b"s=mail 2026"), KEY.record),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_what_does_not_count_as_a_signature(dns: NameServer, name: str) -> None:
    raw, record = BROKEN[name]
    if record:
        dns.text(DKIM_NAME, record)
    else:
        del dns.zone[DKIM_NAME, "TXT"]
    verdict = await Came(raw).to(dns)
    assert (verdict.result, verdict.details.split()[:3]) == (
        "fail", ["dmarc=fail", "header.from=example.com", "dkim=none"],
    )  # fmt: skip
    del dns.zone["_dmarc.example.com", "TXT"]
    assert (await Came(raw).to(dns)).result == "none"


@pytest.mark.parametrize(
    "name", ["SHA-1", "a part of the body", "From left out", "an exponent that takes long"]
)
async def test_dkimpy_would_have_let_it_pass(name: str) -> None:
    raw, record = BROKEN[name]
    assert dkim.verify(raw, dnsfunc=lambda _name, timeout=0: record.encode())


async def test_the_second_signature_counts_as_well_and_a_strangers_is_not_looked_at(dns: NameServer) -> None:
    strangers = signed(SIGNED.raw, domain="lists.example.org")
    broken = SIGNED.raw[: SIGNED.raw.index(b"From:")].replace(b"bh=", b"bh=AAAA")
    assert (await Came(strangers).to(dns)).result == "pass"
    assert (await Came(broken + SIGNED.raw).to(dns)).result == "pass"
    assert not any("example.org" in asked for asked in dns.asked)


async def test_no_more_signatures_are_looked_at_than_the_limit(dns: NameServer) -> None:
    one = SIGNED.raw[: SIGNED.raw.index(b"From:")].replace(b"s=mail2026", b"s=other%d")
    raw = b"".join(one.replace(b"%d", b"%d" % number) for number in range(50)) + SIGNED.raw
    assert (await Came(raw).to(dns)).result == "fail"
    assert sum("_domainkey" in asked for asked in dns.asked) == MAX_SIGNATURES


# Alignment


@pytest.mark.parametrize(
    ("author", "signer", "policy", "expected"),
    [
        ("ola@mail.example.com", "example.com", "v=DMARC1; p=none", "pass"),
        ("ola@example.com", "mail.example.com", "v=DMARC1; p=none", "pass"),
        ("ola@example.com", "EXAMPLE.com", "v=DMARC1; p=none; adkim=s", "pass"),
        ("ola@EXAMPLE.COM", "example.com", "v=DMARC1; p=none; adkim=s", "pass"),
        ("ola@mail.example.com", "example.com", "v=DMARC1; p=none; adkim=s", "fail"),
        ("ola@example.com", "mail.example.com", "v=DMARC1;p=none;ADKIM=S", "fail"),
        ("ola@example.com", "example.org", "v=DMARC1; p=none", "fail"),
        ("ola@example.com", "notexample.com", "v=DMARC1; p=none", "fail"),
        ("ola@example.com", "com", "v=DMARC1; p=none", "fail"),
        ("ola@example.com", "example.com.evil.example", "v=DMARC1; p=none", "fail"),
        ("ola@ola.github.io", "ewa.github.io", "", "none"),
        ("ola@ola.github.io", "github.io", "", "none"),
        ("ola@a.com.pl", "b.com.pl", "", "none"),
        ("ola@www.a.com.pl", "a.com.pl", "", "pass"),
    ],
)
async def test_who_may_sign_for_whom(
    dns: NameServer, author: str, signer: str, policy: str, expected: str
) -> None:
    dns.text(f"{SELECTOR}._domainkey.{signer.lower()}", KEY.record)
    dns.text("_dmarc.example.com", policy or "nothing")
    assert (await Came(signed(mail(author), domain=signer)).to(dns)).result == expected


@pytest.mark.parametrize(
    "author", ["ola@żółw.example.com", "ola@XN--W-UGA1V8H.example.com", "ola@ŻÓŁW.example.com"]
)
async def test_a_domain_is_the_same_in_unicode_and_in_ascii(dns: NameServer, author: str) -> None:
    name = "żółw".encode("idna").decode()
    dns.text(f"{SELECTOR}._domainkey.{name}.example.com", KEY.record)
    raw = signed(mail(author.replace("XN--W-UGA1V8H", name.upper())), domain=f"{name}.example.com")
    verdict = await Came(raw).to(dns)
    assert (verdict.result, f"header.from={name}.example.com" in verdict.details) == ("pass", True)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["v=DMARC1; p=none"], "fail"),
        (["v=DMARC1; rua=mailto:d@example.com"], "fail"),
        (["hello", "v=DMARC1;p=quarantine"], "fail"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "none"),
        (["v=DMARC1"], "none"),
        (["v=DMARC10; p=none"], "none"),
        (["p=none; v=DMARC1"], "none"),
        (["ż=DMARC1"], "none"),
    ],
)
async def test_which_record_is_a_policy(dns: NameServer, records: list[str], expected: str) -> None:
    dns.zone["_dmarc.example.com", "TXT"] = [f'"{record}"' for record in records]
    assert (await Came(mail()).to(dns)).result == expected


# SPF


async def test_a_host_of_the_domain_is_enough(dns: NameServer) -> None:
    verdict = await DIRECT.to(dns)
    assert (verdict.result, verdict.details) == (
        "pass",
        "dmarc=pass header.from=example.com dkim=none spf=pass smtp.mailfrom=example.com by our own check",
    )
    del dns.zone["_dmarc.example.com", "TXT"]
    assert (await DIRECT.to(dns)).result == "pass"


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (replace(DIRECT, mail_from="bounce@mail.example.com"), "pass"),
        (replace(DIRECT, mail_from="<ola@example.com>"), "pass"),
        (replace(DIRECT, mail_from="Ola@EXAMPLE.com"), "pass"),
        (replace(DIRECT, peer=f"::ffff:{PEER}"), "pass"),
        (replace(DIRECT, mail_from="", helo="mail.example.com"), "pass"),
        (replace(DIRECT, mail_from="<>", helo="mail.example.org"), "fail"),
        (replace(DIRECT, mail_from="", helo="[192.0.2.10]"), "fail"),
        (replace(DIRECT, peer=STRANGER), "fail"),
        (replace(DIRECT, peer="2001:db8::1"), "fail"),
        (replace(DIRECT, peer="nowhere"), "fail"),
        (replace(DIRECT, peer=""), "fail"),
        (replace(DIRECT, mail_from="ola@example.org"), "fail"),
        (replace(DIRECT, mail_from="ola@[192.0.2.10]"), "fail"),
        (replace(DIRECT, mail_from="ola"), "fail"),
    ],
)
async def test_who_may_send_for_whom(dns: NameServer, came: Came, expected: str) -> None:
    dns.text("mail.example.com", f"v=spf1 ip4:{PEER} -all")
    dns.text("example.org", f"v=spf1 ip4:{PEER} -all")
    dns.text("mail.example.org", f"v=spf1 ip4:{PEER} -all")
    assert (await came.to(dns)).result == expected


@pytest.mark.parametrize(
    "peer",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "::1",
        "fd00::1",
        "fe80::1%eth0",
        "::ffff:10.1.2.3",
    ],
)
async def test_a_server_of_ours_in_front_of_us_sends_for_nobody(dns: NameServer, peer: str) -> None:
    dns.text("example.com", "v=spf1 +all")
    assert (await replace(DIRECT, peer=peer).to(dns)).result == "fail"
    assert (await replace(DIRECT, peer=peer, raw=SIGNED.raw).to(dns)).result == "pass"


async def test_a_strict_policy_wants_the_very_domain_in_mail_from(dns: NameServer) -> None:
    dns.text("mail.example.com", f"v=spf1 ip4:{PEER} -all")
    dns.text("_dmarc.example.com", "v=DMARC1; p=none; aspf=s")
    assert (await replace(DIRECT, mail_from="ola@mail.example.com").to(dns)).result == "fail"
    assert (await DIRECT.to(dns)).result == "pass"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 a -all", "spf=pass"),
        ("v=spf1 mx -all", "spf=pass"),
        ("v=spf1 a:alias.example.com -all", "spf=pass"),
        ("v=spf1 ptr -all", "spf=pass"),
        ("v=spf1 include:_spf.example.com -all", "spf=pass"),
        ("v=spf1 redirect=_spf.example.com", "spf=pass"),
        ("v=spf1 exists:%{ir}.%{l}.ok.example.com -all", "spf=pass"),
        ("v=spf1 ip4:192.0.2.0/28 -all exp=why.example.com", "spf=pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "spf=fail"),
        ("v=spf1 ~all", "spf=softfail"),
        ("v=spf1 ?all", "spf=neutral"),
        ("v=spf1 redirect=example.com", "spf=permerror"),
        ("v=spf1 include:example.com -all", "spf=permerror"),
        ("v=spf1 include:loop1.example.com -all", "spf=permerror"),
        ("v=spf1 a:%{z}.example.com -all", "spf=permerror"),
        ("v=spf1 ip4:999.1.1.1 -all", "spf=permerror"),
        ("v=spf1 a:n1.example.org a:n2.example.org a:n3.example.org ip4:192.0.2.10 -all", "spf=permerror"),
        ("v=spf1 " + " ".join(f"include:i{n}.example.com" for n in range(11)) + " -all", "spf=permerror"),
        ("v=spf1 " + "ip4:192.0.2.10 " * 200, "spf=none"),
        ("v=spf2.0/pra ip4:192.0.2.10", "spf=none"),
    ],
)  # fmt: skip
async def test_what_a_domain_says_of_its_hosts(dns: NameServer, record: str, expected: str) -> None:
    dns.text("example.com", record)
    dns.text("_spf.example.com", f"v=spf1 ip4:{PEER} -all")
    dns.text("loop1.example.com", "v=spf1 include:loop2.example.com -all")
    dns.text("loop2.example.com", "v=spf1 include:loop1.example.com -all")
    for number in range(11):
        dns.text(f"i{number}.example.com", "v=spf1 ip4:198.51.100.1 -all")
    dns.zone |= {
        ("example.com", "A"): [PEER],
        ("example.com", "MX"): ["10 mx1.example.com.", "20 mx2.example.com."],
        ("mx1.example.com", "A"): ["198.51.100.1"],
        ("mx2.example.com", "A"): [PEER],
        ("alias.example.com", "CNAME"): ["mx2.example.com."],
        ("10.2.0.192.in-addr.arpa", "PTR"): ["mx2.example.com."],
        ("10.2.0.192.ola.ok.example.com", "A"): ["127.0.0.2"],
    }
    verdict = await DIRECT.to(dns)
    assert expected in verdict.details.split()
    assert verdict.result == ("pass" if expected == "spf=pass" else "fail")
    assert len(dns.asked) <= 40


# From


@pytest.mark.parametrize(
    "author",
    [
        '"ewa@example.org" <ola@example.com>',
        "ewa@example.org <ola@example.com>",
        "=?utf-8?q?ewa=40example=2Eorg?= <ola@example.com>",
        "=?utf-8?q?=3Cewa=40example=2Eorg=3E=2C?= <ola@example.com>",
        "(ewa@example.org) ola@example.com (Ola \\) <ewa@example.org>)",
        '"Ola <ewa@example.org>, " <ola@example.com>',
        '"ola nowak"@example.com',
        '"ola@example.org"@example.com',
        "Ola Żółw <ola@example.com>",
    ],
)
async def test_the_address_is_what_counts_in_from(dns: NameServer, author: str) -> None:
    assert (await Came(signed(mail(author))).to(dns)).result == "pass"


@pytest.mark.parametrize(
    "author",
    [
        "ola@example.com, ewa@example.org",
        "ola@example.com, ola@example.com",
        "Team: ola@example.com;",
        "<@example.org:ola@example.com>",
        "ola@example.com <",
        "<ola@example.com> <ewa@example.org>",
        "<ola@example.com> ewa@example.org",
        "Ola (ola@example.com",
        '"Ola <ola@example.com>',
        "Ola",
        "",
        "ola@localhost",
        "ola@[192.0.2.1]",
        "ola@exa mple.com",
        "ola@example..com",
        "ola@-.com",
    ],
)
async def test_without_exactly_one_clear_author_it_fails_unasked(dns: NameServer, author: str) -> None:
    verdict = await Came(signed(mail(author)), peer=PEER, mail_from="ola@example.com").to(dns)
    assert (verdict.result, verdict.by, dns.asked) == ("fail", "headers", [])


async def test_two_from_headers_fail(dns: NameServer) -> None:
    for raw in (
        b"From: ewa@example.org\r\n" + SIGNED.raw,
        SIGNED.raw.replace(b"\r\n\r\n", b"\r\nFROM: ola@example.com\r\n\r\n", 1),
        SIGNED.raw.replace(b"Subject: ", b"Subject: x\rFrom: ewa@example.org\r ", 1),
    ):
        verdict = await replace(DIRECT, raw=raw).to(dns)
        assert (verdict.result, verdict.by) == ("fail", "headers")


async def test_a_from_that_the_verifier_reads_otherwise_does_not_count(dns: NameServer) -> None:
    # A bare carriage return: the end of a header to one reader, a part of it to the other.
    raw = signed(mail("ola@example.com\rX-Team: <ewa@example.com>"))
    assert dkim.verify(raw, dnsfunc=lambda _name, timeout=0: KEY.record.encode())
    assert Headers(raw).author() == "ola@example.com"
    assert (await Came(raw).to(dns)).result == "fail"


# The DNS fails


@pytest.mark.parametrize("how", ["broken", "silent"])
@pytest.mark.parametrize(
    ("name", "came", "expected"),
    [
        (DKIM_NAME, SIGNED, "temperror"),
        (DKIM_NAME, replace(DIRECT, raw=SIGNED.raw), "pass"),  # its host is enough
        ("example.com", DIRECT, "temperror"),
        ("example.com", replace(DIRECT, raw=SIGNED.raw), "pass"),  # its signature is enough
        ("_dmarc.example.com", SIGNED, "pass"),  # the very domain: enough under every policy
        ("_dmarc.example.com", Came(mail()), "temperror"),
    ],
)
async def test_a_name_server_that_fails_is_asked_again_later_unless_it_does_not_matter(
    dns: NameServer, how: str, name: str, came: Came, expected: str
) -> None:
    getattr(dns, how).add(name)
    verdict = await came.to(dns, lookup_timeout_s=0.2 if how == "silent" else 5)
    assert verdict.result == expected
    assert ("temperror (" in verdict.details) == (
        expected == "temperror" or name == DKIM_NAME or name[0] == "_"
    )
    assert "\n" not in verdict.details


async def test_while_the_policy_is_unknown_a_neighbours_signature_is_not_enough(dns: NameServer) -> None:
    dns.text(f"{SELECTOR}._domainkey.mail.example.com", KEY.record)
    raw = signed(mail(), domain="mail.example.com")
    dns.broken.add("_dmarc.example.com")
    assert (await Came(raw).to(dns)).result == "temperror"
    dns.broken.clear()
    assert (await Came(raw).to(dns)).result == "pass"


async def test_a_long_answer_comes_over_tcp(dns: NameServer) -> None:
    dns.long.add(DKIM_NAME)
    assert (await SIGNED.to(dns)).result == "pass"


async def test_all_look_ups_together_have_one_deadline(dns: NameServer) -> None:
    dns.text("example.com", "v=spf1 " + " ".join(f"a:s{n}.example.com" for n in range(9)) + " -all")
    dns.silent |= {f"s{number}.example.com" for number in range(9)} | {DKIM_NAME}
    began = time.monotonic()
    assert (await replace(DIRECT, raw=SIGNED.raw).to(dns, timeout_s=0.5)).result == "temperror"
    assert time.monotonic() - began < 3


# Hostile


HOSTILE = {
    "nothing": b"",
    "only From": b"From: ola@example.com",
    "no end of the headers": b"From: ola@example.com\r\n" + b"X: y\r\n" * 50_000,
    "a header in a million lines":
        b"From: ola@example.com\r\nDKIM-Signature: d=example.com\r\n" + b" \r\n" * 1_000_000 + b"\r\n",
    "a begun line": b" x\r\nFrom: ola@example.com\r\n\r\n",
    "no header line": b"From: ola@example.com\r\n\xff\xfe\r\n\r\n",
    "spaces": signed(mail()) + b" " * 5_000_000,
    "spaces in lines": signed(mail()) + (b" " * 900 + b"x\r\n") * 5_000,
    "line ends": signed(mail()) + b"\r\n" * 500_000,
    "spaces in the signature": signed(mail()).replace(b" b=", b" b=" + b" " * 7_000 + b"A"),
    "a signature in ten thousand lines": signed(mail()).replace(b" b=", b" b=A" + b" \r\n" * 40_000 + b" !"),
    "nulls": signed(mail()).replace(b"Subject: ", b"Subject: \x00"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_mails_end_soon_and_do_not_pass(dns: NameServer, name: str) -> None:
    began = time.monotonic()
    verdict = await Came(HOSTILE[name]).to(dns)
    assert verdict.result == "pass" if name == "line ends" else verdict.result != "pass"
    assert time.monotonic() - began < 10


async def test_a_host_that_the_domain_disowns_is_a_failure_without_a_policy_too(dns: NameServer) -> None:
    del dns.zone["_dmarc.example.com", "TXT"]
    dns.text("example.com", "v=spf1 ip4:198.51.100.1 -all")
    assert (await DIRECT.to(dns)).result == "fail"
    dns.text("example.com", "v=spf1 ip4:198.51.100.1 ~all")
    assert (await DIRECT.to(dns)).result == "none"
