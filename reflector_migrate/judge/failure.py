"""A step that failed on one side only, and the earlier one that may have caused it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reflector_migrate.judge.agreement import Agreement, Key
from reflector_migrate.judge.chain import Link
from reflector_migrate.judge.step_graph import FREE, position
from reflector_migrate.model import Blame, Observation, StepRun


def failed_step(reference: Observation, hypothesis: Observation) -> Blame | None:
    """A step that failed on the hypothesis, where the reference's run completed."""
    if reference.status != "completed" or hypothesis.status not in {"failed", "timed_out"}:
        return None
    last = {(step.name, step.track_index): step for step in _in_order(hypothesis.steps)}
    for step in last.values():
        if step.status in {"failed", "timed_out"}:
            why = f"{step.status}: {step.error or 'no reason given'}"
            return Blame(step=step.name, why=why, track_index=step.track_index)
    return None


def cause_of(failed: Blame, links: Mapping[Key, Link]) -> Blame:
    """The failed step, unless an earlier one gave it what the reference did not have.

    Only a step that owes the same output for the same input can be convicted so.
    """
    for link in links.values():
        has_same = link.reference and link.reference.input_digest and not link.is_handover
        if link.step not in FREE and has_same and _departs(link):
            why = f"its output differs although its input agrees; then {failed.step} {failed.why}"
            return Blame(step=link.step, why=why, track_index=link.track_index)
    return failed


def _departs(link: Link) -> bool:
    """Equal inputs, and recorded outputs that are not, whatever the noise.

    What it wrote beside them is no proof here: the failed step may have written over it.
    """
    ends = [end for end in (link.reference, link.hypothesis) if end and end.status == "completed"]
    given = {end.output_digest for end in ends if end.output_digest}
    return link.inputs is Agreement.AGREE and len(given) == 2


def _in_order(steps: Iterable[StepRun]) -> list[StepRun]:
    """By pipeline order, then track, then attempt; unknown names last."""
    return sorted(steps, key=lambda s: (position(s.name), s.track_index or 0, s.attempt))
