"""From observations to a comparison: measure, judge, blame, show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from comparators.registry import MEASURES, NORMALISER, Measures
from reflector_migrate.judge.blame import first_divergent_step
from reflector_migrate.judge.context import Grounds
from reflector_migrate.judge.cross_run import Repeats
from reflector_migrate.judge.noise import NoiseFloors
from reflector_migrate.judge.verdict import checks, overall
from reflector_migrate.judge.waivers import Waiver, expired
from reflector_migrate.judge.word_diff import worst_turns
from reflector_migrate.model import Check, Comparison, Observation, Side, Turn, Verdict


class Judged(NamedTuple):
    """A comparison, and what further runs of either engine measured."""

    comparison: Comparison
    repeats: Repeats


def judge(
    reference: Observation,
    hypothesis: Observation,
    *,
    secondary: Observation | None = None,
    earlier: Observation | None = None,
    floors: NoiseFloors | None = None,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
    compared_at: datetime | None = None,
    is_repeatable: bool = False,
    measures: Measures = MEASURES,
) -> Judged:
    """Both sides compared and judged; the same arguments give the same comparison.

    reference is the primary, hypothesis the candidate, secondary the primary's
    engine run a second time, earlier another run of the candidate. `today` decides
    which waivers have expired. `is_repeatable`: recogniser and language model are known
    to answer alike each time.
    """
    grounds = Grounds(
        reference, hypothesis, secondary, floors, waivers, today,
        earlier=earlier, is_repeatable=is_repeatable, measures=measures,
    ).measured()  # fmt: skip
    return Judged(_comparison(grounds, checks(grounds), compared_at), grounds.repeats)


def compare(
    reference: Observation,
    hypothesis: Observation,
    *,
    secondary: Observation | None = None,
    earlier: Observation | None = None,
    floors: NoiseFloors | None = None,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
    compared_at: datetime | None = None,
    is_repeatable: bool = False,
    measures: Measures = MEASURES,
) -> Comparison:
    """The comparison alone; as `judge`."""
    return judge(
        reference, hypothesis, secondary=secondary, earlier=earlier, floors=floors,
        waivers=waivers, today=today, compared_at=compared_at, is_repeatable=is_repeatable,
        measures=measures,
    ).comparison  # fmt: skip


def _comparison(
    grounds: Grounds, judged: tuple[Check, ...], compared_at: datetime | None
) -> Comparison:
    """The frozen document of what was judged."""
    reference, hypothesis = grounds.reference, grounds.hypothesis
    verdict = overall(judged)
    duration_ms = reference.outputs.duration_ms or hypothesis.outputs.duration_ms
    return Comparison(
        recording=reference.recording,
        title=reference.outputs.title or hypothesis.outputs.title or "",
        run_id=hypothesis.run_id,
        compared_at=compared_at,
        duration_s=duration_ms / 1000 if duration_ms is not None else None,
        track_count=reference.track_count or hypothesis.track_count,
        language=reference.language or hypothesis.language,
        primary=side(reference),
        candidate=side(hypothesis),
        secondary=side(grounds.secondary) if grounds.secondary else None,
        verdict=verdict,
        checks=judged,
        first_divergent_step=first_divergent_step(reference, hypothesis, judged, grounds.measures),
        turns=_turns(grounds, judged),
        noise_pairs=grounds.floors.pairs if grounds.floors else int(bool(grounds.secondary)),
        normaliser=NORMALISER,
        notes=_notes(grounds, judged, verdict),
    )


def side(observation: Observation) -> Side:
    """Who ran, without what was said."""
    return Side(
        role=observation.role,
        engine=observation.engine,
        build=observation.build,
        status=observation.status,
        started=observation.started,
        ended=observation.ended,
        error=observation.error,
        steps=observation.steps,
    )


def _turns(grounds: Grounds, judged: Sequence[Check]) -> tuple[Turn, ...]:
    """Word diffs where any measure of words differs."""
    wordy = {spec.name for spec in grounds.measures if spec.words in {"counts", "follows"}}
    if not any(c.name in wordy and c.measure and c.measure.errors for c in judged):
        return ()
    return worst_turns(grounds.reference, grounds.hypothesis, grounds.transcripts)


def _notes(grounds: Grounds, judged: Sequence[Check], verdict: Verdict) -> tuple[str, ...]:
    """What both sides noted, and what a reader must know about the verdict."""
    notes = [*grounds.reference.notes, *grounds.hypothesis.notes]
    if grounds.reference.recording != grounds.hypothesis.recording:
        notes.append(f"the candidate is of another recording: {grounds.hypothesis.recording}")
    if verdict is Verdict.INCONCLUSIVE and all(c.verdict is not verdict for c in judged):
        notes.append("nothing was compared: neither side has any output")
    notes += _excepted(judged) + list(expired(grounds.waivers, grounds.today))
    return tuple(dict.fromkeys(notes))


def _excepted(judged: Sequence[Check]) -> list[str]:
    """How much was waived and improved, whatever the verdict."""
    waived, improved = sum(c.waived for c in judged), sum(c.improved for c in judged)
    notes = [f"findings waived: {waived}"] if waived else []
    return notes + ([f"known legacy defects put right: {improved}"] if improved else [])
