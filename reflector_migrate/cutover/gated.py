"""Items answered by the gates of the newest pair of builds in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reflector_migrate.cutover.items import Answer, State, pending
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.answers import GateAnswer, GateRun, worst
from reflector_migrate.judge.gates.catastrophes import recordings_needed
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.rules import MEANS, GateRule, Rules
from reflector_migrate.model import GateVerdict

STATES = {
    GateVerdict.PASS: State.PASS,
    GateVerdict.FAIL: State.FAIL,
    GateVerdict.INCONCLUSIVE: State.PENDING,
}


@dataclass(frozen=True, slots=True)
class Gated:
    """The gates' answers, the rules that they are by, and the lines that they rest on."""

    run: GateRun
    rules: Rules
    lines: Sequence[EvidenceLine] = ()


@dataclass(frozen=True, slots=True)
class ByGates:
    """An item that passes when all of its gates do: those of some layers, or of some names.

    Without either it asks for all gates. `is_of_this_build`: evidence of another candidate build
    than the one installed here answers nothing.
    """

    layers: frozenset[str] = field(default_factory=frozenset)
    names: frozenset[str] = field(default_factory=frozenset)
    but: frozenset[str] = field(default_factory=frozenset)
    is_of_this_build: bool = False

    def __call__(self, harness: Harness) -> Answer:
        """Judge what is stored, and answer from it."""
        return self.of(gated(harness))

    def of(self, judged: Gated) -> Answer:
        """The worst of the item's gates; the first that does not pass says why."""
        from reflector_migrate.conductor.build import build_hash

        asked = [gate for gate in judged.run.gates if self._asks(gate.gate, gate.layer)]
        gates = [gate for gate in asked if not gate.is_report_only]
        state = worst(gate.state for gate in gates)
        passing = sum(gate.state is GateVerdict.PASS for gate in gates)
        first = next((gate for gate in gates if gate.state is state), None)
        others = {gate.builds.get("candidate", "") for gate in gates if gate.builds} - {
            build_hash()
        }
        if self.is_of_this_build and others:
            why = f"evidence is of build {', '.join(sorted(others))}, this is {build_hash()}"
            return pending(why, f"{passing} of {len(gates)}", "all gates", 0)
        none = "each such gate is for report only" if asked else "no rule asks for such a gate"
        return Answer(
            STATES[state],
            f"{passing} of {len(gates)}",
            "all gates",
            min((gate.n for gate in gates), default=0),
            _why(first) if first else none,
            tuple(map(_numbers, asked)),
            _recordings(judged.lines, {gate.gate for gate in asked}),
            by_rules=self._by_rules(judged.rules),
        )

    def _by_rules(self, rules: Rules) -> str:
        """What the formula's words are in numbers, by these rules."""
        said = [
            _in_numbers(rule, rules.alpha)
            for rule in rules.gates
            if not rule.report_only and any(self._asks(name, rule.layer) for name in rule.measures)
        ]
        return "; ".join(dict.fromkeys(said))

    def _asks(self, name: str, layer: str) -> bool:
        if name in self.but:
            return False
        is_any = not self.layers and not self.names
        return is_any or layer in self.layers or name in self.names


def gated(harness: Harness) -> Gated:
    """Every gate of the newest cohort, by the rules in force.

    What was made under another configuration, with a seeded defect, or for a deployment's store
    by a sandbox, answers for no phase.
    """
    from reflector_migrate.judge.gates.cohorts import DEPLOYMENT, newest_of, origin_of
    from reflector_migrate.shadow.gate_rules import rules_in_force
    from reflector_migrate.shadow.nightly.gating import gates_of, stored_evidence

    is_sandbox, stored = harness.settings.is_sandbox, stored_evidence(harness)
    newest = newest_of([one for one in stored if is_sandbox or origin_of(one) == DEPLOYMENT])
    lines = newest.lines if newest else ()
    rules = rules_in_force(harness.settings)
    return Gated(gates_of(harness, lines, rules), rules, lines)


def judged_once(harness: Harness) -> Callable[[], Gated]:
    """The same run of the gates for every item of a phase."""
    found: list[Gated] = []

    def judged() -> Gated:
        if not found:
            found.append(gated(harness))
        return found[0]

    return judged


def _why(gate: GateAnswer) -> str:
    """The gate's own reason, its name first, and until when it may take."""
    until = f", until {gate.needs.date}" if gate.needs and gate.needs.date else ""
    return f"{gate.gate}: {gate.why}{until}"


def _in_numbers(rule: GateRule, alpha: float) -> str:
    """When a gate of this rule passes."""
    enough = rule.require_n
    if rule.kind in MEANS:
        return f"W+ {1 / alpha:g} at alpha {alpha:g}"
    if rule.kind == "coverage":
        return f"{100 * (rule.at_least or 1):g} % of at least {enough}"
    if rule.kind == "catastrophes":
        rates = rule.limit, rule.stratum_limit if rule.strata else None
        n, of_stratum = (max(recordings_needed(r, alpha), enough) if r else 0 for r in rates)
        return f"none in {n} recordings" + (f", in a stratum {of_stratum}" if of_stratum else "")
    return f"none in {enough} recordings"


def _numbers(gate: GateAnswer) -> str:
    """One gate as a line: state, value against limit, n, the interval of its mean, and clipping."""
    value = "-" if gate.value is None else f"{gate.value:g} {gate.unit}".strip()
    limit = "-" if gate.limit is None else f"{gate.limit:g}"
    bounds = gate.bounds
    between = f", {bounds.low:g} to {bounds.high:g} {bounds.unit}" if bounds else ""
    since = f", since {gate.since}" if gate.since else ""
    shown = " (report only)" if gate.is_report_only else ""
    return (
        f"{gate.gate} {gate.stratum}: {gate.state.value}{shown}, {value} (limit {limit},"
        f" n {gate.n}){between}{_clipping(gate)}{since}"
    )


def _clipping(gate: GateAnswer) -> str:
    """How many recordings were clipped, and how far that leaves the mean open."""
    if gate.clipped is None:
        return ""
    number, most = gate.clipped.recordings + gate.clipped.under, gate.clipped.mean_at_most_pp
    said = f", {number} clipped at {gate.clipped.at:g} {gate.clipped.unit}"
    return said + (f" (unclipped at most {most:g} pp)" if most is not None else "")


def _recordings(lines: Sequence[EvidenceLine], measures: set[str]) -> tuple[str, ...]:
    """Recordings with a line for these gates, the ones furthest from equal first."""
    worst_of: dict[str, float] = {}
    for line in lines:
        if line.measure in measures:
            worst_of[line.recording] = max(worst_of.get(line.recording, 0.0), _distance(line))
    return tuple(sorted(worst_of, key=lambda name: (-worst_of[name], name)))


def _distance(line: EvidenceLine) -> float:
    """How much the line says against the candidate; lines of one measure can be compared."""
    if line.outcome is not None:
        return float(not line.outcome.is_complete)
    if line.coverage is not None:
        return float(line.coverage != "compared")
    says = line.x_pp or line.log_ratio or line.exact_findings or line.has_catastrophe
    return max(float(says), 0.0)
