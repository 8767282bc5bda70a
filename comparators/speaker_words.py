"""Words under their speaker: with the given mapping, and with the best permutation (cpWER).

The fixed mapping is what is gated: cpWER cannot see two speakers' names swapped.
The difference of the two is the attribution error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from comparators.columns import Columns, Pair, remembered, word_pair
from comparators.counted import counted
from comparators.distance import alike_until, distance
from comparators.normalise import NORMALISER
from comparators.permutation import Costs, Permutation, best_permutation
from reflector_migrate.model import Finding, Measure, Observation, Severity

MERGE, TRANSCRIBE = "merge_transcripts", "transcribe_track"
MIN_SWAPPED_WORDS = 3
USUAL_SPEAKERS = 20
"""Where other implementations of cpWER stop; ours goes on, and says so."""
MAX_SPEAKERS = 100
"""Beyond it no permutation is sought: the given mapping stands, and that is said."""


class Voice(NamedTuple):
    """One speaker's encoded tokens, and their places among everybody's."""

    code: str
    tokens: list[int]


class Attribution(NamedTuple):
    """Edits per speaker with the given mapping, and the best permutation's pairs and edits.

    `bounds` are lower bounds of every pair's edits, in the order of `speakers`;
    none where no permutation was sought.
    """

    speakers: list[int]
    fixed: dict[int, int]
    lengths: dict[int, tuple[int, int]]
    best: list[tuple[int | None, int | None]]
    best_edits: int
    bounds: Costs | None


def voices(columns: Columns, code: str) -> dict[int, Voice]:
    """Each speaker's tokens, in the order in which they are given."""
    collected: dict[int, list[int]] = {}
    speakers = [word.speaker for word in columns.words]
    for token, place in enumerate(columns.places):
        collected.setdefault(speakers[place], []).append(token)
    return {
        speaker: Voice("".join([code[token] for token in tokens]), tokens)
        for speaker, tokens in collected.items()
    }


def both_voices(pair: Pair) -> tuple[dict[int, Voice], dict[int, Voice]]:
    """Each side's voices."""
    return (
        voices(pair.reference, pair.reference_code),
        voices(pair.hypothesis, pair.hypothesis_code),
    )


def attribute(reference: Mapping[int, str], hypothesis: Mapping[int, str]) -> Attribution:
    """Edits under the given mapping and under the best one, exactly, for any counts of speakers."""
    speakers = sorted({*reference, *hypothesis})
    sides = [(reference.get(s, ""), hypothesis.get(s, "")) for s in speakers]
    fixed = {s: distance(*side) for s, side in zip(speakers, sides, strict=True)}
    found = _permuted([r for r, _ in sides], [h for _, h in sides], list(fixed.values()))
    pairs = [(_held(speakers[i], reference), _held(speakers[j], hypothesis)) for i, j in found[0]]
    lengths = {s: (len(r), len(h)) for s, (r, h) in zip(speakers, sides, strict=True)}
    return Attribution(speakers, fixed, lengths, pairs, found[1], found[2])


def _permuted(
    reference: list[str], hypothesis: list[str], fixed: list[int]
) -> Permutation | tuple[list[tuple[int, int]], int, None]:
    """The best permutation; the given mapping where it is perfect or speakers are too many."""
    if any(fixed) and len(fixed) <= MAX_SPEAKERS:
        return best_permutation(reference, hypothesis)
    return [(n, n) for n in range(len(fixed))], sum(fixed), None


def _held(speaker: int, side: Mapping[int, str]) -> int | None:
    """The speaker where this side has them, else None (an empty seat)."""
    return speaker if speaker in side else None


def attribution(reference: Observation, hypothesis: Observation) -> Attribution:
    """Both runs' attribution, remembered with their words' alignment."""
    return remembered(_attributed, word_pair(reference, hypothesis))


def _attributed(pair: Pair) -> Attribution:
    mine, theirs = remembered(both_voices, pair)
    return attribute(
        {speaker: voice.code for speaker, voice in mine.items()},
        {speaker: voice.code for speaker, voice in theirs.items()},
    )


def unsought(found: Attribution) -> str:
    """Why the best permutation is not known; empty where it is."""
    if len(found.speakers) <= MAX_SPEAKERS or not any(found.fixed.values()):
        return ""
    return f"{len(found.speakers)} speakers: over {MAX_SPEAKERS} no permutation is sought"


def _note(found: Attribution) -> str:
    usual = len(found.speakers) <= USUAL_SPEAKERS
    beyond = f"over {USUAL_SPEAKERS} speakers, beyond meeteval's limit: cpWER by assignment, exact"
    return unsought(found) or ("" if usual else beyond)


