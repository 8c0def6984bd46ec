"""The front door says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from services.access.app import AccessSettings
from services.attachments.settings import AttachmentsSettings
from services.cli.main import app
from services.guard.settings import GuardSettings
from services.intake.app import IntakeSettings
from services.notify.settings import NotifySettings
from services.portal.settings import PortalSettings
from services.runtime.settings import RuntimeSettings, document

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_stands_in_the_readme_as_it_is() -> None:
    assert document(RuntimeSettings).strip() in README


@pytest.mark.parametrize(
    ("services", "settings"),
    [
        ("tickets, intake, attachments, portal", GuardSettings),
        ("access", AccessSettings),
        ("intake", IntakeSettings),
        ("attachments", AttachmentsSettings),
        ("notify", NotifySettings),
        ("portal", PortalSettings),
    ],
)
def test_what_a_service_reads_besides_stands_there_too(
    services: str, settings: type[RuntimeSettings]
) -> None:
    known = {*document(RuntimeSettings).splitlines()}
    if settings is not GuardSettings:
        known |= {*document(GuardSettings).splitlines()}
    for row in document(settings).splitlines():
        assert row in known or f"| {services} {row}" in README


def test_every_place_that_the_readme_names_exists() -> None:
    places = re.findall(r"`((?:services|contracts|tests|deploy)/[\w./-]*)`", README)
    assert places
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("words", sorted(set(re.findall(r"casetrail ((?:[a-z]+ ?)+)", README))))
def test_every_command_that_the_readme_names_exists(words: str) -> None:
    command = get_command(app)
    for word in words.split():
        subcommands = getattr(command, "commands", {})
        if not subcommands:
            break
        assert word in subcommands, f"casetrail {words}"
        command = subcommands[word]


def test_nothing_in_the_readme_is_left_to_be_filled_in() -> None:
    assert "@@" not in README
