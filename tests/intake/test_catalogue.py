"""Publishing questionnaires: once, for ever, and the same on every replica."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.subjects import INTAKE, questionnaire_events
from services.intake.catalogue import Catalogue, FilesInvalid, from_files, version_id
from services.runtime.recorder import Document
from services.runtime.settings import SettingsInvalid
from tests.intake.conftest import CANONICAL, FEEDS, Partner, new_id, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

TITLE = {"ticketTitle": said("{merchant}", "{merchant}")}

Start = Callable[..., AbstractAsyncContextManager[None]]


def written(directory: Path, **more: Any) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / f"{len(list(directory.iterdir()))}.yaml"
    path.write_text(yaml.safe_dump({**FEEDS, **more}, allow_unicode=True), encoding="utf-8")
    return directory


async def events_of(jan: Partner, canonical: str) -> int:
    subject = questionnaire_events(version_id(canonical))
    info = await jan.nc.jetstream().stream_info(INTAKE.name, subjects_filter=subject)
    return (info.state.subjects or {}).get(subject, 0)


async def test_replicas_that_start_together_publish_once(jan: Partner, start_intake: Start) -> None:
    async def start(name: str) -> None:
        async with start_intake(name):
            pass

    await asyncio.gather(*(start(f"r{number}") for number in range(4)))
    assert await events_of(jan, CANONICAL) == 1


async def test_a_published_version_never_changes(jan: Partner, start_intake: Start, tmp_path: Path) -> None:
    directory = written(tmp_path / "changed", topic="another-topic")
    with pytest.raises(SettingsInvalid) as refused:
        async with start_intake("changed", directory):
            pass
    assert "0.yaml:" in str(refused.value)
    assert "is published with another content: change the version" in str(refused.value)
    assert await events_of(jan, CANONICAL) == 1


async def test_a_draft_stays_with_the_version_that_it_was_begun_with(
    jan: Partner, start_intake: Start, tmp_path: Path
) -> None:
    draft = await jan.start()
    directory = written(tmp_path / "second", version="2", item=[FEEDS["item"][2]], **TITLE)
    async with start_intake("second", directory):
        await until_offered(jan, f"{FEEDS['url']}|2")
        draft = await jan.answer(draft, kind="places")
        assert draft["page"]["link_id"] == "merchant"
        begun = await jan.start(questionnaire=f"{FEEDS['url']}|2")
        assert begun["page"]["link_id"] == "merchant"
        refused = await jan.refused(
            "start", command_id=new_id(), questionnaire=CANONICAL, message="Old", language="en"
        )
        assert refused.code == "questionnaire_not_found"
    retired = written(tmp_path / "retired", version="2", item=[FEEDS["item"][2]], status="retired", **TITLE)
    async with start_intake("third", retired):
        await until_offered(jan, CANONICAL)
        begun = await jan.answer(begun, merchant="M-1")
        await jan.ticket(await jan.submit(begun))


async def until_offered(jan: Partner, canonical: str) -> None:
    """Every replica offers it: whichever answers, ten times in a row."""
    in_a_row = 0
    async with asyncio.timeout(5):
        while in_a_row < 10:
            offers = (await jan.done("offer", text="xylophone", language="en"))["offers"]
            in_a_row = in_a_row + 1 if offers[0]["questionnaire"] == canonical else 0


async def test_files_with_findings_are_refused_together(tmp_path: Path) -> None:
    directory = written(tmp_path / "bad", version="3", languages=["en"])
    written(directory, version="4", topic="Two words")
    (directory / "5.json").write_text("{")
    (directory / "notes.txt").write_text("not a questionnaire")
    with pytest.raises(FilesInvalid) as refused:
        from_files(directory)
    told = str(refused.value)
    assert "0.yaml:" in told
    assert "1.yaml:" in told
    assert "5.json:1:" in told
    assert "notes" not in told


async def test_the_same_version_in_two_files_is_refused(tmp_path: Path) -> None:
    directory = written(tmp_path / "twice")
    written(directory)
    with pytest.raises(FilesInvalid, match="version_twice"):
        from_files(directory)


async def test_a_draft_questionnaire_is_not_offered(
    jan: Partner, start_intake: Start, tmp_path: Path
) -> None:
    directory = written(tmp_path / "draft", version="9", status="draft")
    async with start_intake("draft", directory):
        assert await events_of(jan, f"{FEEDS['url']}|9") == 0


async def test_a_version_of_ones_own_takes_the_place_of_the_one_brought_along(tmp_path: Path) -> None:
    brought = {questionnaire.url: source.file for source, questionnaire in from_files(None)}
    url, file = next(iter(brought.items()))
    found = {each.canonical: source.file for source, each in from_files(written(tmp_path / "own", url=url))}
    assert found[f"{url}|1"].endswith("0.yaml")
    assert file not in found.values()
    assert set(found.values()) >= {name for name in brought.values() if name != file}


async def test_a_topic_is_called_by_the_one_questionnaire_that_is_about_it() -> None:
    catalogue = Catalogue()

    def take_in(kind: str, url: str, version: str, **more: Any) -> None:
        document = {**FEEDS, "url": url, "version": version, **more}
        content = {"data": {"questionnaire": f"{url}|{version}", "document": document}}
        catalogue.take_in([Document(1, "x", 1, f"casetrail.questionnaire.{kind}.v1", b"", content)])

    def named() -> dict[str, str]:
        return {topic: each.canonical for topic, each in catalogue.by_topic.items()}

    one, two, three = (f"https://casetrail.example/{name}" for name in ("one", "two", "three"))
    take_in("published", one, "1", topic="feeds")
    take_in("published", one, "2", topic="feeds")
    take_in("published", two, "1", topic="invoices")
    assert named() == {"feeds": f"{one}|2", "invoices": f"{two}|1"}
    take_in("published", three, "1", topic="invoices")
    assert named() == {"feeds": f"{one}|2"}
    take_in("retired", three, "1")
    take_in("retired", one, "1")
    take_in("retired", one, "2")
    assert named() == {"feeds": f"{one}|2", "invoices": f"{two}|1"}