def compare_speaker_words(reference: Observation, hypothesis: Observation) -> Measure:
    """Edits under the given mapping over the longer side of each speaker."""
    found = attribution(reference, hypothesis)
    edits = sum(found.fixed.values())
    return Measure(
        name="speaker_words",
        kind="graded",
        errors=edits,
        length=sum(max(sizes) for sizes in found.lengths.values()),
        counts={
            "edits": edits,
            "cp_edits": found.best_edits,
            "attribution_edits": edits - found.best_edits,
            "reference_words": sum(sizes[0] for sizes in found.lengths.values()),
            "hypothesis_words": sum(sizes[1] for sizes in found.lengths.values()),
        },
        reference_text=counted(_speakers(found, 0), "speaker"),
        hypothesis_text=counted(_speakers(found, 1), "speaker"),
        note=_note(found),
        step=MERGE if edits > 2 * found.best_edits else TRANSCRIBE,
        normaliser=NORMALISER,
        findings=tuple(
            _finding(found, s, _first_difference(word_pair(reference, hypothesis), s))
            for s in found.speakers
            if found.fixed[s]
        ),
    )


def _first_difference(pair: Pair, speaker: int) -> tuple[float | None, int | None]:
    """(seconds, place) of the speaker's first word that is not the same on both sides."""
    sides = remembered(both_voices, pair)
    mine, theirs = (side.get(speaker, Voice("", [])) for side in sides)
    alike = alike_until(mine.code, theirs.code)
    for columns, voice in zip(pair[:2], (mine, theirs), strict=True):
        if alike < len(voice.tokens):
            token = voice.tokens[alike]
            return columns.start_s(token), columns.position(token)
    return None, None


def _speakers(found: Attribution, side: int) -> int:
    return sum(1 for sizes in found.lengths.values() if sizes[side])


def _finding(found: Attribution, speaker: int, where: tuple[float | None, int | None]) -> Finding:
    """One speaker's edits under the given mapping."""
    sizes, edits = found.lengths[speaker], found.fixed[speaker]
    swapped = dict(_swapped(found))
    message = f"{edits} edits"
    if speaker in swapped:
        message += f"; these words are under speaker {swapped[speaker]}"
    return Finding(
        path=f"speaker_words/{speaker}",
        step=MERGE if speaker in swapped else TRANSCRIBE,
        severity=Severity.MAJOR if edits > 0.2 * max(sizes) else Severity.MINOR,
        reference=counted(sizes[0], "word"),
        hypothesis=counted(sizes[1], "word"),
        at_s=where[0],
        position=where[1],
        speaker=speaker,
        message=message,
    )


def _swapped(found: Attribution) -> list[tuple[int, int]]:
    """(speaker, where their words went) beyond doubt: most words misfit here and fit there.

    Noise cannot move a speaker: at least three words, over half of them wrong
    under the given mapping, and the best permutation puts them elsewhere at
    less than half the edits.
    """
    moved = [(r, h) for r, h in found.best if r is not None and h is not None and r != h]
    if not moved:
        return []
    gained = sum(found.fixed[r] for r, _ in moved)
    rest = sum(found.fixed[s] for s in found.speakers) - gained
    if found.best_edits - rest > gained / 2:
        return []
    return [
        (r, h)
        for r, h in moved
        if found.lengths[r][0] >= MIN_SWAPPED_WORDS and found.fixed[r] > max(found.lengths[r]) / 2
    ]


def compare_speaker_mapping(reference: Observation, hypothesis: Observation) -> Measure:
    """Exact: nobody's words stand under somebody else's name."""
    found = attribution(reference, hypothesis)
    swapped = _swapped(found)
    if unsought(found):
        return Measure(name="speaker_mapping", kind="exact", step=MERGE,
                       inconclusive=unsought(found))  # fmt: skip
    return Measure(
        name="speaker_mapping",
        kind="exact",
        errors=len(swapped),
        length=len(found.speakers),
        counts={"swapped": len(swapped), "speakers": len(found.speakers)},
        reference_text=counted(_speakers(found, 0), "speaker"),
        hypothesis_text=f"{len(swapped)} under another name" if swapped else "same speakers",
        step=MERGE,
        normaliser=NORMALISER,
        findings=tuple(
            Finding(
                path=f"speaker_mapping/{r}",
                step=MERGE,
                severity=Severity.CRITICAL,
                kind="moved",
                reference=r,
                hypothesis=h,
                at_s=_first_word(reference, r)[0],
                position=_first_word(reference, r)[1],
                speaker=r,
                message=f"speaker {r}'s words are under speaker {h}",
            )
            for r, h in swapped
        ),
    )


def _first_word(observation: Observation, speaker: int) -> tuple[float | None, int | None]:
    """(seconds, place) of the speaker's first word."""
    for place, word in enumerate(observation.outputs.words):
        if word.speaker == speaker:
            return word.start, place
    return None, None
