"""The words as TRANSCRIPT told them, where those in the topics are others.

A row's words stand in its topics: whoever stored these may have lost or doubled some
that were heard. Then the event tells what was heard.
"""

from __future__ import annotations

from comparators.columns import language_of
from comparators.distance import distance, encode
from comparators.normalise import normalise
from reflector_migrate.model import Observation

AS_TOLD = "told_disagreement"


def disagreement_as_told(reference: Observation, hypothesis: Observation) -> dict[str, float]:
    """{AS_TOLD: share of words that differ}; nothing where each side's topics hold what it told."""
    told = [_told(side) for side in (reference, hypothesis)]
    if told[0] is None or told[1] is None:
        return {}
    stored = ["".join([w.text for w in side.outputs.words]) for side in (reference, hypothesis)]
    if told == stored:
        return {}
    language = language_of(reference) or language_of(hypothesis)
    mine, theirs = normalise(told[0], language), normalise(told[1], language)
    codes, longest = encode(mine, theirs), max(len(mine), len(theirs))
    return {AS_TOLD: distance(codes[0], codes[1]) / longest} if longest else {}


def _told(observation: Observation) -> str | None:
    """What the last TRANSCRIPT event says; None without one that says anything."""
    texts = [e.data.get("text") for e in observation.events if e.event == "TRANSCRIPT"]
    return next((text for text in reversed(texts) if isinstance(text, str) and text), None)
