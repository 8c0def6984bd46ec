"""`casetrail questionnaire ...`: the options of each command. They work on files, and need no system."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="questionnaire",
    help="Check, show, compare, try and exchange questionnaires.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Form = Annotated[
    str, typer.Argument(metavar="FILE|NAME", help="A file, or the name of one that Casetrail brings along.")
]
Lang = Annotated[str | None, typer.Option(help="en, pl; left out: the language of this terminal.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]


@app.command("lint")
def lint(
    forms: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|DIRECTORY...", help="Left out: those that Casetrail brings along."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is wrong, with file, line and reason. Exit code 3: something is."""
    from services.cli import questionnaire_commands

    questionnaire_commands.lint(forms or [], as_json=as_json)


@app.command("show")
def show(
    form: Form,
    lang: Lang = None,
    as_fhir: Annotated[bool, typer.Option("--fhir", help="As a FHIR R5 Questionnaire (JSON).")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the questions, and when each is asked."""
    from services.cli import questionnaire_commands

    questionnaire_commands.show(form, lang=lang, as_fhir=as_fhir, as_json=as_json)


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A file or name.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A file or name.")],
    as_json: AsJson = False,
) -> None:
    """Tell what changed between two versions."""
    from services.cli import questionnaire_commands

    questionnaire_commands.diff(before, after, as_json=as_json)


@app.command("try")
def try_(form: Form, lang: Lang = None, as_json: AsJson = False) -> None:
    """Answer it here, as a partner would; nothing is sent anywhere."""
    from services.cli import questionnaire_commands

    questionnaire_commands.walk(form, lang=lang, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A FHIR Questionnaire (JSON), R5 or R4.")],
    topic: Annotated[str, typer.Option(help="The topic of its tickets.")] = "other",
    lang: Annotated[str, typer.Option(help="Its language, where it does not say.")] = "en",
) -> None:
    """Write a FHIR Questionnaire as one of Casetrail's (YAML); what is outside the subset is named."""
    from services.cli import questionnaire_commands

    questionnaire_commands.import_fhir(file, topic=topic, lang=lang)
