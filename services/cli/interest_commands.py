"""Showing and confirming interest forms from the command line."""

from __future__ import annotations

import sys
from urllib.parse import parse_qs, urlsplit

from contracts.client import call
from contracts.intake import requests
from services.cli import words
from services.cli.connect import connected
from services.cli.failures import checked, malformed, run
from services.cli.output import print_json, visible
from services.cli.words import say


def show(link: str, *, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(requests.ShowInterest, token=token_in(link), language=words.language())
        async with connected() as nc:
            found = await call(nc, requests.SHOW_INTEREST, query, requests.Interest)
        if as_json:
            print_json(found)
            return
        sentence = "interest_is_confirmed" if found.confirmed else "interest_waits"
        sys.stdout.write(f"{say(sentence, reference=found.reference)}\n")
        for answer in found.answers:
            sys.stdout.write(f"   {visible(answer.question)}: {visible(', '.join(answer.values))}\n")

    run(work(), as_json=as_json)


def confirm(link: str, *, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        command = checked(requests.ConfirmInterest, token=token_in(link))
        async with connected() as nc:
            done = await call(nc, requests.CONFIRM_INTEREST, command, requests.InterestConfirmed)
        if as_json:
            print_json(done)
        else:
            sys.stdout.write(f"{say('interest_is_confirmed', reference=done.reference)}\n")

    run(work(), as_json=as_json)


def token_in(link: str) -> str:
    """The token in the link. Raises Failure."""
    if "://" not in link:
        return link
    try:
        found = parse_qs(urlsplit(link).query).get("token", [])
    except ValueError:
        found = []
    if not found:
        raise malformed("LINK", "link_without_token")
    return found[0]
