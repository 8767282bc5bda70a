"""Words under their speaker: with the given mapping, and with the best permutation (cpWER).

The fixed mapping is what is gated: cpWER cannot see two speakers' names swapped.
The difference of the two is the attribution error.
"""

from __future__ import annotations

from comparators.alignment.distance import alike_until
from comparators.alignment.speaker_alignment import (
    MAX_SPEAKERS,
    Attribution,
    Voice,
    attributed,
    both_voices,
)
from comparators.alignment.transcript_pair import Pair, Transcripts
from comparators.amounts import sides
from comparators.language.normalise import NORMALISER
from reflector_migrate.model import Amount, Finding, Measure, Observation, Severity, Unit
from reflector_migrate.model.plural import counted

MERGE, TRANSCRIBE = "merge_transcripts", "transcribe_track"
MIN_SWAPPED_WORDS = 3
USUAL_SPEAKERS = 20
"""Where other implementations of cpWER stop; ours goes on, and says so."""


def unsought(found: Attribution) -> str:
    """Why the best permutation is not known; empty where it is."""
    if len(found.speakers) <= MAX_SPEAKERS or not any(found.fixed.values()):
        return ""
    return f"{len(found.speakers)} speakers: over {MAX_SPEAKERS} no permutation is sought"


def _note(found: Attribution) -> str:
    usual = len(found.speakers) <= USUAL_SPEAKERS
    beyond = f"over {USUAL_SPEAKERS} speakers, beyond meeteval's limit: cpWER by assignment, exact"
    return unsought(found) or ("" if usual else beyond)


def compare_speaker_words(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Edits under the given mapping over the longer side of each speaker."""
    pair = transcripts.words(reference, hypothesis)
    found = attributed(pair)
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
        **sides(_speakers(found, 0), _speakers(found, 1), Unit.SPEAKER),
        note=_note(found),
        step=MERGE if edits > 2 * found.best_edits else TRANSCRIBE,
        normaliser=NORMALISER,
        findings=tuple(
            _finding(found, s, _first_difference(pair, s)) for s in found.speakers if found.fixed[s]
        ),
    )


def _first_difference(pair: Pair, speaker: int) -> tuple[float | None, int | None]:
    """(seconds, place) of the speaker's first word that is not the same on both sides."""
    first, second = (side.get(speaker, Voice("", [])) for side in pair.once(both_voices))
    alike = alike_until(first.code, second.code)
    for columns, voice in ((pair.reference, first), (pair.hypothesis, second)):
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
        is_of_words=True,
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


def compare_speaker_mapping(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Exact: no words stand under another person's name."""
    found = attributed(transcripts.words(reference, hypothesis))
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
        reference_amount=Amount(unit=Unit.SPEAKER, number=_speakers(found, 0)),
        hypothesis_amount=Amount(unit=Unit.SPEAKER, number=_speakers(found, 1)),
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
