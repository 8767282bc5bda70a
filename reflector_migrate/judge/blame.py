"""The first step whose output differs although its inputs agree, within noise.

The chain of evidence says what differs; the checks that diverged say which steps
come into question. Where the chain knows nothing of a step, a finding laid to it
speaks; so does an exact difference in what one step alone writes. Forks are followed
along what each step works on, not along a list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reflector_migrate.judge.agreement import (
    Agreement,
    Key,
    is_doubtful,
    is_told_alike,
    is_within_noise,
    weight_by_track,
)
from reflector_migrate.judge.chain import Link, chain, parents
from reflector_migrate.judge.failure import cause_of, failed_step
from reflector_migrate.judge.step_graph import (
    FIRM,
    HEARING,
    INPUTS,
    OWN_MEASURES,
    PER_TRACK,
    SPEECH,
    STORED_BY,
    before,
    causes_of,
    position,
)
from reflector_migrate.model import (
    STEP_NAMES,
    Blame,
    Check,
    Finding,
    Observation,
    Verdict,
)

OF_WORDS = ("words/", "words_raw/", "speaker_words/", "catastrophes/words/",
            "events/payload/TRANSCRIPT")  # fmt: skip
"""Findings about which words there are."""


def first_divergent_step(
    reference: Observation, hypothesis: Observation, checks: Sequence[Check]
) -> Blame | None:
    """The step to look at first; None when nothing differs."""
    links = {(k.step, k.track_index): k for k in chain(reference.steps, hypothesis.steps, checks)}
    failed = failed_step(reference, hypothesis)
    if failed:
        return cause_of(failed, links)
    suspects = _suspects(checks)
    suspects = [_relaid(check, checks) for check in suspects]
    if firm := [c for c in suspects if c.name in FIRM and c.verdict is Verdict.DIVERGED]:
        named = _named(firm)
        links = {k: v if k[0] in named else _excused(v, checks) for k, v in links.items()}
    made = _by_chain(suspects, links, checks) or _by_measure(suspects, links, checks)
    found = [blame for blame in (made, _by_own_work(suspects)) if blame]
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
        and c.rule != "reference-failed"
    ]


def _relaid(check: Check, checks: Sequence[Check]) -> Check:
    """Words that were told as they should be and stored otherwise, laid to the step that stores."""
    if check.measure is None:
        return check
    storing = STORED_BY["words"]
    findings = [
        f.model_copy(update={"step": storing})
        if f.step in HEARING and f.path.startswith(OF_WORDS) and is_told_alike(f.step, checks)
        else f
        for f in check.measure.findings
    ]
    return check.model_copy(
        update={"measure": check.measure.model_copy(update={"findings": tuple(findings)})}
    )


def _by_chain(
    suspects: Sequence[Check], links: Mapping[Key, Link], checks: Sequence[Check]
) -> Blame | None:
    """The first link, among those that can be the cause, that parts from its inputs."""
    causes = {step for check in suspects for step in _causes(check)}
    named = _named(suspects)
    parting = [
        link
        for link in links.values()
        if link.step in causes and (_parts(link) or _is_accused(link, named, links))
    ]
    for link in sorted(parting, key=lambda k: position(k.step)):
        origin = _origin(link, links)
        track = _track(origin, links, named, checks)
        return Blame(step=origin.step, why=_why(origin, links, named), track_index=track)
    return None


def _excused(link: Link, checks: Sequence[Check]) -> Link:
    """What may be noise is taken for it, where something that cannot be is laid to others."""
    if link.outputs is Agreement.DIFFER and is_doubtful(link.step, checks):
        return link.model_copy(update={"outputs": Agreement.WITHIN_NOISE})
    return link


def _parts(link: Link) -> bool:
    return link.outputs is Agreement.DIFFER


def _is_dark(link: Link) -> bool:
    """Nothing is known of its output."""
    return link.outputs is Agreement.UNKNOWN


def _is_accused(link: Link, named: Collection[str], links: Mapping[Key, Link]) -> bool:
    """Nothing is known of its output, but a finding is laid to it and nothing clears it."""
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


def _by_own_work(suspects: Sequence[Check]) -> Blame | None:
    """The earliest step named by an exact check of what no other step writes."""
    own = [c for c in suspects if causes_of(c.name) is None and c.verdict is Verdict.DIVERGED]
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
    above = [parent for parent in made if _parts(parent)]
    return _origin(min(above, key=lambda k: position(k.step)), links) if above else link


def _named(suspects: Sequence[Check]) -> dict[str, tuple[Check, Finding]]:
    """Steps that a standing finding is laid to, each with the first of them."""
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
    if link.outputs_why.startswith("digests agree, but"):
        return f"its output's {link.outputs_why}"
    earlier = {k.outputs for k in links.values() if k.step in before(link.step)}
    said = "its output differs"
    if link.outputs_why.startswith("derived"):
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
    """Of several tracks that differ, the one on which most of it lies."""
    if origin.step not in PER_TRACK:
        return None
    if _is_dark(origin):
        return named[origin.step][1].speaker
    tracks = [k.track_index or 0 for k in links.values() if k.step == origin.step and _parts(k)]
    weights = weight_by_track([c for c in checks if c.name in OWN_MEASURES[origin.step]])
    return max(tracks, key=lambda track: (weights.get(track, 0), -track))


def _causes(check: Check) -> set[str]:
    """Steps that can make this check diverge."""
    steps = {finding.step for finding in _standing(check) if finding.step}
    content = causes_of(check.name)
    if content is None or steps == {STORED_BY.get(check.name)}:
        return steps or {s for s in (check.measure and check.measure.step,) if s}
    latest = max((position(step) for step in steps), default=len(STEP_NAMES))
    return {step for step in content if position(step) <= max(latest, position(SPEECH[-1]))}


def _standing(check: Check) -> list[Finding]:
    """The check's findings that nobody waived."""
    return [f for f in (check.measure.findings if check.measure else ()) if not f.waiver]


def _by_measure(
    suspects: Sequence[Check], links: Mapping[Key, Link], checks: Sequence[Check]
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
    told = [(f.step or (c.measure.step if c.measure else None), f, c) for f, c in named]
    stored = agreeing & set(SPEECH)
    steps = [(STORED_BY.get(c.name, s) if s in stored else s, f, c) for s, f, c in told]
    usable = [entry for entry in steps if entry[0]]
    preferred = [
        e for e in usable if e[0] not in agreeing and not is_within_noise(str(e[0]), checks)
    ]
    if not (preferred or usable):
        return None
    step, finding, check = min(preferred or usable, key=lambda entry: position(str(entry[0])))
    track = finding.speaker if step in PER_TRACK else None
    return Blame(step=str(step), why=f"{check.name}: {finding.message}", track_index=track)
