"""Questionnaires as tests write them: one language, the shortest way."""

from __future__ import annotations

from typing import Any

import yaml

from services.intake.questionnaire import Questionnaire, load_document
from services.intake.source import Finding, Source, read_source

Document = dict[str, Any]


def item(link_id: str, kind: str = "string", **more: Any) -> Document:
    if kind == "choice":
        codes = more.pop("codes", ("a", "b"))
        more["answerOption"] = [{"code": code, "text": {"en": code.upper()}} for code in codes]
    return {"linkId": link_id, "type": kind, "text": {"en": link_id}, **more}


def group(link_id: str, *items: Document, **more: Any) -> Document:
    return item(link_id, "group", item=list(items), **more)


def when(question: str, answer: object, operator: str = "=") -> Document:
    return {"question": question, "operator": operator, "answer": answer}


def document(*items: Document, **more: Any) -> Document:
    return {
        "url": "https://q.example/form",
        "version": "1",
        "status": "active",
        "languages": ["en"],
        "title": {"en": "Form"},
        "description": {"en": "A form"},
        "topic": "form",
        "item": list(items),
        **more,
    }


def form(*items: Document, **more: Any) -> Questionnaire:
    return load_document(document(*items, **more))


def source(*items: Document, **more: Any) -> Source:
    return read_source("form.yaml", yaml.safe_dump(document(*items, **more), sort_keys=False).encode())


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]
