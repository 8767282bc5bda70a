"""Cohorts of evidence with known truth, and the rules that ship."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from importlib import resources
from typing import Any

import numpy as np

from reflector_migrate.judge.gates.answers import GateAnswer, GateRun
from reflector_migrate.judge.gates.evidence import EvidenceLine, Outcome
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.rules import Rules, read_rules

TEXT = resources.files("reflector_migrate.judge.gates").joinpath("rules.toml").read_text("utf-8")
RULES = read_rules(TEXT, "rules.toml")
BUILDS = {"primary": "legacy-1", "candidate": "candidate-1"}
STRATA = [f"tracks:{t} length:{m}" for t in ("1", "2-4", "5+") for m in ("short", "medium", "long")]
OK = Outcome(primary="completed", candidate="completed")


def night_of(index: int, per_night: int = 10) -> str:
    """The date of the night in which a cohort's recording of that number ran."""
    return (date(2026, 3, 1) + timedelta(days=index // per_night)).isoformat()


def line(index: int, measure: str = "words", **said: Any) -> EvidenceLine:
    """A line of the recording of that number; its stratum goes around all declared ones."""
    defaults: dict[str, Any] = {
        "recording": f"rec-{index:04}", "night": night_of(index), "measure": measure,
        "stratum": STRATA[index % len(STRATA)], "builds": BUILDS,
    }  # fmt: skip
    return EvidenceLine(**{**defaults, **said})


def excess(values: Iterable[float], measure: str = "words", **said: Any) -> list[EvidenceLine]:
    """One line a value, in the order given."""
    return [line(i, measure, x_pp=float(x), **said) for i, x in enumerate(values)]


def normal(mean: float, sd: float, n: int, seed: int = 1) -> list[float]:
    """So many values of a fixed seed, within what an excess can be."""
    found = np.random.default_rng(seed).normal(mean, sd, n)
    return [float(x) for x in np.clip(found, -100, 100)]


def whole(n: int, rules: Rules = RULES) -> list[EvidenceLine]:
    """Every line that an equal candidate's n recordings give to the gates of the rules."""
    lines = []
    for rule in rules.gates:
        for measure in rule.measures:
            values = normal(0, (rule.sd or 1) / 2, n, seed=len(measure))
            for i in range(n):
                said: dict[str, Any] = {
                    "exact": {"exact_findings": 0},
                    "completion": {"outcome": OK},
                    "mean": {"x_pp": values[i]},
                    "ratio": {"log_ratio": values[i] / 100},
                    "parity": {"outcome": OK},
                    "catastrophes": {"catastrophe": ""},
                    "coverage": {"coverage": "compared"},
                }[rule.kind]
                if not measure.endswith("/*"):
                    lines.append(line(i, measure, **said))
    return lines


def gate(run: GateRun, name: str, stratum: str = "all", layer: str | None = None) -> GateAnswer:
    """The one answer of that gate in that stratum."""
    found = [
        answer
        for answer in run.gates
        if (answer.gate, answer.stratum) == (name, stratum) and layer in (None, answer.layer)
    ]
    assert len(found) == 1, [(answer.gate, answer.stratum) for answer in found]
    return found[0]


def answered(lines: list[EvidenceLine], name: str, stratum: str = "all") -> GateAnswer:
    """What one gate of the shipped rules answers to these lines alone."""
    return gate(judge(lines, RULES), name, stratum)
