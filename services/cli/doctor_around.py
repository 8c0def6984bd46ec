"""What is around the log: services, credentials, mail server, identity provider, the monitoring of NATS."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import nats.errors
from nats.aio.client import Client

from contracts.client import RequestFailed, call
from contracts.notify import requests as notify
from contracts.requests import SentActor
from services.cli import arguments
from services.cli.doctor_findings import Finding, fine, problem, unseen
from services.cli.doctor_log import NEARLY_FULL
from services.embedded.catalogue import CATALOGUE

EXPIRES_WITHIN: Final = timedelta(days=14)
_ANSWERS_WITHIN_S: Final = 1.0
_HTTP_WITHIN_S: Final = 5.0
_SMTP_WITHIN_S: Final = 5.0
_DEFAULT_SMTP_PORT: Final = 587
_JWT: Final = re.compile(r"-BEGIN NATS USER JWT-+\s+[^.\s]+\.([^.\s]+)\.")


async def look_at_services(nc: Client, version: str, services: Collection[str]) -> AsyncIterator[Finding]:
    """Which of the services answer, and in which version (NATS ADR-32)."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    answers = await nc.subscribe(nc.new_inbox())
    await nc.publish("$SRV.PING", b"", reply=answers.subject)
    loop = asyncio.get_running_loop()
    until = loop.time() + _ANSWERS_WITHIN_S
    try:
        while (left := until - loop.time()) > 0:
            answer = json.loads((await answers.next_msg(left)).data)
            found[answer["name"]][answer["id"]] = answer["version"]
    except (nats.errors.Error, TimeoutError):
        pass
    finally:
        await answers.unsubscribe()
    for entry in CATALOGUE:
        if entry.has_pages or entry.name not in services:  # answers browsers, not requests: its /readyz tells
            continue
        processes = found.get(entry.name, {})
        if not processes:
            yield problem("service_missing", service=entry.name)
            continue
        versions = sorted(set(processes.values()))
        if len(versions) > 1:
            yield problem("versions_differ", service=entry.name, versions=", ".join(versions))
        elif versions != [version]:
            yield problem("version_other", service=entry.name, version=versions[0], own=version)
        else:
            yield fine("service", service=entry.name, count=len(processes), version=versions[0])


async def look_at_dead_mails(nc: Client) -> Finding:
    """E-mails that were given up."""
    actor = SentActor.model_validate(arguments.asker(None), strict=False)
    query = notify.ListMails(actor=actor, state=notify.MailState.DEAD, limit=200)
    try:
        page = await call(nc, notify.MAILS, query, notify.MailPage, timeout_s=3)
    except RequestFailed as error:
        return unseen("mails_unseen", reason=error.reply.message)
    return problem("dead_mails", count=len(page.mails)) if page.mails else fine("no_dead_mails")


async def look_at_readiness(health: dict[str, str]) -> AsyncIterator[Finding]:
    """Of the processes whose addresses are known: those of an embedded system."""
    for name, url in health.items():
        answer = await _get(f"{url}/readyz")
        if isinstance(answer, str):
            yield problem("not_ready", service=name, reason=answer)
        elif not answer.get("ready"):
            reasons = [f"{check['name']}: {check['reason']}" for check in answer["checks"] if not check["ok"]]
            yield problem("not_ready", service=name, reason="; ".join(reasons))
    if health:
        yield fine("readiness", count=len(health))


def look_at_credentials(files: Iterable[Path], now: datetime) -> list[Finding]:
    """Whether any expires."""
    findings, looked = [], 0
    for path in files:
        try:
            payload = _JWT.search(path.read_text(encoding="ascii", errors="replace"))
            claims = json.loads(base64.urlsafe_b64decode(payload[1] + "=" * (-len(payload[1]) % 4)))  # type: ignore[index]
        except (OSError, TypeError, ValueError):
            findings.append(problem("creds_unreadable", file=str(path)))
            continue
        looked += 1
        expires = claims.get("exp")
        if expires and (left := datetime.fromtimestamp(expires, UTC) - now) < EXPIRES_WITHIN:
            code = "creds_expired" if left < timedelta() else "creds_expire"
            findings.append(problem(code, file=str(path), days=max(0, left.days)))
    return findings or ([fine("creds", count=looked)] if looked else [])


async def look_at_monitoring(urls: list[str]) -> AsyncIterator[Finding]:
    """What only a server's own monitoring tells: whether it syncs each write, and how full its disk is."""
    if not urls:
        yield unseen("sync_unseen")
    for url in urls:
        about = await _get(f"{url.rstrip('/')}/jsz?config=1")
        if isinstance(about, str):
            yield problem("monitor", url=url, reason=about)
            continue
        config = about.get("config") or {}
        if not config:
            yield problem("server_without_jetstream", url=url)
            continue
        if config.get("sync_always"):
            yield fine("sync", url=url)
        else:
            yield problem("sync_off", url=url, seconds=config.get("sync_interval", 0) / 1e9)
        for what in ("storage", "memory"):
            limit, used = config.get(f"max_{what}", 0), about.get(what, 0)
            if limit > 0 and used > NEARLY_FULL * limit:
                yield problem("disk_full", url=url, what=what, percent=round(100 * used / limit))


async def look_at_the_mail_server() -> Finding:
    """Whether it greets."""
    host = os.environ.get("CASETRAIL_SMTP_HOST")
    if not host:
        return unseen("smtp_unseen")
    port = int(os.environ.get("CASETRAIL_SMTP_PORT") or _DEFAULT_SMTP_PORT)
    encrypted = os.environ.get("CASETRAIL_SMTP_TLS", "").lower() == "tls"
    try:
        async with asyncio.timeout(_SMTP_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=encrypted or None)
            try:
                greeting = (await reader.readline()).decode(errors="replace").strip()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return problem("smtp", host=host, port=port, reason=str(reason))
    if not greeting.startswith("220"):
        return problem("smtp", host=host, port=port, reason=greeting or "no greeting")
    return fine("smtp_fine", host=host, port=port)


async def look_at_the_identity_provider() -> Finding:
    """Whether its discovery document is there, and is its own."""
    issuer = os.environ.get("CASETRAIL_OIDC_ISSUER")
    if not issuer:
        return unseen("oidc_unseen")
    about = await _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if isinstance(about, str):
        return problem("oidc", issuer=issuer, reason=about)
    if about.get("issuer") != issuer:
        return problem("oidc", issuer=issuer, reason=f"it calls itself {about.get('issuer')}")
    return fine("oidc_fine", issuer=issuer)


async def _get(url: str) -> dict[str, Any] | str:
    """What it answers, or why it does not."""
    try:
        async with httpx2.AsyncClient(timeout=_HTTP_WITHIN_S, trust_env=False) as client:
            answer = (await client.get(url)).json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return str(error) or type(error).__name__
    return answer if isinstance(answer, dict) else "not a JSON object"
