"""The chain of evidence: for each step and track, whether inputs and outputs agree.

Recorded digests speak first. Where a side has none, the digests of what the step
left in row and events do; where nothing is known, the chain says so. An output that
differs is within noise when every measure of it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from comparators.registry import MEASURES, Measures
from reflector_migrate.judge.agreement import FINE, Agreement, Key, against_noise
from reflector_migrate.judge.step_graph import FROM_ROW, INPUTS
from reflector_migrate.model import Check, Frozen, StepRun, position

THROUGH_TOPICS = "words"
"""Derived from the topics: what detect_topics does to them is not its maker's doing."""


class End(Frozen):
    """One side's account of a step: digests, and where its input and output are kept."""

    status: str
    input_digest: str | None = None
    output_digest: str | None = None
    input_ref: str | None = None
    output_ref: str | None = None
    derived: Mapping[str, str] = {}


class KnownBy(StrEnum):
    """By what evidence two outputs agree or differ."""

    DIGESTS = "digests"
    WRITTEN = "what the step wrote beside its output"
    DERIVED = "what it left in row and events"
    NOTHING = "nothing"


class Link(Frozen):
    """One step, on one track where there are tracks, as both sides recorded it.

    `is_handover`: its inputs differ although what they are made of agrees.
    `checks` are the measures of its output that do not match.
    """

    step: str
    track_index: int | None = None
    inputs: Agreement
    inputs_why: str
    outputs: Agreement
    outputs_why: str
    outputs_by: KnownBy = KnownBy.NOTHING
    is_handover: bool = False
    reference: End | None = None
    hypothesis: End | None = None
    checks: tuple[str, ...] = ()


class _Outputs(NamedTuple):
    """Whether two outputs agree, why, and by what evidence."""

    state: Agreement
    why: str
    by: KnownBy = KnownBy.NOTHING


def chain(
    reference: Sequence[StepRun],
    hypothesis: Sequence[StepRun],
    checks: Sequence[Check],
    measures: Measures = MEASURES,
) -> tuple[Link, ...]:
    """Every step that either side ran, in the pipeline's order; tracks by their number."""
    mine, theirs = last_runs(reference), last_runs(hypothesis)
    made: dict[Key, Link] = {}
    for key in sorted({*mine, *theirs}, key=lambda k: (position(k[0]), k[1] or 0)):
        made[key] = _link(key, (mine, theirs), checks, made, measures)
    return tuple(made.values())


def last_runs(steps: Iterable[StepRun]) -> dict[Key, StepRun]:
    """Each step's last attempt that completed, else its last one; per track."""
    runs: dict[Key, StepRun] = {}
    for step in sorted(steps, key=lambda s: (s.status == "completed", s.attempt)):
        runs[step.name, step.track_index] = step
    return runs


def _link(
    key: Key,
    runs: tuple[Mapping[Key, StepRun], Mapping[Key, StepRun]],
    checks: Sequence[Check],
    made: Mapping[Key, Link],
    measures: Measures,
) -> Link:
    ends = runs[0].get(key), runs[1].get(key)
    outputs, outputs_why, outputs_by = _outputs(key, ends, *runs)
    if outputs is Agreement.DIFFER and all(end and end.status == "completed" for end in ends):
        outputs, outputs_why = against_noise(key, outputs_why, checks, measures)
    inputs, inputs_why, is_handover = _inputs(key, ends, made)
    own = measures.names_of_step(key[0])
    return Link(
        step=key[0],
        track_index=key[1],
        inputs=inputs,
        inputs_why=inputs_why,
        outputs=outputs,
        outputs_why=outputs_why,
        outputs_by=outputs_by,
        is_handover=is_handover,
        reference=_end(ends[0]),
        hypothesis=_end(ends[1]),
        checks=tuple(c.name for c in checks if c.verdict not in FINE and _tells(c, key[0], own)),
    )


def _tells(check: Check, step: str, own: frozenset[str]) -> bool:
    """Whether the check is of this step's output, or has a finding attributed to it."""
    findings = check.measure.findings if check.measure else ()
    return check.name in own or any(f.step == step and not f.waiver for f in findings)


def _end(run: StepRun | None) -> End | None:
    if run is None:
        return None
    fields = set(End.model_fields)
    return End(**{name: value for name, value in run if name in fields})


def _outputs(
    key: Key,
    ends: tuple[StepRun | None, StepRun | None],
    mine: Mapping[Key, StepRun],
    theirs: Mapping[Key, StepRun],
) -> _Outputs:
    """By recorded digests, then by what both sides left behind."""
    reference, hypothesis = ends
    if reference is None or hypothesis is None:
        side = "primary" if reference is None else "candidate"
        return _Outputs(Agreement.UNKNOWN, f"the {side} has no such step")
    failed = [s for s in (reference, hypothesis) if s.status != "completed"]
    if failed:
        return _failed(reference, hypothesis)
    if reference.output_digest and hypothesis.output_digest:
        if reference.output_digest != hypothesis.output_digest:
            return _Outputs(Agreement.DIFFER, "digests differ", KnownBy.DIGESTS)
        return _left_beside(reference, hypothesis)
    if _is_moved(key, mine, theirs):
        why = "derived: the same, under another track's name"
        return _Outputs(Agreement.AGREE, why, KnownBy.DERIVED)
    return _left(reference, hypothesis)


