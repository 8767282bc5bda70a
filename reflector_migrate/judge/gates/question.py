"""What a gate is asked: one measure, in one stratum of one cohort, by one rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reflector_migrate.judge.gates.answers import Decided, GateAnswer, Needs, projected
from reflector_migrate.judge.gates.cohorts import Evidence
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.rules import ALL, GateRule, Rules
from reflector_migrate.model.vocabulary import GateVerdict

COMMANDS = {"primary_time": "migrate baseline record"}
"""Which command gives what a measure is held against, where it has no verdict without that."""


@dataclass(frozen=True, slots=True)
class Question:
    """`measure` is the gate's name too; stratum None asks about all recordings."""

    measure: str
    stratum: str | None
    rule: GateRule
    rules: Rules
    evidence: Evidence

    @property
    def place(self) -> str:
        """Where it is asked, for a sentence."""
        return f" in {self.stratum}" if self.stratum else ""

    def needs(self, recordings: int | None, n: int) -> Needs:
        """So many recordings more, at the pace at which n of them came."""
        return projected(recordings, self.evidence.pace(n))

    def answer(self, state: GateVerdict, **found: Any) -> GateAnswer:
        """The gate's answer, with what every answer bears."""
        return GateAnswer(
            gate=self.measure,
            layer=self.rule.layer,
            stratum=self.stratum or ALL,
            state=state,
            is_report_only=self.rule.report_only or found.pop("is_ignored", False),
            builds=dict(self.evidence.key.builds),
            **found,
        )

    def unanswered(self, recordings: int | None, **found: Any) -> GateAnswer:
        """No line has a verdict on it: held, failed or set aside as the rule says, never passed.

        `recordings` is how many it takes.
        """
        state = GateVerdict.FAIL if self.rule.on_missing == "fail" else GateVerdict.INCONCLUSIVE
        why = f"no recording{self.place} has a verdict on {self.measure}"
        why += f": {COMMANDS[self.measure]}" if self.measure in COMMANDS else ""
        is_ignored = self.rule.on_missing == "ignore"
        if state is GateVerdict.FAIL and (nights := self.evidence.nights):
            found |= {"since": nights[0], "first_decided": Decided(n=0, night=nights[0])}
        needs = self.needs(recordings, 0)
        return self.answer(state, why=why, is_ignored=is_ignored, needs=needs, **found)


def counted(lines: Iterable[EvidenceLine]) -> Iterator[tuple[int, EvidenceLine]]:
    """Each line with how many different recordings there are up to it."""
    seen: set[str] = set()
    for line in lines:
        seen.add(line.recording)
        yield len(seen), line


def first_night(nights: Iterable[str]) -> str:
    """Since when evidence has been coming in; "" while none has."""
    return min(nights, default="")


def decided_at(n: int, line: EvidenceLine) -> Decided:
    """The decision that fell with this line."""
    return Decided(n=n, night=line.night)
