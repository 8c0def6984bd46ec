"""What trusted servers found out, in headers as servers write them, and as senders forge them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.received.authentic import Verdict, by_trusted_server
from services.notify.received.authentication_results import results
from services.notify.received.headers import Headers

MX = "mx.example.net"
HOP = "Received: from out.example.com (out.example.com [192.0.2.10]) by mx.example.net (Postfix) with ESMTPS"
STRANGE_HOP = "Received: from laptop ([10.0.0.2]) by out.example.com with ESMTPSA id 77"


def verdict(
    *lines: str, author: str = "Ola Nowak <ola@example.com>", trusted: tuple[str, ...] = (MX,)
) -> Verdict:
    raw = "\r\n".join([*lines, f"From: {author}", "Subject: Re: x", "", "Hello\r\n"])
    return by_trusted_server(Headers(raw.encode()), trusted=trusted)


def found(text: str, author: str = "Ola Nowak <ola@example.com>", trusted: str = MX) -> str:
    return verdict(HOP, f"Authentication-Results: {text}", author=author, trusted=(trusted,)).result


AS_WRITTEN = {
    "Gmail": (
        "mx.google.com",
        """mx.google.com;
       dkim=pass header.i=@example.com header.s=20230601 header.b=TnQ4a+/=;
       spf=pass (google.com: domain of ola@example.com designates 192.0.2.10 as permitted sender)
        smtp.mailfrom=ola@example.com;
       dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=example.com;
       dara=pass header.i=@gmail.com""",
        "pass",
        "dmarc=pass header.from=example.com by mx.google.com",
    ),
    "Gmail, no policy": (
        "mx.google.com",
        """mx.google.com; dkim=pass header.i=@example.com header.s=s1 header.b="abc/def=";
       spf=softfail (google.com: domain of transitioning ola@example.org does not designate 192.0.2.1
        as permitted
       sender) smtp.mailfrom=ola@example.org""",
        "pass",
        "dkim=pass header.i=example.com by mx.google.com",
    ),
    "Gmail, forged": (
        "mx.google.com",
        """mx.google.com; spf=pass (google.com: domain of evil@example.org designates 1.2.3.4 as
        permitted sender)
       smtp.mailfrom=evil@example.org; dmarc=fail (p=REJECT sp=REJECT dis=REJECT)
        header.from=example.com""",
        "fail",
        "dmarc=fail header.from=example.com by mx.google.com",
    ),
    "Exchange Online behind a server that adds its id": (
        MX,
        """mx.example.net; spf=pass (sender IP is 192.0.2.10)
 smtp.mailfrom=example.com; dkim=pass (signature was verified)
 header.d=example.com;dmarc=pass action=none
 header.from=example.com;compauth=pass reason=100""",
        "pass",
        "dmarc=pass header.from=example.com by mx.example.net",
    ),
    "Exchange Online, best guess": (
        MX,
        """mx.example.net; spf=none (sender IP is 192.0.2.10) smtp.mailfrom=example.com; dkim=none
        (message not signed)
 header.d=none;dmarc=bestguesspass action=none header.from=example.com;compauth=pass reason=109""",
        "none",
        "nothing aligned with example.com in spf=none dkim=none dmarc=bestguesspass compauth=pass by " + MX,
    ),
    "Exchange Online, which writes no id": (
        MX,
        """spf=pass (sender IP is 192.0.2.10) smtp.mailfrom=example.com; dkim=pass (signature was verified)
 header.d=example.com;dmarc=pass action=none header.from=example.com;compauth=pass reason=100""",
        "none",
        "no Authentication-Results of a trusted server",
    ),
    "OpenDKIM": (
        MX,
        """mx.example.net;
\tdkim=pass (2048-bit key; unprotected) header.d=example.com header.i=@example.com header.a=rsa-sha256
        header.s=mail
\theader.b=Kd1yqWc3; dkim-atps=neutral""",
        "pass",
        "dkim=pass header.d=example.com by mx.example.net",
    ),
    "OpenDKIM, broken on the way": (
        MX,
        """mx.example.net; dkim=fail reason="signature verification failed" (2048-bit key)
