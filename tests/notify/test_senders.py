"""Whose word on a sender counts: the trusted server's, or our own look, once that can be had."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.notify.incoming import Delivery
from services.notify.received.headers import Headers
from services.notify.received.own_check import OwnCheck
from services.notify.senders import WAIT_FOR_DNS, SenderChecks
from services.notify.settings import NotifySettings
from services.runtime.errors import Unavailable
from services.runtime.settings import SettingsInvalid, load
from tests.notify.received.nameserver import name_server

MX = "mx.casetrail.example"
RAW = b"From: anna@example.com\r\nSubject: x\r\n\r\nHello\r\n"
TRUSTED = b"Authentication-Results: mx.casetrail.example; dmarc=fail header.from=example.com\r\n" + RAW
DELIVERY = Delivery(
    id="r", sender="anna@example.com", recipient="s@casetrail.example", helo="out.example.com",
    peer="192.0.2.7", size=1, sha256="0" * 64,
)  # fmt: skip
NEW, OLD = timedelta(seconds=1), WAIT_FOR_DNS


async def test_one_of_the_two_says_who_it_is() -> None:
    verdict = await SenderChecks(frozenset({MX}), None).check(TRUSTED, Headers(TRUSTED), DELIVERY, age=NEW)
    assert (verdict.result, verdict.by) == ("fail", MX)
    async with name_server() as dns:
        dns.text("example.com", "v=spf1 ip4:192.0.2.7 -all")
        own = SenderChecks(frozenset(), OwnCheck(dns.resolver()))
        verdict = await own.check(RAW, Headers(RAW), DELIVERY, age=NEW)
        assert (verdict.result, verdict.by) == ("pass", "own")
        verdict = await own.check(TRUSTED, Headers(TRUSTED), DELIVERY, age=NEW)
        assert (verdict.result, verdict.by) == ("pass", "own")  # whoever wrote that header


def test_both_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"CASETRAIL_MAIL_IN_OWN_CHECK.*excludes"):
        load(NotifySettings, mail_in_trusted=MX, mail_in_own_check=True, data_dir=tmp_path)


async def test_a_name_server_that_is_silent_holds_a_mail_up_for_an_hour() -> None:
    async with name_server() as dns:
        resolver = dns.resolver()
    checks = SenderChecks(frozenset(), OwnCheck(resolver, timeout_s=2, lookup_timeout_s=0.2))
    with pytest.raises(Unavailable, match="sender_unknown_yet"):
        await checks.check(RAW, Headers(RAW), DELIVERY, age=NEW)
    assert (await checks.check(RAW, Headers(RAW), DELIVERY, age=OLD)).result == "none"


async def test_without_either_nothing_is_known() -> None:
    checks = SenderChecks(frozenset(), None)
    assert (await checks.check(RAW, Headers(RAW), DELIVERY, age=NEW)).result == "none"