def _failed(reference: StepRun, hypothesis: StepRun) -> _Outputs:
    if reference.status == hypothesis.status:
        return _Outputs(Agreement.UNKNOWN, f"{reference.status} on both sides")
    return _Outputs(Agreement.DIFFER, f"{reference.status} here, {hypothesis.status} there")


def _parts(reference: StepRun, hypothesis: StepRun) -> tuple[list[str], list[str]]:
    """Names of what both sides left: those that differ, those that agree."""
    both = sorted(set(reference.derived) & set(hypothesis.derived))
    differ = [n for n in both if reference.derived[n] != hypothesis.derived[n]]
    return differ, [n for n in both if n not in differ]


def _left_beside(reference: StepRun, hypothesis: StepRun) -> _Outputs:
    """A step may give the right output and write another."""
    differ = [name for name in _parts(reference, hypothesis)[0] if name != THROUGH_TOPICS]
    if differ:
        why = f"digests agree, but not what it wrote: {', '.join(differ)}"
        return _Outputs(Agreement.DIFFER, why, KnownBy.WRITTEN)
    return _Outputs(Agreement.AGREE, "digests agree", KnownBy.DIGESTS)


def _left(reference: StepRun, hypothesis: StepRun) -> _Outputs:
    differ, agree = _parts(reference, hypothesis)
    if differ:
        why = f"derived: {', '.join(differ)} differ"
        return _Outputs(Agreement.DIFFER, why, KnownBy.DERIVED)
    if agree:
        return _Outputs(Agreement.AGREE, f"derived: {', '.join(agree)} agree", KnownBy.DERIVED)
    return _Outputs(Agreement.UNKNOWN, "not recorded, and nothing left to derive it from")


def _is_moved(key: Key, mine: Mapping[Key, StepRun], theirs: Mapping[Key, StepRun]) -> bool:
    """A track's derived words stand under another track there: who merged them did that.

    That track's own words must have gone as well: two silent tracks are not exchanged.
    """
    if key[0] != "transcribe_track":
        return False
    left, right = (
        {k: run.derived[THROUGH_TOPICS] for k, run in runs.items()
         if k[0] == key[0] and THROUGH_TOPICS in run.derived}
        for runs in (mine, theirs)
    )  # fmt: skip
    both = set(left) & set(right)
    changed = {other for other in both if left[other] != right[other]}
    return key in changed and any(
        left[key] == right[other] or right[key] == left[other] for other in changed - {key}
    )


def _inputs(
    key: Key, ends: tuple[StepRun | None, StepRun | None], made: Mapping[Key, Link]
) -> tuple[Agreement, str, bool]:
    """(whether they agree, why, whether the hand-over changed them)."""
    digests = tuple(end.input_digest if end else None for end in ends)
    if None in digests:
        return (*_worst(parents(key, made), is_root=not INPUTS.get(key[0])), False)
    if digests[0] == digests[1]:
        read = [link for link in parents(key, made) if link.step in FROM_ROW.get(key[0], ())]
        if any(link.outputs is Agreement.DIFFER for link in read):
            return (*_worst(read), False)
        return Agreement.AGREE, "digests agree", False
    state, why = _worst(parents(key, made))
    if state in (Agreement.DIFFER, Agreement.WITHIN_NOISE):
        return state, why, False
    if state is Agreement.AGREE:
        reason = "digests differ although what they are made of agrees: the hand-over"
        return Agreement.DIFFER, reason, True
    return Agreement.DIFFER, "digests differ", False


def parents(key: Key, made: Mapping[Key, Link]) -> list[Link]:
    """Links of the steps that this one works on; a track's step on its own track's only."""
    steps = INPUTS.get(key[0], ())
    return [
        link
        for (name, track), link in made.items()
        if name in steps and (track is None or key[1] is None or track == key[1])
    ]


def _worst(links: Sequence[Link], *, is_root: bool = False) -> tuple[Agreement, str]:
    """Of the outputs that a step works on: one that differs, else one unknown, else agreement."""
    if is_root:
        return Agreement.AGREE, "the recording itself"
    for state in (Agreement.DIFFER, Agreement.WITHIN_NOISE, Agreement.UNKNOWN):
        found = [named(link) for link in links if link.outputs is state]
        if found:
            shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if found[3:] else "")
            return state, f"{shown}: {state.value}"
    return (Agreement.AGREE, "outputs they are made of agree") if links else (
        Agreement.UNKNOWN, "not recorded, and neither are the steps before"
    )  # fmt: skip


def named(link: Link) -> str:
    """`transcribe_track 3`."""
    return link.step if link.track_index is None else f"{link.step} {link.track_index}"
