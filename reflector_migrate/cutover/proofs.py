"""Whether the harness was proved on this build: its seeded defects found, its placebo passed."""

from __future__ import annotations

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover.items import Answer, State, failed, passed, pending
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.clusters import MIN_CLUSTERS
from reflector_migrate.judge.gates.rules import MIN_CLIP_SDS, GateRule
from reflector_migrate.judge.gates.spread import Pooled
from reflector_migrate.shadow.nightly.proofs import (
    DEFECTS_COMMAND,
    PLACEBO_AT_LEAST,
    PLACEBO_COMMAND,
    defect_proofs,
    placebo,
    spread_by_measure,
)

WORST_FIRST = (State.FAIL, State.PENDING, State.PASS)


def seeded_defects_are_caught(harness: Harness) -> Answer:
    """The newest result of every seeded defect, tried on this very build, is a proof."""
    found = defect_proofs(harness, build_hash())
    n = len(found.known)
    value, limit = f"{found.proved} of {n}", "all"
    if found.wrong:
        return failed(value, limit, n, "; ".join(found.wrong[:3]))
    if found.missing:
        tried = f"{len(found.missing)} not tried on this build: {DEFECTS_COMMAND}"
        return pending(tried, value, limit, n)
    return passed(value, limit, n)


def placebo_is_not_failed(harness: Harness) -> Answer:
    """A third legacy run in the candidate's place was compared, and no gate failed it."""
    limit = "0 gates fail"
    found = placebo(harness, build_hash())
    if found is None:
        return pending(f"not run on this build: {PLACEBO_COMMAND}", limit=limit)
    value, n = f"{len(found.failed)} fail", len(found.recordings)
    if found.failed:
        return failed(value, limit, n, ", ".join(found.failed[:3]), recordings=found.recordings)
    if not found.is_enough:
        why = f"{PLACEBO_AT_LEAST} recordings are needed: {PLACEBO_COMMAND}"
        return pending(why, value, limit, n)
    return passed(value, limit, n, recordings=found.recordings)


def spread_fits_the_rules(harness: Harness) -> Answer:
    """Rules clip x at 4 of its standard deviations or more, and declare no smaller night effect.

    Measured on placebos; a night effect takes five nights of them, and only where it is declared.
    """
    from reflector_migrate.shadow.gate_rules import rules_in_force

    known, limit = spread_by_measure(harness), f"clip ≥ {MIN_CLIP_SDS} sd"
    means = [
        r for r in rules_in_force(harness.settings).gates if r.kind == "mean" and r.layer == "G1"
    ]
    found = [(name, rule, known[name]) for rule in means for name in rule.measures if name in known]
    if not found:
        return pending(f"no placebo has recorded it: {PLACEBO_COMMAND}", limit=limit)
    misfits = [_misfit(*one) for one in found]
    state = min((one for one, _ in misfits), key=WORST_FIRST.index)
    why = "; ".join([why for one, why in misfits if one is state and why][:3])
    name, _, first = found[0]
    value, n = f"{name} sd {first.sd:.2f} pp", min(spread.n for *_, spread in found)
    return Answer(state, value, limit, n, why, tuple(_numbers(name, one) for name, _, one in found))


def _misfit(name: str, rule: GateRule, spread: Pooled) -> tuple[State, str]:
    """How a rule falls short of what was measured of one of its measures."""
    declared, shared = rule.night_effect, spread.night_effect
    if rule.design.clip < (needed := MIN_CLIP_SDS * spread.sd):
        return State.FAIL, f"{name}: clip {rule.clip:g}, {MIN_CLIP_SDS} sd are {needed:.1f} pp"
    if declared is None:
        return State.PASS, ""
    if shared is None:
        nights = f"{spread.nights} of {MIN_CLUSTERS} nights"
        return State.PENDING, f"{name}: a night effect is declared, and placebos are of {nights}"
    if shared > declared:
        return State.FAIL, f"{name}: night effect {declared:g} declared, {shared:.2f} pp measured"
    return State.PASS, ""


def _numbers(name: str, spread: Pooled) -> str:
    shared = spread.night_effect
    said = "not measured, gates estimate it" if shared is None else f"{shared:.2f} pp"
    of = f"{spread.n} recordings in {spread.nights} nights"
    return f"{name}: sd {spread.sd:.2f} pp, night effect {said}, {of}"
