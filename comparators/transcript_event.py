"""The words as TRANSCRIPT told them, where those in the topics are others.

A row's words stand in its topics: whoever stored these may have lost or doubled some
that were heard. Then the event tells what was heard.
"""

from __future__ import annotations

from comparators.alignment.distance import distance, encode
from comparators.alignment.transcript_pair import language_of
from comparators.language.normalise import normalise
from reflector_migrate.model import Observation

AS_TOLD = "told_disagreement"


def disagreement_as_told(reference: Observation, hypothesis: Observation) -> dict[str, float]:
    """{AS_TOLD: share of words that differ}; nothing where each side's topics hold what it told.

    Blanks around the whole are no word: payloads do not count them either.
    """
    told = [_told(side) for side in (reference, hypothesis)]
    if told[0] is None or told[1] is None:
        return {}
    stored = [_stored(side) for side in (reference, hypothesis)]
    if told == stored:
        return {}
    language = language_of(reference) or language_of(hypothesis)
    mine, theirs = normalise(told[0], language), normalise(told[1], language)
    codes, longest = encode(mine, theirs), max(len(mine), len(theirs))
    return {AS_TOLD: distance(codes[0], codes[1]) / longest} if longest else {}


def _told(observation: Observation) -> str | None:
    """What the last TRANSCRIPT event says; None without one that says anything."""
    texts = [e.data.get("text") for e in observation.events if e.event == "TRANSCRIPT"]
    said = (text.strip() for text in reversed(texts) if isinstance(text, str))
    return next(filter(None, said), None)


def _stored(observation: Observation) -> str:
    return "".join([word.text for word in observation.outputs.words]).strip()
