"""Words cut to what their forms share: enough to see that two texts negate the same thing."""

from __future__ import annotations

from collections.abc import Mapping

from comparators.language.lexicon import word_list

_PAIRS = word_list(
    "paid pay sent send made make done do met meet held hold built build bought buy gone go went "
    "go given give gave give taken take took take chosen choose chose choose found find left leave "
    "lost lose sold sell told tell came come began begin begun begin wrote write written write "
    "said say spent spend kept keep knew know known know thought think got get decision decide"
)
_IRREGULAR: Mapping[str, str] = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))
_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "en": ("ations", "ation", "ments", "ment", "ances", "ance", "ings", "ing", "als", "al", "ies",
           "ied", "ed", "es", "ers", "er", "ly", "s", "y", "e"),
    "de": ("ungen", "ung", "ten", "test", "tes", "ter", "te", "end", "en", "em", "er", "es", "et",
           "st", "t", "n", "e", "s"),
}  # fmt: skip
_SHORTEST = 3
_LONGEST = 6


def stem(word: str, language: str) -> str:
    """`shipped`, `shipping` and `shipment` are `ship`; `genehmigt`, `Genehmigung` are `nehmig`."""
    if language == "en":
        word = _IRREGULAR.get(word, word)
    elif language == "de":
        word = _without_participle(word)
    for ending in _ENDINGS.get(language, ()):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            word = word[: -len(ending)]
            break
    if len(word) > _SHORTEST and word[-1] == word[-2]:
        word = word[:-1]
    return word.removesuffix("e")[:_LONGEST] if len(word) > _SHORTEST else word


def _without_participle(word: str) -> str:
    """German `ge` in front of a word long enough to be a participle or its noun."""
    return word[2:] if word.startswith("ge") and len(word) > 6 else word
