"""Which questionnaires fit what somebody typed: by their own keywords and examples, in plain arithmetic.

Words are folded (`Łódź` is `lodz`) and reduced to their stems with Snowball's stemmers, Polish and English at
once, since people mix both. A stem that few questionnaires have says more than one that all have:

    score = sum over the stems of the text of  weight of the stem in the questionnaire * log(1 + all / having)

where a keyword weighs 3, a word of an example 1, and a word of the title or description 1. A word of five
letters or more that no questionnaire has counts, at half its weight, for a stem that begins like it or
differs in one letter. No network, no model: the same text, the same order, with the words that made it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import snowballstemmer  # type: ignore[import-untyped]

from services.intake.questionnaire import Questionnaire
from services.runtime.folding import fold

LAST_TOPIC: Final = "other"
"""The topic of what is always offered last."""

KEYWORD: Final = 3.0
PHRASE: Final = 3.0
EXAMPLE: Final = 1.0
TITLE: Final = 1.0

_WORD: Final = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_SHORTEST_TYPO: Final = 5
_TYPO_WEIGHT: Final = 0.5
_MAX_WORDS: Final = 400
_SHOWN_WORDS: Final = 8

_STEMMERS: Final = {language: snowballstemmer.stemmer(language) for language in ("english", "polish")}
_EMPTY_WORDS: Final = """
a an the and or but if of to in on at for from by with without as is are was were be been am do does did have
has had not no we our us you your i my me it its this that these those there here they their them he she what
when where which who how why can could should would will please hello hi thanks thank since still just also
very all any some one two more new get got need want help problem issue question
i oraz ale lub albo czy że ze z w we na do od po o u za przez przed dla bez nad pod jak jest są był była było
były być nie tak się to ten ta te ci tych tego tej temu tym co kto gdy gdzie kiedy który która które jaki jaka
jakie my nas nam nasz nasza nasze mój moja moje mi mnie ja pan pani państwo proszę dzień dobry witam dziękuję
już jeszcze też tylko bardzo mamy mam chcę chcemy chciałbym chciałabym potrzebuję pomoc pomocy problem pytanie
"""
_EMPTY: Final = frozenset(map(fold, _EMPTY_WORDS.split()))


@dataclass(frozen=True, slots=True)
class Offer:
    """A questionnaire and why it fits: the words of the text that it knows, as they were typed."""

    questionnaire: Questionnaire
    score: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Word:
    typed: str
    stems: frozenset[str]


class Ranking:
    """Ranks the questionnaires that it was made with."""

    def __init__(self, questionnaires: Sequence[Questionnaire]) -> None:
        self._first = [each for each in questionnaires if each.topic != LAST_TOPIC]
        self._last = [each for each in questionnaires if each.topic == LAST_TOPIC]
        self._weights = [_weights(each) for each in self._first]
        having: dict[str, int] = defaultdict(int)
        for weights in self._weights:
            for stem in weights:
                having[stem] += 1
        self._rarity = {stem: math.log(1 + len(self._first) / count) for stem, count in having.items()}
        self._by_beginning: dict[str, list[str]] = defaultdict(list)
        for stem in self._rarity:
            self._by_beginning[stem[:2]].append(stem)

    def offers(self, text: str) -> tuple[Offer, ...]:
        """All questionnaires, the best fitting first; of equals, in the order in which they were given."""
        words = list(_words(text))
        known = [(word, self._known(word)) for word in words]
        scored = [
            self._offer(questionnaire, weights, known)
            for questionnaire, weights in zip(self._first, self._weights, strict=True)
        ]
        scored.sort(key=lambda offer: -offer.score)
        return (*scored, *(Offer(each, 0.0, ()) for each in self._last))

    def _offer(
        self,
        questionnaire: Questionnaire,
        weights: dict[str, float],
        known: Sequence[tuple[_Word, dict[str, float]]],
    ) -> Offer:
        score = 0.0
        fitting: dict[str, float] = {}
        for word, stems in known:
            worth = max(
                (weights.get(stem, 0.0) * self._rarity[stem] * by for stem, by in stems.items()), default=0
            )
            if worth:
                score += worth
                fitting[word.typed] = max(fitting.get(word.typed, 0.0), worth)
        best = sorted(fitting, key=lambda typed: -fitting[typed])[:_SHOWN_WORDS]
        return Offer(questionnaire, score, tuple(word for word in fitting if word in best))

    def _known(self, word: _Word) -> dict[str, float]:
        """The stems that the word stands for, with what it counts as each of them."""
        exact = {stem: 1.0 for stem in word.stems if stem in self._rarity}
        if exact:
            return exact
        return {
            other: _TYPO_WEIGHT
            for stem in word.stems
            if len(stem) >= _SHORTEST_TYPO
            for other in self._by_beginning[stem[:2]]
            if len(other) >= _SHORTEST_TYPO and (other.startswith(stem) or _differ_in_one(stem, other))
        }


def _weights(questionnaire: Questionnaire) -> dict[str, float]:
    weights: dict[str, float] = defaultdict(float)

    def add(text: str, weight: float, *, at_most: float) -> None:
        for word in _words(text):
            for stem in word.stems:
                weights[stem] = max(weights[stem], min(weights[stem] + weight, at_most))

    for terms in questionnaire.keywords.values():
        for term in terms:
            words = [*_words(term)]
            for word in words:
                for stem in word.stems:
                    weights[stem] = max(
                        weights[stem], KEYWORD if len(words) == 1 else PHRASE / len(words) + 0.5
                    )
    for terms in questionnaire.examples.values():
        for term in terms:
            add(term, EXAMPLE, at_most=2 * EXAMPLE)
    for text in (*questionnaire.title.values(), *questionnaire.description.values()):
        add(text, TITLE, at_most=KEYWORD)
    return dict(weights)


def _words(text: str) -> Iterator[_Word]:
    for count, found in enumerate(_WORD.finditer(text)):
        if count >= _MAX_WORDS:
            return
        typed = found.group()
        if fold(typed) not in _EMPTY:
            yield _Word(typed, _stems(typed.lower()))


@lru_cache(maxsize=20_000)
def _stems(word: str) -> frozenset[str]:
    """Folded stems, Polish and English. Who types without diacritics is stemmed without them."""
    plain = fold(word)
    polish, english = _STEMMERS["polish"], _STEMMERS["english"]
    return frozenset(
        (fold(polish.stemWord(word)), fold(polish.stemWord(plain)), fold(english.stemWord(plain)))
    )


def _differ_in_one(first: str, second: str) -> bool:
    """Whether one letter was changed, added, left out, or two neighbours were swapped."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return first == second
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    if at is None:
        return True
    rest, other = first[at + 1 :], second[at + 1 :]
    if len(first) == len(second):
        return rest == other or (first[at : at + 2] == second[at : at + 2][::-1] and rest[1:] == other[1:])
    return first[at:] == other if len(second) > len(first) else rest == second[at:]
