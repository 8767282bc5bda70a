"""Whether there is a pair to judge at all, by who finished and who failed where."""

from __future__ import annotations

from reflector_migrate.model import Check, Observation, Verdict


def completion(reference: Observation, hypothesis: Observation) -> Check:
    """A candidate that failed counts against it; a reference that failed concludes nothing."""
    mine, theirs = reference.status, hypothesis.status
    for side, status, where in (
        ("reference", mine, reference),
        ("hypothesis", theirs, hypothesis),
    ):
        if status in {"missing", "running"}:
            note = f"{side} ({where.engine}) is {status}"
            return _completion(Verdict.INCONCLUSIVE, "pair-incomplete", note)
    if mine == theirs or {mine, theirs} == {"failed", "timed_out"}:
        return _alike(reference, hypothesis)
    if theirs == "completed":
        note = f"the reference ({reference.engine}) {mine}: {reference.error or 'no reason given'}"
        return _completion(Verdict.INCONCLUSIVE, "reference-failed", note)
    note = f"the hypothesis ({hypothesis.engine}) {theirs}: {hypothesis.error or 'no reason given'}"
    return _completion(Verdict.DIVERGED, "hypothesis-failed", note)


def _alike(reference: Observation, hypothesis: Observation) -> Check:
    """Both completed, or both failed: that is agreement only about a step that both name."""
    if reference.status == "completed":
        return _completion(Verdict.MATCHED, "completion", "")
    mine, theirs = failed_steps(reference), failed_steps(hypothesis)
    if not mine & theirs:
        where = f"{_named(mine, reference)} here, {_named(theirs, hypothesis)} there"
        return _completion(Verdict.INCONCLUSIVE, "failed-apart", f"both sides failed, {where}")
    where = ", ".join(sorted(mine & theirs))
    note = f"both sides {reference.status} at {where}; what both have is compared"
    return _completion(Verdict.MATCHED, "completion", note)


def _named(steps: frozenset[str], observation: Observation) -> str:
    """The steps that failed, else the run's own words for what did."""
    return ", ".join(sorted(steps)) or f"no step named ({observation.error or 'no reason given'})"


def failed_steps(observation: Observation) -> frozenset[str]:
    """Steps whose last attempt did not complete."""
    last = {(s.name, s.track_index): s.status for s in observation.steps}
    return frozenset(name for (name, _), how in last.items() if how in ("failed", "timed_out"))


def _completion(verdict: Verdict, rule: str, note: str) -> Check:
    return Check(name="completion", verdict=verdict, rule=rule, note=note)
