"""Filling in the forms of pages, as a browser without scripts does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx2

Fields = dict[str, list[str]]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Fields]] = []
        self._textarea: str | None = None
        self._in_form = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name"), given.get("value") or ""
        if tag == "form":
            self.found.append((given.get("action") or "", {}))
            self._in_form = True
        elif not self._in_form or not name:
            return
        elif tag == "textarea":
            self._textarea = name
            self._add(name, "")
        elif tag == "input" and given.get("type") != "file":
            is_sent = given.get("type") not in {"radio", "checkbox"} or "checked" in given
            self.found[-1][1].setdefault(name, []).extend([value] * is_sent)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        elif tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            fields = self.found[-1][1]
            fields[self._textarea][-1] += data

    def _add(self, name: str, value: str) -> None:
        self.found[-1][1].setdefault(name, []).append(value)


def form_of(page: httpx2.Response, action: str, *, holding: str = "") -> tuple[str, Fields]:
    """The last form of a page whose address begins so: that address, and its fields with what stands in them.

    `holding` names a field that it has, where several forms go to the same address.
    """
    parser = _Forms()
    parser.feed(page.text)
    matching = [
        (to, fields)
        for to, fields in parser.found
        if to.startswith(action) and (not holding or holding in fields)
    ]
    assert matching, f"no form is sent to {action}: {[to for to, _ in parser.found]}"
    return matching[-1]


def fields_of(page: httpx2.Response, action: str) -> Fields:
    """The fields of the last form of a page whose address begins so, with what stands in them."""
    return form_of(page, action)[1]


async def send(
    browser: httpx2.AsyncClient,
    page: httpx2.Response,
    action: str,
    typed: Mapping[str, str | Sequence[str]] | None = None,
    **more: Any,
) -> httpx2.Response:
    """Send a form with what is typed into it; leaves out a field that is typed as an empty list."""
    to, fields = form_of(page, action)
    filled: dict[str, Any] = {**fields, **(typed or {})}
    return await browser.post(urljoin(str(page.url), to), data=filled, **more)
