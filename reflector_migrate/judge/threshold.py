"""A measure, whole and in parts, held against how far the primary's engine lies from itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from comparators.registry import MeasureSpec
from reflector_migrate.judge.context import Grounds
from reflector_migrate.judge.noise import MIN_PAIRS, Floor
from reflector_migrate.model import Measure, Observation, Verdict

FEW_PAIRS_FACTOR = 4.0
"""Few A/A pairs give no percentile: beyond their limit is inconclusive, beyond 4 x it differs."""
MIN_EDITS = 5
"""And not by fewer edits than these: of two runs with equally many errors to come, one has
none and the other five or more at most once in a hundred (Poisson, at its worst rate)."""
MIN_ABSURD = 50
"""From so many words on, an absurd share is not an accident of a short recording."""
OUT = "`migrate compare RECORDING --secondary` in a sandbox makes one"
"""Where a floor comes from."""


@dataclass(frozen=True, slots=True)
class Held:
    """A value held against a floor, and what came of it."""

    verdict: Verdict
    rule: str
    value: float | None = None
    floor: Floor | None = None
    margin: float = 0.0
    note: str = ""

    @property
    def limit(self) -> float | None:
        """The floor plus the practical margin."""
        return self.floor.p99 + self.margin if self.floor else None


def hold_all(spec: MeasureSpec, measure: Measure, grounds: Grounds) -> Held:
    """The worst of the whole and its parts, shown by the one that is most of it.

    What legacy does most makes the floor of the whole wide. What it never does has a
    floor of its own: an altered figure among facts left out, a track that is late as a
    whole among words aligned amiss.
    """
    whole = _hold(spec, measure, measure.errors, grounds)
    parts = [
        _hold_part(spec, part, grounds)
        for part in measure.parts
        if part.errors and part.counts.get("standing", 1)
    ]
    worst = Verdict.worst([whole.verdict, *(held.verdict for held in parts)])
    if worst is not Verdict.DIVERGED and _is_absurd(spec, measure, grounds):
        note = f"beyond any noise: over {spec.absurd:.0%}"
        return Held(Verdict.DIVERGED, "absurd", measure.divergence, note=note)
    shown = [*parts, whole] if worst is Verdict.DIVERGED else [whole, *parts]
    return next(held for held in shown if held.verdict is worst)


def _is_absurd(spec: MeasureSpec, measure: Measure, grounds: Grounds) -> bool:
    """Whether so much differs that it needs no floor, unless legacy is as unlike itself."""
    if spec.absurd is None or measure.length < MIN_ABSURD:
        return False
    between = grounds.repeats.between_legacy.get(measure.name) or 0.0
    return (measure.divergence or 0.0) >= spec.absurd > between


def is_determined(step: str | None, grounds: Grounds) -> bool:
    """Whether words agree exactly, and the model's answers by replay or as recorded.

    A blank or a comma is not a word, and changes no fact.
    """
    pair = grounds.transcripts.words(grounds.reference, grounds.hypothesis)
    if pair.reference.tokens != pair.hypothesis.tokens:
        return False
    answers = _answer(grounds.reference, step), _answer(grounds.hypothesis, step)
    return grounds.is_repeatable or (answers[0] is not None and answers[0] == answers[1])


def _answer(observation: Observation, step: str | None) -> str | None:
    """The digest of what the step gave, whatever was stored of it."""
    return {s.name: s.output_digest for s in observation.steps}.get(step or "")


def _hold_part(spec: MeasureSpec, part: Measure, grounds: Grounds) -> Held:
    """One part, its note beginning with what it is and how much of it there is."""
    held = _hold(spec, part, part.counts.get("edits", part.errors), grounds)
    return replace(held, note="; ".join(filter(None, [part.note, held.note])))


def _hold(spec: MeasureSpec, measure: Measure, edits: float, grounds: Grounds) -> Held:
    """By its excess over the recording's own A/A pair, where it is known what excess noise makes.

    Else against the stratum's percentile, else against the own pair, else nothing is known.
    `edits` is what the value counts. Few stored pairs give no percentile: they can only
    show that a value lies far beyond.
    """
    if held := _hold_excess(spec, measure, grounds):
        return held
    name, value, margin = measure.name, measure.divergence or 0.0, spec.margin
    stored = grounds.floors.of(name, grounds.stratum) if grounds.floors else None
    own = grounds.repeats.between_legacy.get(name)
    is_own = own is not None and (stored is None or stored.n < MIN_PAIRS)
    floor = Floor(own, 1) if own is not None and is_own else stored
    if floor is None:
        return Held(Verdict.INCONCLUSIVE, "no-floor", value, note=_unmeasured(spec.name, grounds))
    rule, note = (
        ("own-secondary", "judged by its own A/A pair alone") if is_own
        else ("aa-p99+margin", _few(floor, grounds.stratum))
    )  # fmt: skip
    if floor.p99 + margin >= 1:
        note = f"a limit of {floor.p99 + margin:.2f} excludes nothing"
        return Held(Verdict.INCONCLUSIVE, "floor-too-wide", value, floor, margin, note)
    highest = max(floor.p99, stored.p99 if stored else 0.0) + margin
    is_far = value > FEW_PAIRS_FACTOR * highest and (
        grounds.is_repeatable or (edits >= MIN_EDITS and not spec.is_written_by_model)
    )
    verdict = _beside(value, floor, margin, is_own=is_own, is_far=is_far)
    return Held(verdict, rule, value, floor, margin, note)


def _hold_excess(spec: MeasureSpec, measure: Measure, grounds: Grounds) -> Held | None:
    """By the excess; None without a pair, or while too few recordings show what noise makes.

    Floor and limit are told as divergences from the primary: what this one may be, the other two
    distances being what they are.
    """
    name, value, margin = measure.name, measure.divergence or 0.0, spec.margin
    x = grounds.repeats.excess(name, value)
    noise = grounds.floors.excess_of(name, grounds.stratum) if grounds.floors else None
    if x is None or noise is None or noise.n < MIN_PAIRS:
        return None
    highest = noise.p99 + margin
    if highest >= 1:
        note = f"an excess of up to {highest:.2f} excludes nothing"
        return Held(Verdict.INCONCLUSIVE, "floor-too-wide", value, noise, margin, note)
    floor = Floor(value - x + noise.p99, noise.n)
    note = f"{x:+.1%} over its own A/A pair; noise alone makes up to {noise.p99:+.1%}"
    verdict = Verdict.WITHIN_NOISE if x <= highest else Verdict.DIVERGED
    return Held(verdict, "excess-p99+margin", value, floor, margin, note)


def _unmeasured(measure: str, grounds: Grounds) -> str:
    """No pair of the stratum at all, or none that measured this part, being older than it."""
    if not grounds.floors:
        return ""
    is_older = grounds.floors.of(measure, grounds.stratum)
    without = f" has this measured: {OUT}" if is_older else ""
    return f"no A/A pair of {grounds.stratum}{without}"


def _few(floor: Floor, stratum: str) -> str:
    return f"{floor.n} A/A pairs of {MIN_PAIRS} in {stratum}" if floor.n < MIN_PAIRS else ""


def _beside(value: float, floor: Floor, margin: float, *, is_own: bool, is_far: bool) -> Verdict:
    """Within the limit of enough pairs or of its own; beyond that of enough, or far beyond."""
    is_known = floor.n >= MIN_PAIRS
    if value <= floor.p99 + margin:
        return Verdict.WITHIN_NOISE if is_known or is_own else Verdict.INCONCLUSIVE
    return Verdict.DIVERGED if is_known or is_far else Verdict.INCONCLUSIVE
