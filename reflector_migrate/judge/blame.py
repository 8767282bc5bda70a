"""The first step whose output differs although its inputs agree, within noise.

The chain of evidence says what differs; the checks that diverged say which steps
come into question. Where the chain knows nothing of a step, a finding attributed to it
speaks; so does an exact difference in what one step alone writes. Forks are followed
along what each step works on, not along a list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from comparators.registry import MEASURES, Measures
from reflector_migrate.judge.agreement import (
    Agreement,
    Key,
    is_doubtful,
    is_published_alike,
    is_within_noise,
    weight_by_track,
)
from reflector_migrate.judge.chain import KnownBy, Link, chain, parents
from reflector_migrate.judge.step_graph import (
    FREE,
    HEARING,
    INPUTS,
    SPEECH,
    before,
    causes_of,
)
from reflector_migrate.model import (
    STEP_NAMES,
    TRACK_STEPS,
    Blame,
    Check,
    Finding,
    Observation,
    StepRun,
    Verdict,
    position,
)


def first_divergent_step(
    reference: Observation,
    hypothesis: Observation,
    checks: Sequence[Check],
    measures: Measures = MEASURES,
) -> Blame | None:
    """The step to look at first; None when nothing differs."""
    listed = chain(reference.steps, hypothesis.steps, checks, measures)
    links = {(link.step, link.track_index): link for link in listed}
    failed = failed_step(reference, hypothesis)
    if failed:
        return cause_of(failed, links)
    suspects = _suspects(checks)
    suspects = [_reattributed(check, checks, measures) for check in suspects]
    if firm := [c for c in suspects if _is_firm(c, measures) and c.verdict is Verdict.DIVERGED]:
        named = _named(firm)
        links = {
            key: link if link.step in named else _excused(link, checks, measures)
            for key, link in links.items()
        }
    made = _by_chain(suspects, links, checks, measures)
    made = made or _by_measure(suspects, links, checks, measures)
    found = [blame for blame in (made, _by_own_work(suspects, measures)) if blame]
    return min(found, key=lambda blame: position(blame.step), default=None)


def _suspects(checks: Sequence[Check]) -> list[Check]:
    """What diverged; when nothing certainly did, what differs without a floor to judge it by."""
    diverged = [c for c in checks if c.verdict is Verdict.DIVERGED and c.measure]
    if diverged:
        return diverged
    return [
        c
        for c in checks
        if c.verdict is Verdict.INCONCLUSIVE
        and c.measure
        and c.measure.errors
        and c.rule not in {"reference-failed", "outage-met-by-both"}
    ]


def _is_firm(check: Check, measures: Measures) -> bool:
    spec = measures.of(check.name)
    return spec is not None and spec.is_firm


def _reattributed(check: Check, checks: Sequence[Check], measures: Measures) -> Check:
    """Words that were published right and stored otherwise are attributed to the storing step."""
    words = measures.of_words()
    if check.measure is None or words is None:
        return check
    alike = {step for step in HEARING if is_published_alike(step, checks, measures)}
    findings = [
        f.model_copy(update={"step": words.stored_by}) if f.is_of_words and f.step in alike else f
        for f in check.measure.findings
    ]
    return check.model_copy(
        update={"measure": check.measure.model_copy(update={"findings": tuple(findings)})}
    )


def _by_chain(
    suspects: Sequence[Check],
    links: Mapping[Key, Link],
    checks: Sequence[Check],
    measures: Measures,
) -> Blame | None:
    """The first link, among those that can be the cause, that parts from its inputs."""
    causes = {step for check in suspects for step in _causes(check, measures)}
    named = _named(suspects)
    parting = [
        link
        for link in links.values()
        if link.step in causes
        and (link.outputs is Agreement.DIFFER or _is_accused(link, named, links))
    ]
    for link in sorted(parting, key=lambda k: position(k.step)):
        origin = _origin(link, links)
        track = _track(origin, links, named, [c for c in checks if _is_of(origin, c, measures)])
        return Blame(step=origin.step, why=_why(origin, links, named), track_index=track)
    return None


def _is_of(link: Link, check: Check, measures: Measures) -> bool:
    """Whether the check is of the step's output."""
    return check.name in measures.names_of_step(link.step)


def _excused(link: Link, checks: Sequence[Check], measures: Measures) -> Link:
    """What may be noise counts as noise, where something that cannot be is attributed to others."""
    if link.outputs is Agreement.DIFFER and is_doubtful(link.step, checks, measures):
        return link.model_copy(update={"outputs": Agreement.WITHIN_NOISE})
    return link


def _is_dark(link: Link) -> bool:
    """Nothing is known of its output."""
    return link.outputs is Agreement.UNKNOWN


def _is_accused(link: Link, named: Collection[str], links: Mapping[Key, Link]) -> bool:
    """Nothing is known of its output, but a finding names it and nothing clears it."""
    return _is_dark(link) and link.step in named and not _is_cleared(link, links)


def _is_cleared(link: Link, links: Mapping[Key, Link]) -> bool:
    """What works on its output agrees, as far as that is known: so did the output."""
    after = [k.outputs for k in links.values() if _works_on(k, link)]
    known = [state for state in after if state is not Agreement.UNKNOWN]
    return bool(known) and all(state is Agreement.AGREE for state in known)


def _works_on(link: Link, maker: Link) -> bool:
    is_own_track = None in (link.track_index, maker.track_index) or (
        link.track_index == maker.track_index
    )
    return maker.step in INPUTS.get(link.step, ()) and is_own_track


