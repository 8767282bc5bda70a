"""Items answered by the gates of the newest pair of builds in the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reflector_migrate.cutover.items import Answer, State
from reflector_migrate.judge.gates.answers import GateAnswer, GateRun, worst
from reflector_migrate.model import GateVerdict
from reflector_migrate.settings import Settings

STATES = {
    GateVerdict.PASS: State.PASS,
    GateVerdict.FAIL: State.FAIL,
    GateVerdict.INCONCLUSIVE: State.PENDING,
}


@dataclass(frozen=True, slots=True)
class ByGates:
    """An item that passes when all of its gates do: those of some layers, or of some names.

    Without either it asks for all gates.
    """

    layers: frozenset[str] = field(default_factory=frozenset)
    names: frozenset[str] = field(default_factory=frozenset)
    but: frozenset[str] = field(default_factory=frozenset)

    def __call__(self, settings: Settings) -> Answer:
        """Judge what is stored, and answer from it."""
        return self.of(gate_run(settings))

    def of(self, run: GateRun) -> Answer:
        """The worst of the item's gates; the first that does not pass says why."""
        gates = [gate for gate in run.gates if self._asks_for(gate) and not gate.is_report_only]
        state = worst(gate.state for gate in gates)
        passing = sum(gate.state is GateVerdict.PASS for gate in gates)
        first = next((gate for gate in gates if gate.state is state), None)
        return Answer(
            STATES[state],
            f"{passing} of {len(gates)}",
            "all gates",
            min((gate.n for gate in gates), default=0),
            _why(first) if first else "no rule asks for such a gate",
        )

    def _asks_for(self, gate: GateAnswer) -> bool:
        if gate.gate in self.but:
            return False
        is_any = not self.layers and not self.names
        return is_any or gate.layer in self.layers or gate.gate in self.names


def gate_run(settings: Settings) -> GateRun:
    """Every gate of the newest pair of builds, by the rules that ship."""
    from reflector_migrate.cutover.gating import rules_of, stored_evidence
    from reflector_migrate.judge.gates.gate import judge

    return judge(stored_evidence(settings), rules_of(None))


def judged_once(settings: Settings) -> Callable[[], GateRun]:
    """The same run of the gates for every item of a phase."""
    found: list[GateRun] = []

    def judged() -> GateRun:
        if not found:
            found.append(gate_run(settings))
        return found[0]

    return judged


def _why(gate: GateAnswer) -> str:
    """The gate's own reason, its name first, and until when it may take."""
    until = f", until {gate.needs.date}" if gate.needs and gate.needs.date else ""
    return f"{gate.gate}: {gate.why}{until}"
