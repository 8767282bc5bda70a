"""Seeded noise of a language model: other words and another order, the same facts.

`rate` is the chance of each possible change; `facts: true` is the second setting,
which breaks figures, dates and negations instead of keeping them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from reflector_migrate.sandbox.standins.extract import DATE_WORDS, WORD, is_negation, is_number, kin

GROUPS = (
    ("discussed", "talked about", "went through", "covered"),
    ("main points", "key points", "essentials"),
    ("said", "noted", "stated"),
    ("review", "examine", "look at"),
    ("agree", "concur"),
    ("need", "require"),
    ("begin", "start"),
    ("big", "large"),
    ("late", "behind schedule"),
    ("move", "shift"),
    ("plan", "scheme"),
    ("about", "regarding"),
    ("also", "in addition"),
    ("because", "since"),
    ("think", "believe"),
    ("problem", "issue"),
    ("meeting", "conversation"),
    ("important", "significant"),
    ("show", "demonstrate"),
    ("help", "support"),
    ("quickly", "rapidly"),
    ("team", "group"),
    ("should", "ought to"),
    ("buy", "purchase"),
    ("finish", "complete"),
)
SYNONYMS = {word: [w for w in group if w != word] for group in GROUPS for word in group}
PHRASE = re.compile(
    r"\b(" + "|".join(sorted(map(re.escape, SYNONYMS), key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)
LISTED = re.compile(r"(?<=: )([^:;.\n]+(?:, [^:;.\n]+)+)(?=[;.\n]|$)")
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Voice:
    """How the answers are worded: plain when `rate` is 0, else by a seeded chance."""

    rate: float = 0.0
    salt: str = ""
    breaks_facts: bool = False

    def say(self, text: str, place: str = "") -> str:
        """The text in this voice; the same voice, text and place give the same words."""
        if not self.rate:
            return text
        rng = Random(f"{self.salt}:{place}:{text}")  # noqa: S311 - reproducible noise, no secret
        said = PHRASE.sub(lambda found: self._other(found[0], rng), text)
        said = LISTED.sub(lambda found: self._shuffled(found[0], rng), said)
        return self._broken(said, rng) if self.breaks_facts else said

    def order(self, items: list[str], place: str = "") -> list[str]:
        """The items, at times in another order."""
        rng = Random(f"{self.salt}:{place}:{items}")  # noqa: S311 - as above
        if self.rate and rng.random() < self.rate:
            return rng.sample(items, len(items))
        return items

    def _other(self, word: str, rng: Random) -> str:
        if rng.random() >= self.rate:
            return word
        other = rng.choice(SYNONYMS[word.lower()])
        return other[0].upper() + other[1:] if word[0].isupper() else other

    def _shuffled(self, listed: str, rng: Random) -> str:
        items = listed.split(", ")
        return ", ".join(rng.sample(items, len(items))) if rng.random() < self.rate else listed

    def _broken(self, text: str, rng: Random) -> str:
        """At least one fact is changed wherever the text has any."""
        places = [m for m in WORD.finditer(text) if _is_fact(m[0])]
        if not places:
            return text
        chosen = [m for m in places if rng.random() < self.rate] or [rng.choice(places)]
        for found in reversed(chosen):
            text = text[: found.start()] + _wrong(found[0], rng) + text[found.end() :]
        return re.sub(r" {2,}", " ", text).strip()


def _is_fact(word: str) -> bool:
    return is_number(word) or is_negation(word) or word.lower() in DATE_WORDS


def _wrong(word: str, rng: Random) -> str:
    lowered = word.lower()
    if word[0].isdigit():
        return DIGITS.sub(lambda d: str(int(d[0]) + 1 + rng.randrange(3)), word, count=1)
    if is_negation(word):
        return ""
    other = rng.choice(kin(lowered))
    return other.capitalize() if word[0].isupper() else other