def _by_own_work(suspects: Sequence[Check], measures: Measures) -> Blame | None:
    """The earliest step named by an exact check of what no other step writes."""
    own = [
        check
        for check in suspects
        if causes_of(measures.of(check.name)) is None and check.verdict is Verdict.DIVERGED
    ]
    named = [(f, c) for c in own for f in _standing(c) if f.step]
    if not named:
        return None
    finding, check = min(named, key=lambda entry: position(str(entry[0].step)))
    return Blame(step=str(finding.step), why=f"{check.name}: {finding.message}")


def _origin(link: Link, links: Mapping[Key, Link]) -> Link:
    """Up the chain, from a step whose inputs differ to the one that made them differ."""
    if link.is_handover or link.inputs is not Agreement.DIFFER:
        return link
    made = parents((link.step, link.track_index), links)
    above = [parent for parent in made if parent.outputs is Agreement.DIFFER]
    return _origin(min(above, key=lambda k: position(k.step)), links) if above else link


def _named(suspects: Sequence[Check]) -> dict[str, tuple[Check, Finding]]:
    """Steps that a standing finding names, each with the first of them."""
    found: dict[str, tuple[Check, Finding]] = {}
    for check in suspects:
        for finding in _standing(check):
            if finding.step:
                found.setdefault(finding.step, (check, finding))
    return found


def _why(link: Link, links: Mapping[Key, Link], named: Mapping[str, tuple[Check, Finding]]) -> str:
    """What is known of the step and of what stands before it."""
    if _is_dark(link):
        check, finding = named[link.step]
        return f"its output is not known; {check.name}: {finding.message}"
    if link.is_handover:
        return f"its inputs' {link.inputs_why}"
    if link.outputs_by is KnownBy.WRITTEN:
        return f"its output's {link.outputs_why}"
    earlier = {k.outputs for k in links.values() if k.step in before(link.step)}
    said = "its output differs"
    if link.outputs_by is KnownBy.DERIVED:
        said += f" ({link.outputs_why})"
    if Agreement.WITHIN_NOISE in earlier:
        return f"{said}; what differs before it is within noise"
    if Agreement.UNKNOWN in earlier or link.inputs is Agreement.UNKNOWN:
        return f"{said}; every earlier output that both sides recorded agrees"
    return f"{said} although every earlier output agrees"


def _track(
    origin: Link,
    links: Mapping[Key, Link],
    named: Mapping[str, tuple[Check, Finding]],
    checks: Sequence[Check],
) -> int | None:
    """Of several tracks that differ, the one on which most of it lies, by the step's checks."""
    if origin.step not in TRACK_STEPS:
        return None
    if _is_dark(origin):
        return named[origin.step][1].speaker
    differing = [k for k in links.values() if k.outputs is Agreement.DIFFER]
    tracks = [k.track_index or 0 for k in differing if k.step == origin.step]
    weights = weight_by_track(checks)
    return max(tracks, key=lambda track: (weights.get(track, 0), -track))


def _causes(check: Check, measures: Measures) -> set[str]:
    """Steps that can make this check diverge."""
    steps = {finding.step for finding in _standing(check) if finding.step}
    spec = measures.of(check.name)
    content = causes_of(spec)
    if content is None or (spec and steps == {spec.stored_by}):
        return steps or {s for s in (check.measure and check.measure.step,) if s}
    latest = max((position(step) for step in steps), default=len(STEP_NAMES))
    return {step for step in content if position(step) <= max(latest, position(SPEECH[-1]))}


def _standing(check: Check) -> list[Finding]:
    """The check's unwaived findings."""
    return [f for f in (check.measure.findings if check.measure else ()) if not f.waiver]


def _by_measure(
    suspects: Sequence[Check],
    links: Mapping[Key, Link],
    checks: Sequence[Check],
    measures: Measures,
) -> Blame | None:
    """The earliest step a finding names, those known to agree passed over.

    Where the steps that made the words agree, the one that stored them is meant.
    """
    states: dict[str, set[Agreement]] = {}
    for link in links.values():
        states.setdefault(link.step, set()).add(link.outputs)
    settled = {Agreement.AGREE, Agreement.WITHIN_NOISE}
    agreeing = {step for step, known in states.items() if known <= settled}
    named = [(f, c) for c in suspects for f in _standing(c) or [Finding(path=c.name)]]
    pairs = [(f.step or (c.measure.step if c.measure else None), f, c) for f, c in named]
    stored = agreeing & set(SPEECH)
    steps = [(_storing(c, measures) or s if s in stored else s, f, c) for s, f, c in pairs]
    usable = [entry for entry in steps if entry[0]]
    preferred = [
        entry
        for entry in usable
        if entry[0] not in agreeing and not is_within_noise(str(entry[0]), checks, measures)
    ]
    if not (preferred or usable):
        return None
    step, finding, check = min(preferred or usable, key=lambda entry: position(str(entry[0])))
    track = finding.speaker if step in TRACK_STEPS else None
    return Blame(step=str(step), why=f"{check.name}: {finding.message}", track_index=track)


def _storing(check: Check, measures: Measures) -> str:
    """The step that stores what the check measures; empty where its maker does."""
    spec = measures.of(check.name)
    return spec.stored_by if spec else ""


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

    What it wrote beside them proves nothing: the failed step may have written over it.
    """
    ends = [end for end in (link.reference, link.hypothesis) if end and end.status == "completed"]
    given = {end.output_digest for end in ends if end.output_digest}
    return link.inputs is Agreement.AGREE and len(given) == 2


def _in_order(steps: Iterable[StepRun]) -> list[StepRun]:
    """By pipeline order, then track, then attempt; unknown names last."""
    return sorted(steps, key=lambda s: (position(s.name), s.track_index or 0, s.attempt))
