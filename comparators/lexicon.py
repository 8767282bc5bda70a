"""The words that make a fact a fact, per language; what is not here cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


def word_set(text: str) -> frozenset[str]:
    """The words of a line, for tables that are read by people."""
    return frozenset(text.split())


def word_list(text: str) -> list[str]:
    """The same in order."""
    return text.split()


class Lexicon(NamedTuple):
    """Canonical forms by word as normalised: lower case, no apostrophes."""

    negations: frozenset[str]
    dates: Mapping[str, str]
    ordinals: Mapping[str, str]
    units: Mapping[str, str]
    scales: Mapping[str, int]
    skipped: frozenset[str]


_MONTHS = word_list(
    "january february march april may june july august september october november december"
)
_DAYS = word_list("monday tuesday wednesday thursday friday saturday sunday")
_MONTHS_DE = word_list(
    "januar februar märz april mai juni juli august september oktober november dezember"
)
_DAYS_DE = word_list("montag dienstag mittwoch donnerstag freitag samstag sonntag")
_ORDINALS = word_list("second third fourth fifth sixth seventh eighth ninth tenth")
_ORDINALS_DE = word_list("zweite dritte vierte fünfte sechste siebte achte neunte zehnte")

ENGLISH = Lexicon(
    negations=word_set(
        "not no never none nobody nothing neither nor without cannot cant dont doesnt didnt "
        "wont wouldnt shouldnt couldnt isnt arent wasnt werent hasnt havent hadnt mustnt"),
    # `may` and `march` are verbs too: only beside a day or after a preposition (facts.py)
    dates={w: w for w in [*_MONTHS, *_DAYS, "today", "tomorrow", "yesterday", "tonight"]},
    ordinals={word: str(i) for i, word in enumerate(_ORDINALS, start=2)},
    units={
        "percent": "percent", "dollar": "dollar", "dollars": "dollar", "euro": "euro",
        "euros": "euro", "pound": "pound", "pounds": "pound", "usd": "dollar", "eur": "euro",
        "cent": "cent", "cents": "cent",
    },
    scales={"thousand": 10**3, "million": 10**6, "billion": 10**9},
    skipped=word_set(
        "the a an to be been have has had any yet it that this we they he she i you is are "
        "was were will would do does did and or of in on for so very"),
)  # fmt: skip
GERMAN = Lexicon(
    negations=word_set(
        "nicht kein keine keinen keinem keiner keines nie niemals nichts niemand ohne weder "
        "nirgends"
    ),
    dates={
        **{word: _MONTHS[i] for i, word in enumerate(_MONTHS_DE)},
        **{word: _DAYS[i] for i, word in enumerate(_DAYS_DE)},
        "sonnabend": "saturday", "jänner": "january", "heute": "today", "gestern": "yesterday",
        "übermorgen": "day after tomorrow",
    },
    ordinals={
        word + ending: str(i)
        for i, word in enumerate(_ORDINALS_DE, start=2)
        for ending in ("", "n", "r", "s", "m")
    },
    units={
        "prozent": "percent", "percent": "percent", "dollar": "dollar", "euro": "euro",
        "euros": "euro", "cent": "cent", "pfund": "pound", "eur": "euro",
    },
    scales={
        "tausend": 10**3, "million": 10**6, "millionen": 10**6, "milliarde": 10**9,
        "milliarden": 10**9,
    },
    skipped=word_set(
        "der die das den dem des ein eine einen zu sein haben hat es wir sie er ich ist sind "
        "war wird werden und oder von im in am auf für so sehr mehr noch"),
)  # fmt: skip
LEXICONS: Mapping[str, Lexicon] = {"en": ENGLISH, "de": GERMAN}