\theader.d=example.com header.i=@example.com header.b=Kd1yqWc3""",
        "none",
        "nothing aligned with example.com in dkim=fail by mx.example.net",
    ),
    "OpenDMARC": (
        MX,
        "mx.example.net; dmarc=pass (p=reject dis=none) header.from=example.com",
        "pass",
        "dmarc=pass header.from=example.com by mx.example.net",
    ),
    "OpenDMARC, failing": (
        MX,
        "mx.example.net; dmarc=fail (p=none dis=none) header.from=example.com",
        "fail",
        "dmarc=fail header.from=example.com by mx.example.net",
    ),
    "rspamd": (
        MX,
        """mx.example.net;
\tdkim=pass header.d=example.com header.s=mail header.b=ktBT9Xs0;
\tdmarc=pass (policy=reject) header.from=example.com;
\tspf=pass (mx.example.net: domain of ola@example.com designates 192.0.2.10 as permitted sender)
        smtp.mailfrom=ola@example.com""",
        "pass",
        "dmarc=pass header.from=example.com by mx.example.net",
    ),
    "rspamd, failing": (
        MX,
        """mx.example.net; dkim=none; dmarc=fail reason="SPF not aligned (relaxed), No valid DKIM"
        header.from=example.com
\t(policy=quarantine); spf=none (mx.example.net: domain of x@example.org has no SPF policy)
        smtp.mailfrom=x@example.org""",
        "fail",
        "dmarc=fail header.from=example.com by mx.example.net",
    ),
    "rspamd, softly failing": (
        MX,
        "mx.example.net; dkim=none; dmarc=softfail header.from=example.com; spf=none",
        "fail",
        "dmarc=softfail header.from=example.com by mx.example.net",
    ),
    "Amazon SES": (
        "amazonses.com",
        """amazonses.com;
 spf=pass (spfCheck: domain of example.com designates 192.0.2.10 as permitted sender)
        client-ip=192.0.2.10; envelope-from=ola@example.com; helo=out.example.com;
 dkim=pass header.i=@example.com;
 dmarc=pass header.from=example.com;""",
        "pass",
        "dmarc=pass header.from=example.com by amazonses.com",
    ),
    "Yahoo": (
        "atlas-production.v2-mail-prod1-gq1.omega.yahoo.com",
        """atlas-production.v2-mail-prod1-gq1.omega.yahoo.com;
 dkim=pass header.i=@example.com header.s=mail;
 spf=pass smtp.mailfrom=example.com;
 dmarc=pass(p=REJECT) header.from=example.com;""",
        "pass",
        "dmarc=pass header.from=example.com by atlas-production.v2-mail-prod1-gq1.omega.yahoo.com",
    ),
    "Fastmail": (
        "mx1.messagingengine.com",
        """mx1.messagingengine.com;
    dkim=pass (2048-bit rsa key sha256) header.d=example.com header.i=@example.com header.b=ab
        header.a=rsa-sha256
    header.s=mail x-bits=2048; dmarc=pass policy.published-domain-policy=reject
        policy.applied-disposition=none
    policy.evaluated-disposition=none (p=reject,d=none,d.eval=none) policy.policy-from=p
        header.from=example.com;
    spf=pass smtp.mailfrom=ola@example.com smtp.helo=out.example.com; x-csa=none""",
        "pass",
        "dmarc=pass header.from=example.com by mx1.messagingengine.com",
    ),
    "Exim": (
        MX,
        """mx.example.net;
    iprev=pass (out.example.com) smtp.remote-ip=192.0.2.10;
    spf=pass smtp.mailfrom=example.com;
    dkim=pass header.d=example.com header.s=mail header.a=rsa-sha256; arc=none""",
        "pass",
        "dkim=pass header.d=example.com by mx.example.net",
    ),
    "amavis": (
        "mail.example.net",
        'mail.example.net (amavisd-new); dkim=pass (2048-bit key) reason="pass (new)" header.d=example.com',
        "pass",
        "dkim=pass header.d=example.com by mail.example.net",
    ),
    "policyd-spf": (
        MX,
        """mx.example.net; spf=pass (sender SPF authorized) smtp.mailfrom=example.com (client-ip=192.0.2.10;
 helo=out.example.com; envelope-from=ola@example.com; receiver=help@example.net)""",
        "pass",
        "spf=pass smtp.mailfrom=example.com by mx.example.net",
    ),
    "nothing": (
        MX,
        "mx.example.net 1; none",
        "none",
        "nothing aligned with example.com in by mx.example.net",
    ),
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_headers_as_servers_write_them(name: str) -> None:
    server, text, result, details = AS_WRITTEN[name]
    folded = text.replace("\n", "\r\n")
    said = verdict(HOP, f"Authentication-Results: {folded}", STRANGE_HOP, trusted=(server, "another.example"))
    by = "headers" if details.startswith("no ") else server
    assert said == Verdict(result, by, details)  # type: ignore[arg-type]  # one of them
    assert verdict(HOP, f"Authentication-Results: {folded}", trusted=("mx.other.example",)).result == "none"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # DMARC decides, if it says anything
        ("mx.example.net; dmarc=fail header.from=example.com; dkim=pass header.d=example.com", "fail"),
        ("mx.example.net; dmarc=none header.from=example.com; dkim=pass header.d=example.com", "pass"),
        (
            "mx.example.net; dmarc=temperror header.from=example.com; spf=pass smtp.mailfrom=example.com",
            "pass",
        ),
        ("mx.example.net; dmarc=permerror header.from=example.com", "none"),
        ("mx.example.net; dmarc=pass", "none"),
        ("mx.example.net; dmarc=pass; dkim=pass header.d=example.com", "pass"),
        ("mx.example.net; dmarc=pass header.from=sub.example.com", "pass"),
        ("mx.example.net; dmarc=pass header.from=example.org", "fail"),
        ("mx.example.net; dmarc=pass header.from=example.com; dmarc=none header.from=example.org", "none"),
        ("mx.example.net; dmarc=pass header.from=example.com header.from=example.org", "none"),
        # alignment
        ("mx.example.net; dkim=pass header.d=mail.example.com", "pass"),
        ("mx.example.net; dkim=pass header.i=@mail.example.com", "pass"),
        ("mx.example.net; dkim=pass header.i=ola@mail.example.com", "pass"),
        ("mx.example.net; dkim=pass header.d=example.org header.i=@example.com", "none"),
        ("mx.example.net; dkim=pass header.d=com", "none"),
        ("mx.example.net; dkim=pass header.d=notexample.com", "none"),
        ("mx.example.net; dkim=pass header.d=example.com.evil.example", "none"),
        ("mx.example.net; dkim=pass header.from=example.com", "none"),
        ("mx.example.net; dkim=neutral header.d=example.com", "none"),
        ("mx.example.net; dkim=policy header.d=example.com", "none"),
        ("mx.example.net; dkim=pass header.d=example.org; dkim=pass header.d=example.com", "pass"),
        ("mx.example.net; dkim=fail header.d=example.com; dkim=pass header.d=example.com", "pass"),
        ("mx.example.net; spf=pass smtp.mailfrom=bounce@mail.example.com", "pass"),
        ("mx.example.net; spf=pass smtp.mailfrom=@example.com", "pass"),
        ("mx.example.net; spf=pass smtp.mailfrom=<ola@example.com>", "pass"),
        ('mx.example.net; spf=pass smtp.mailfrom="ola nowak"@example.com', "pass"),
        ("mx.example.net; spf=pass smtp.mailfrom=example.org", "none"),
        ("mx.example.net; spf=pass smtp.helo=example.com", "none"),
        ("mx.example.net; spf=pass smtp.mailfrom=<> smtp.helo=example.com", "none"),
        ("mx.example.net; spf=pass smtp.mailfrom=", "none"),
        ("mx.example.net; spf=softfail smtp.mailfrom=example.com", "none"),
        ("mx.example.net; spf=fail smtp.mailfrom=example.com; dmarc=none header.from=example.com", "fail"),
        ("mx.example.net; spf=fail smtp.mailfrom=example.com; dkim=pass header.d=example.com", "pass"),
        ("mx.example.net; spf=fail smtp.mailfrom=example.org", "none"),
        ("mx.example.net; arc=pass header.d=example.com", "none"),
        ("mx.example.net; auth=pass smtp.auth=ola@example.com", "none"),
        # writing
        ("MX.EXAMPLE.NET ; DMARC = Pass ( ok (really) ) header.from = EXAMPLE.com ;", "pass"),
        ('"mx.example.net" 1; dmarc/1=pass header.from="example.com"', "pass"),
        ("(by) mx.example.net (me) 1 (v); dmarc(x)=(y)pass(z)header.from=example.com", "pass"),
        ('mx.example.net; dmarc=pass reason="a; b (c" header.from=example.com.', "pass"),
        ("mx.example.net; ;; =; x; x=; dmarc=pass header.from=example.com", "pass"),
        ("mx.example.net; dmarc=pass (open header.from=example.com", "none"),
        ('mx.example.net; dmarc=pass header.from=example.com; x="', "none"),
        ("mx.example.net; dmarc=pass header.from=example.com )", "none"),
        ("mx.example.net dmarc=pass header.from=example.com", "none"),
        ("", "none"),
        (";", "none"),
        # what senders choose stands in comments and quotes
        (
            "mx.example.net; spf=none (x; dmarc=pass header.from=example.com) smtp.mailfrom=a@example.org",
            "none",
        ),
        (
            'mx.example.net; spf=none smtp.mailfrom="a; dmarc=pass header.from=example.com"@example.org',
            "none",
        ),
        (
            'mx.example.net; spf=none smtp.mailfrom="\\"; dmarc=pass header.from=example.com"@example.org',
            "none",
        ),
        ('mx.example.net; dkim=fail reason="dkim=pass header.d=example.com"', "none"),
    ],
)
def test_what_counts_in_a_header(text: str, expected: str) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("author", "domain", "expected"),
    [
        ("ola@żółw.pl", "xn--w-uga1v8h.pl", "pass"),
        ("ola@XN--W-UGA1V8H.PL", "xn--w-uga1v8h.pl", "pass"),
        ("ola@xn--w-uga1v8h.pl", "żółw.pl", "pass"),
        ("ola@ŻÓŁW.PL", "poczta.żółw.pl", "pass"),
        ("ola@zolw.pl", "żółw.pl", "fail"),
        ("ola@ехample.com", "example.com", "fail"),  # the first two letters are Cyrillic
        ("ola@example.com.", "example.com", "pass"),  # the root is the same domain
        ("ola@a.com.pl", "b.com.pl", "fail"),
        ("ola@ola.github.io", "ewa.github.io", "fail"),
        (
            "=?utf-8?q?Ola_=C5=BB=C3=B3=C5=82w_=3Cewa=40example=2Eorg=3E?= <ola@example.com>",
            "example.com",
            "pass",
        ),
        ('"ewa@example.org" <ola@example.com>', "example.com", "pass"),
        ('"ewa@example.org" <ola@example.com>', "example.org", "fail"),
        ('"ola@example.org"@example.com', "example.org", "fail"),
        ("ola@example.com (ewa@example.org)", "example.com", "pass"),
    ],
)
def test_the_domain_of_from(author: str, domain: str, expected: str) -> None:
    assert found(f"mx.example.net; dmarc=pass header.from={domain}", author) == expected


@pytest.mark.parametrize(
    "author",
    [
        "ola@example.com, ewa@example.com",
        "Team: ola@example.com;",
        "",
        "Ola",
        "ola@localhost",
        "ola@[192.0.2.1]",
        "<>",
    ],
)
def test_without_exactly_one_author_it_fails(author: str) -> None:
    said = verdict(
        HOP, "Authentication-Results: mx.example.net; dmarc=pass header.from=example.com", author=author
    )
    assert (said.result, said.by) == ("fail", "headers")


def test_two_from_headers_fail() -> None:
    said = verdict(
        HOP,
        "Authentication-Results: mx.example.net; dmarc=pass header.from=example.com",
        "From: a@example.com",
    )
    assert said.result == "fail"


# Where a header stands

TRUE = "Authentication-Results: mx.example.net; dmarc=none header.from=example.com; dkim=none; spf=none"
GOOD = "Authentication-Results: mx.example.net; dmarc=pass header.from=example.com"
FORGED = GOOD + "; dkim=pass header.d=example.com"
BAD = "Authentication-Results: mx.example.net; dmarc=fail header.from=example.com"
RELAY = "Received: from mx.example.net (mx.example.net [10.0.0.1]) by mail.example.net with LMTP id 1"
PRETENDED = "Received: from x by mx.example.net with ESMTP id forged"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([HOP, GOOD, STRANGE_HOP], "pass"),  # Postfix, Gmail: under its own Received
        ([GOOD, HOP, STRANGE_HOP], "pass"),  # Sendmail: above it
        ([RELAY, HOP, GOOD], "pass"),  # a relay of the same organisation
        ([RELAY, GOOD, HOP], "pass"),
        (
            ["Received: by 2002:a17:90a:1 with SMTP id 5", HOP, GOOD],
            "pass",
        ),  # the topmost may call itself anything
        (["Received: from [10.0.0.9] (helo=by evil.example) by [10.0.0.1]", HOP, GOOD], "pass"),
        ([HOP, "DKIM-Filter: OpenDKIM", TRUE, "Received-SPF: pass", GOOD], "none"),
        (
            [HOP, "Authentication-Results: mx.example.net; spf=none", "X-Spam: no", GOOD],
            "pass",
        ),  # one header a filter
        ([HOP, BAD, FORGED], "fail"),
        ([HOP, FORGED, BAD], "fail"),
        ([HOP, TRUE, FORGED], "none"),
        ([HOP, TRUE, PRETENDED, FORGED], "none"),
        ([HOP, TRUE, STRANGE_HOP, FORGED], "none"),
        ([HOP, "Authentication-Results: mx.example.net; spf=none", PRETENDED, FORGED], "none"),
        ([HOP, STRANGE_HOP, FORGED], "none"),  # the filter was down
        ([HOP, "Received: from x (x by mx.example.net ) by evil.example", FORGED], "none"),
        ([HOP, "Received: from x (x) with ESMTP", FORGED], "none"),
        ([HOP, "Received: (", FORGED], "none"),
        ([HOP, "Received: by example.net.evil.example", FORGED], "none"),
        ([HOP, FORGED.replace("mx.example.net", "mx.example.org")], "none"),
        ([HOP, FORGED.replace("mx.example.net", "x; mx.example.net")], "none"),
        ([HOP, FORGED.replace("Auth", "ARC-Auth")], "none"),
        (
            [HOP, "ARC-Authentication-Results: i=1; mx.example.net; dmarc=pass header.from=example.com"],
            "none",
        ),
        ([HOP, "X-Authentication-Results: mx.example.net; dmarc=pass header.from=example.com"], "none"),
        ([], "none"),
    ],
)
def test_only_the_topmost_block_of_the_trusted_server_counts(lines: list[str], expected: str) -> None:
    assert verdict(*lines).result == expected


def test_with_nobody_trusted_nothing_passes() -> None:
    assert verdict(HOP, GOOD, trusted=()).result == "none"
    assert (
        verdict(HOP, "Authentication-Results: ; dmarc=pass header.from=example.com", trusted=("",)).result
        == "none"
    )


def test_an_id_that_is_no_host_is_trusted_as_it_is() -> None:
    header = 'Authentication-Results: "the filter"; dmarc=pass header.from=example.com'
    assert verdict(HOP, header, trusted=("The Filter",)).result == "pass"


# Hostile


@given(st.text(max_size=300))
def test_whatever_stands_in_the_header_is_read(text: str) -> None:
    found(f"mx.example.net; {text}".replace("\r", " ").replace("\n", " "))
    results(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "dmarc",
                "dkim",
                "spf",
                "=",
                "pass",
                "fail",
                ";",
                " ",
                "(",
                ")",
                '"',
                "\\",
                "header.from",
                "example.com",
                "/1",
            ]
        )
    )
)
def test_a_pass_needs_the_word_outside_of_comments_and_quotes(pieces: list[str]) -> None:
    text = "".join(pieces)
    if (
        found(f"mx.example.net; ({text.replace('(', '').replace(')', '').replace(chr(92), '')}) x=y")
        == "pass"
    ):
        raise AssertionError(text)


@given(st.binary(max_size=2000))
def test_whatever_the_mail_is_there_is_a_verdict_in_one_line(raw: bytes) -> None:
    said = by_trusted_server(Headers(raw), trusted=[MX])
    assert "\n" not in said.details


@pytest.mark.parametrize(
    "text",
    [
        "(" * 19_000,
        '"' * 19_001,
        "\\" * 19_000,
        "a=b " * 5_000,
        "a=b;" * 5_000,
        "=" * 19_000,
        " ;" * 9_000,
        "(a)" * 6_000,
    ],
    ids=["brackets", "quotes", "backslashes", "pairs", "parts", "signs", "nothing", "comments"],
)
def test_hostile_headers_end_soon(text: str) -> None:
    began = time.monotonic()
    said = verdict(HOP, *[f"Authentication-Results: mx.example.net; {text}"] * 12)
    assert said.result == "none"
    assert len(said.details) <= 300
    assert time.monotonic() - began < 10
