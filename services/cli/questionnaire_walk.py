"""Answering a questionnaire in the terminal, page by page, as a partner would."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime

from contracts import wording
from contracts.intake.requests import ItemType
from contracts.wording import LANGUAGES, Language
from services.cli.output import print_json, visible
from services.cli.words import say
from services.intake import content, evaluator, pages
from services.intake.questionnaire import Item, Questionnaire, localized

_BACK = "<"


class Walk:
    """One walk through one questionnaire. `<` goes back a page; the end of input ends it."""

    def __init__(self, questionnaire: Questionnaire, language: str) -> None:
        self._questionnaire = questionnaire
        self._language = language
        self._spoken: Language = next((each for each in LANGUAGES if each == language), "en")
        self._answers: dict[str, tuple[str, ...]] = {}
        self._today: date = datetime.now(UTC).date()

    def run(self, *, as_json: bool) -> None:
        """Ask until everything is answered, and show what the ticket would say."""
        self._say(localized(self._questionnaire.title, self._language))
        self._say(say("walk_how"))
        found = pages.pages(self._questionnaire, self._answers)
        page: pages.Page | None = found[0] if found else None
        try:
            while page is not None:
                page = self._ask(page)
        except EOFError:
            self._say("")
        self._review(as_json=as_json)

    def _ask(self, page: pages.Page) -> pages.Page | None:
        """The page to go on with. Raises EOFError."""
        found = pages.pages(self._questionnaire, self._answers)
        place = say("walk_page", number=found.index(page) + 1, of=len(found)) if page in found else ""
        self._say(f"\n{place}")
        if page.item.type is ItemType.GROUP:
            self._say(localized(page.item.text, self._language))
        asked: set[str] = set()
        while (link_id := self._next_question(page.link_id, asked)) is not None:
            asked.add(link_id)
            if not self._answer(self._questionnaire.items[link_id]):
                return pages.before(self._questionnaire, found, page.link_id) or page
        for link_id in page.shown:
            item = self._questionnaire.items[link_id]
            if item.type is ItemType.DISPLAY and self._questionnaire.pages[link_id] == page.link_id:
                self._say(localized(item.text, self._language))
        found = pages.pages(self._questionnaire, self._answers)
        return pages.after(self._questionnaire, found, page.link_id)

    def _next_question(self, page: str, asked: set[str]) -> str | None:
        """The first question of the page, as it is now, that was not put yet."""
        now = pages.page_of(pages.pages(self._questionnaire, self._answers), page)
        return None if now is None else next((each for each in now.asked if each not in asked), None)

    def _answer(self, item: Item) -> bool:
        """Ask until the answer fits. False: back, please. Raises EOFError."""
        self._show(item)
        while True:
            typed = self._read()
            if typed == _BACK:
                return False
            parts = typed.split("|") if item.repeats else [typed]
            values, problems = evaluator.normalised(
                item, [self._code(item, part.strip()) for part in parts], today=self._today
            )
            if not problems:
                self._answers[item.link_id] = values
                return True
            for problem in problems:
                self._say(f"  ! {wording.rule(problem.rule, problem.data, self._spoken)}")

    def _show(self, item: Item) -> None:
        needed = " *" if item.required else ""
        self._say(f"{localized(item.text, self._language)}{needed}")
        if item.help is not None:
            self._say(f"  {localized(item.help, self._language)}")
        for number, option in enumerate(item.answer_option, start=1):
            self._say(f"  {number}. {localized(option.text, self._language)}")
        if item.type is ItemType.BOOLEAN:
            self._say(f"  1. {content.in_words(item, 'true', self._language)}")
            self._say(f"  2. {content.in_words(item, 'false', self._language)}")
        if item.type is ItemType.ATTACHMENT:
            self._say(f"  {say('walk_no_files')}")

    @staticmethod
    def _code(item: Item, typed: str) -> str:
        """A number typed for a choice, as the answer that it stands for."""
        if item.type is ItemType.ATTACHMENT:
            return ""
        answers = [*item.options] or (["true", "false"] if item.type is ItemType.BOOLEAN else [])
        return answers[int(typed) - 1] if typed.isdecimal() and 0 < int(typed) <= len(answers) else typed

    def _review(self, *, as_json: bool) -> None:
        title = content.ticket_title(
            self._questionnaire, self._answers, self._language, otherwise=say("walk_message")
        )
        shown = content.answers_shown(self._questionnaire, self._answers, self._language)
        if as_json:
            kept = evaluator.kept(self._questionnaire, self._answers)
            missing = evaluator.problems(self._questionnaire, self._answers, today=self._today)
            print_json(
                {
                    "title": title,
                    "answers": kept,
                    "missing": [problem.link_id for problem in missing],
                }
            )
            return
        self._say(f"\n{say('walk_review')}\n{title}")
        for each in shown:
            self._say(f"  {each.question}: {', '.join(each.values)}")
        for link_id in evaluator.dropped(self._questionnaire, self._answers):
            item = self._questionnaire.items[link_id]
            self._say(f"  {say('walk_dropped', question=localized(item.text, self._language))}")

    def _read(self) -> str:
        """Raises EOFError."""
        sys.stderr.write("> ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    @staticmethod
    def _say(text: str) -> None:
        sys.stderr.write(f"{visible(text)}\n")
