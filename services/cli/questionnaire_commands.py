"""Checking, showing, comparing and trying questionnaires from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import typer
import yaml

from contracts.errors import ErrorKind
from services.cli import words
from services.cli.exit_codes import ExitCode
from services.cli.failures import Failure, failed, run
from services.cli.output import print_json, visible
from services.cli.questionnaire_walk import Walk
from services.cli.words import say
from services.intake import fhir
from services.intake.diff import diff as differences
from services.intake.lint import lint as findings_of
from services.intake.questionnaire import Item, Questionnaire, localized
from services.intake.source import (
    SUFFIXES,
    Finding,
    Source,
    SourceInvalid,
    files_of,
    parse,
    read_file,
    shipped,
)


def lint(forms: list[str], *, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        findings: list[Finding] = []
        sources: list[Source] = [] if forms else [*shipped()]
        for path in _paths(forms):
            try:
                sources.append(_read(path))
            except SourceInvalid as invalid:
                findings += invalid.findings
        for source in sources:
            findings += findings_of(source)
        for finding in sorted(findings):
            if as_json:
                print_json(
                    {
                        "file": finding.file,
                        "line": finding.line,
                        "code": finding.code,
                        "message": finding.message,
                    }
                )
            else:
                sys.stdout.write(f"{visible(str(finding))}\n")
        if findings:
            raise typer.Exit(ExitCode.REFUSED)
        if not as_json:
            sys.stdout.write(f"{say('questionnaires_sound', count=len(sources))}\n")

    run(work(), as_json=as_json)


def show(form: str, *, lang: str | None, as_fhir: bool, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        questionnaire = _opened(form)
        if as_fhir:
            whole = fhir.export(questionnaire)
            sys.stdout.write(json.dumps(whole, ensure_ascii=False, indent=2, default=_number) + "\n")
        elif as_json:
            print_json(questionnaire.document())
        else:
            language = lang or words.language()
            sys.stdout.write("\n".join(map(visible, _lines(questionnaire, language))) + "\n")

    run(work(), as_json=as_json)


def diff(before: str, after: str, *, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        changes = differences(_opened(before), _opened(after))
        for change in changes:
            if as_json:
                told = {"where": change.where, "what": change.what}
                told |= {} if change.before is None else {"before": change.before}
                print_json(told | ({} if change.after is None else {"after": change.after}))
            else:
                sys.stdout.write(f"{visible(str(change))}\n")
        if not changes and not as_json:
            sys.stdout.write(f"{say('questionnaires_same')}\n")

    run(work(), as_json=as_json)


def walk(form: str, *, lang: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        Walk(_opened(form), lang or words.language()).run(as_json=as_json)

    run(work(), as_json=as_json)


def import_fhir(file: str, *, topic: str, lang: str) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        try:
            resource = json.loads(_content(Path(file)))
        except ValueError as error:
            raise failed(ErrorKind.MALFORMED, 400, "not_json", file=file, reason=str(error)) from None
        try:
            imported = fhir.read(resource, topic=topic, language=lang)
        except fhir.OutsideTheSubset as refused:
            for each in refused.outside:
                sys.stderr.write(f"{visible(str(each))}\n")
            raise failed(
                ErrorKind.REFUSED, 409, "questionnaire_outside", count=len(refused.outside)
            ) from None
        for each in imported.left_out:
            sys.stderr.write(f"{say('left_out', what=visible(str(each)))}\n")
        document = imported.questionnaire.document()
        sys.stdout.write(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100))

    run(work(), as_json=False)


def _opened(form: str) -> Questionnaire:
    """The questionnaire in the file, or of the name. Raises Failure."""
    try:
        for source in shipped():
            if form in {source.file, source.file.rpartition(".")[0]}:
                return parse(source)
        return parse(_read(Path(form)))
    except SourceInvalid as invalid:
        raise failed(ErrorKind.REFUSED, 409, "questionnaire_unsound", findings=str(invalid)) from None


def _paths(forms: list[str]) -> Iterator[Path]:
    for form in forms:
        path = Path(form)
        if not path.is_dir():
            yield path
            continue
        found = files_of(path)
        if not found:
            raise failed(
                ErrorKind.MALFORMED, 400, "no_questionnaires", directory=form, names=" ".join(SUFFIXES)
            )
        yield from found


def _read(path: Path) -> Source:
    """Raises Failure, SourceInvalid."""
    try:
        return read_file(path)
    except OSError as error:
        raise _unreadable(path, error) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> Failure:
    reason = error.strerror or type(error).__name__
    return failed(ErrorKind.MALFORMED, 400, "file_not_readable", file=str(path), reason=reason)


def _number(value: object) -> float | int:
    if not isinstance(value, Decimal):
        raise TypeError(type(value).__name__)
    return int(value) if value == value.to_integral_value() else float(value)


# For people


def _lines(questionnaire: Questionnaire, language: str) -> Iterator[str]:
    yield f"{localized(questionnaire.title, language)}  ({questionnaire.canonical}, {questionnaire.status})"
    yield localized(questionnaire.description, language)
    for item in questionnaire.item:
        yield ""
        yield from _item(questionnaire, item, language, "")


def _item(questionnaire: Questionnaire, item: Item, language: str, indent: str) -> Iterator[str]:
    about = [item.type.value]
    about += [say("item_required")] if item.required else []
    about += [say("item_repeats", most=item.most)] if item.repeats else []
    about += [say("item_identifier", kind=item.identifier)] if item.identifier else []
    about += (
        [f"{item.min_value or '…'} – {item.max_value or '…'}"] if item.min_value or item.max_value else []
    )
    yield f"{indent}{localized(item.text, language)}  [{item.link_id}: {', '.join(about)}]"
    if item.help is not None:
        yield from (f"{indent}    {line}" for line in localized(item.help, language).splitlines())
    for option in item.answer_option:
        yield f"{indent}    ( ) {localized(option.text, language)}  [{option.code}]"
    if item.enable_when:
        joined = f" {say('condition_or' if item.enable_behavior == 'any' else 'condition_and')} "
        conditions = joined.join(
            f"{when.question} {when.operator.value} {when.answer}" for when in item.enable_when
        )
        yield f"{indent}    {say('asked_if', conditions=conditions)}"
    for child in item.item:
        yield from _item(questionnaire, child, language, indent + "    ")
