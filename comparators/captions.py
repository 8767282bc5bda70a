"""Exact: captions are well-formed and say what the run's own words say.

With equal words on both sides the captions must be equal too. With different
words (recognition noise) each side's captions are held against its own words:
a property the reference keeps and the hypothesis breaks is a difference.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from comparators.amounts import sides
from comparators.exact_measure import exact
from comparators.payload.webvtt import Cue, parse
from reflector_migrate.model import Finding, Measure, Observation, Severity, Unit, Word
from reflector_migrate.model.plural import counted

STEP = "detect_topics"


def compare_webvtt(reference: Observation, hypothesis: Observation) -> Measure:
    """Captions of both sides."""
    mine, theirs = reference.outputs.webvtt or "", hypothesis.outputs.webvtt or ""
    findings = _one_sided(mine, theirs) or _differences(reference, hypothesis)
    cues = mine.count(" --> "), theirs.count(" --> ")
    return exact(
        "webvtt",
        STEP,
        max(*cues, 1 if mine or theirs else 0),
        findings,
        **sides(cues[0], cues[1], Unit.CUE),
    )


def _one_sided(reference: str, hypothesis: str) -> list[Finding]:
    if bool(reference) == bool(hypothesis):
        return []
    kind = "missing" if reference else "extra"
    return [Finding(path="webvtt", step=STEP, kind=kind, message=f"captions are {kind}")]


def _differences(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """Cue by cue when the words agree; else what only the hypothesis does wrong."""
    mine, theirs = reference.outputs, hypothesis.outputs
    if mine.words == theirs.words:
        if mine.webvtt == theirs.webvtt:
            return []
        return _by_cue(parse(mine.webvtt or "")[0], parse(theirs.webvtt or "")[0])
    broken = set(faults(hypothesis))
    broken -= set(faults(reference)) if broken else set()
    return [
        Finding(path=f"webvtt/{fault}", step=STEP, severity=Severity.MAJOR, message=why)
        for fault, why in sorted(FAULTS.items())
        if fault in broken
    ]


FAULTS = {
    "form": "a caption is malformed",
    "order": "captions are not in order of time",
    "text": "captions do not say what the words say",
    "blanks": "captions set the words apart elsewhere than they are",
    "speakers": "captions name other speakers than the words do",
    "times": "captions begin or end elsewhere than the words",
}


def faults(observation: Observation) -> list[str]:
    """Names of what is wrong with a run's captions against its own words."""
    cues, well_formed = parse(observation.outputs.webvtt or "")
    words = observation.outputs.words
    starts = [cue.start_ms for cue in cues]
    aligned = _aligned(cues, words)
    checks = {
        "form": well_formed,
        "order": starts == sorted(starts),
        "text": aligned is not None,
        **(_apart(cues, words) if aligned is None else _together(cues, aligned)),
    }
    return [name for name, holds in checks.items() if not holds]


class _Own(NamedTuple):
    """A caption's words, and the blank ones around them that may be its or its neighbour's."""

    words: Sequence[Word]
    before: Sequence[Word]
    after: Sequence[Word]


def _aligned(cues: Sequence[Cue], words: Sequence[Word]) -> list[_Own] | None:
    """Each caption's own words, found by their letters; None where letters or borders differ."""
    if _letters("".join([cue.text for cue in cues])) != _letters("".join([w.text for w in words])):
        return None
    ends = [0, *accumulate(len(_letters(word.text)) for word in words)]
    found: list[_Own] = []
    letters = 0
    for cue in cues:
        before, first = bisect_left(ends, letters), bisect_right(ends, letters) - 1
        letters += len(_letters(cue.text))
        last, after = bisect_left(ends, letters), bisect_right(ends, letters) - 1
        if ends[last] != letters:
            return None
        found.append(_Own(words[first:last], words[before:first], words[last:after]))
    return found


def _together(cues: Sequence[Cue], aligned: Sequence[_Own]) -> dict[str, bool]:
    """Every caption against its own words; one without a letter has none to be held against."""
    pairs = [(cue, own) for cue, own in zip(cues, aligned, strict=True) if own.words]
    return {
        "blanks": all(_says(cue, own) for cue, own in pairs),
        "speakers": all({w.speaker for w in own.words} == {cue.speaker} for cue, own in pairs),
        "times": all(_spans(cue, own) for cue, own in pairs),
    }


def _says(cue: Cue, own: _Own) -> bool:
    return cue.text.strip() == "".join([word.text for word in own.words]).strip()


def _spans(cue: Cue, own: _Own) -> bool:
    """It begins with its first word and ends with its last, to 5 ms (milliseconds are cut off)."""
    begins = abs(cue.start_ms - 1000 * own.words[0].start) <= 5
    ends = abs(cue.end_ms - 1000 * own.words[-1].end) <= 5
    return (begins or any(abs(cue.start_ms - 1000 * w.start) <= 5 for w in own.before)) and (
        ends or any(abs(cue.end_ms - 1000 * w.end) <= 5 for w in own.after)
    )


def _apart(cues: Sequence[Cue], words: Sequence[Word]) -> dict[str, bool]:
    """What is known of captions that say something else than the words."""
    begin = abs(cues[0].start_ms - 1000 * words[0].start) <= 5 if cues and words else False
    return {
        "speakers": {cue.speaker for cue in cues} == {word.speaker for word in words},
        "times": begin or not (cues or words),
    }


def _letters(text: str) -> str:
    return "".join(text.split())


def _by_cue(reference: list[Cue], hypothesis: list[Cue]) -> list[Finding]:
    """One finding for all cues that differ, with the first as its example."""
    together = zip(reference, hypothesis, strict=False)
    places = [place for place, (r, h) in enumerate(together) if r != h]
    pairs = [(reference[place], hypothesis[place]) for place in places]
    if not pairs and len(reference) == len(hypothesis):
        return [Finding(path="webvtt/form", step=STEP, severity=Severity.MINOR,
                        message="captions are laid out differently")]  # fmt: skip
    r, h = pairs[0] if pairs else (None, None)
    return [
        Finding(
            path="webvtt/cues/*",
            step=STEP,
            reference=r.text if r else counted(len(reference), "cue"),
            hypothesis=h.text if h else counted(len(hypothesis), "cue"),
            at_s=r.start_ms / 1000 if r else None,
            position=places[0] if places else min(len(reference), len(hypothesis)),
            speaker=r.speaker if r else None,
            message=f"{len(pairs) + abs(len(reference) - len(hypothesis))} captions differ",
        )
    ]
