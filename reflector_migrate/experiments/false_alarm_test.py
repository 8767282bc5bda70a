"""Whether an unaltered candidate is flagged more often than legacy is beside itself.

Each trial has one primary, one secondary and one candidate run of a recording, both
of the latter judged against the primary by the same floors. Were the candidate just
another legacy run, it would be as likely as the secondary to be the one that is
flagged alone: an exact binomial test (McNemar 1947), in which what the trial's
recording and primary do to both cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from reflector_migrate.model import Check, Comparison, Frozen, GateVerdict, Verdict

ALPHA = 0.05
MIN_TRIALS = 60
ALARMS = (Verdict.DIVERGED, Verdict.ERRORED)


class Alarm(Frozen):
    """A check that flagged an unaltered run."""

    recording: str
    side: Literal["legacy", "candidate"]
    check: str
    rule: str
    value: float | None
    limit: float | None
    n: int
    why: str


class Tally(Frozen):
    """Verdicts of trials: how many runs were flagged, on which side, in how many trials alone."""

    trials: int
    lost: int
    legacy_flagged: int
    candidate_flagged: int
    only_legacy: int
    only_candidate: int
    verdicts: dict[str, dict[str, int]]
    alarms: tuple[Alarm, ...]

    @property
    def p_value(self) -> float:
        """Chance of so many candidates flagged alone, were they legacy runs; 1 with none."""
        from scipy.stats import binomtest

        alone = self.only_candidate + self.only_legacy
        if not alone:
            return 1.0
        return float(binomtest(self.only_candidate, alone, 0.5, alternative="greater").pvalue)

    def shares(self, side: Literal["legacy", "candidate"]) -> tuple[float, float, float]:
        """Flagged share of that side and its exact 95 % interval (Clopper and Pearson 1934)."""
        from scipy.stats import binomtest

        flagged = self.legacy_flagged if side == "legacy" else self.candidate_flagged
        bounds = binomtest(flagged, max(self.trials, 1)).proportion_ci(0.95, "exact")
        return flagged / max(self.trials, 1), float(bounds.low), float(bounds.high)


class Trial(NamedTuple):
    """One recording: its secondary and its candidate, each judged against its primary."""

    recording: str
    legacy: Comparison
    candidate: Comparison


def tally(trials: Sequence[Trial], lost: int) -> Tally:
    """Count the flagged; a trial that was lost is counted as lost and nothing else."""
    flags = [(is_alarm(trial.legacy), is_alarm(trial.candidate)) for trial in trials]
    return Tally(
        trials=len(trials),
        lost=lost,
        legacy_flagged=sum(legacy for legacy, _ in flags),
        candidate_flagged=sum(candidate for _, candidate in flags),
        only_legacy=sum(legacy and not candidate for legacy, candidate in flags),
        only_candidate=sum(candidate and not legacy for legacy, candidate in flags),
        verdicts={
            "legacy": _verdicts([trial.legacy for trial in trials]),
            "candidate": _verdicts([trial.candidate for trial in trials]),
        },
        alarms=tuple(alarm for trial in trials for alarm in _alarms(trial)),
    )


def judge_noisy(found: Tally, min_trials: int = MIN_TRIALS) -> tuple[GateVerdict, str]:
    """With noise on: FAIL when the candidate is flagged more often beyond chance.

    A lost trial may have been lost to a fault: with one there is no PASS.
    """
    if found.p_value < ALPHA:
        alone = f"{found.only_candidate} alone against {found.only_legacy}"
        why = f"the candidate is flagged more often than legacy: {alone}, p = {found.p_value:.2g}"
        return GateVerdict.FAIL, why
    if found.trials < min_trials:
        return GateVerdict.INCONCLUSIVE, f"{found.trials} trials of {min_trials}"
    if found.lost:
        return GateVerdict.INCONCLUSIVE, f"{found.lost} of {found.trials + found.lost} trials lost"
    return GateVerdict.PASS, f"p = {found.p_value:.2g}"


def judge_quiet(found: Tally) -> tuple[GateVerdict, str]:
    """With noise off: nothing may differ at all, on either side."""
    unequal = {
        f"{side} {verdict}"
        for side, verdicts in found.verdicts.items()
        for verdict in verdicts
        if verdict != Verdict.MATCHED
    }
    if unequal:
        return GateVerdict.FAIL, f"with noise off: {', '.join(sorted(unequal))}"
    if not found.trials or found.lost:
        return GateVerdict.INCONCLUSIVE, f"{found.trials} trials without noise, {found.lost} lost"
    return GateVerdict.PASS, "none without noise"


def is_alarm(comparison: Comparison) -> bool:
    """A verdict against an unaltered run."""
    return comparison.verdict in ALARMS


def _verdicts(comparisons: Sequence[Comparison]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for comparison in comparisons:
        counts[comparison.verdict.value] = counts.get(comparison.verdict.value, 0) + 1
    return counts


def _alarms(trial: Trial) -> list[Alarm]:
    sides: tuple[tuple[Literal["legacy", "candidate"], Comparison], ...]
    sides = (("legacy", trial.legacy), ("candidate", trial.candidate))
    return [
        _alarm(trial.recording, side, check)
        for side, comparison in sides
        for check in comparison.checks
        if check.verdict in ALARMS and check.rule != "informational"
    ]


def _alarm(recording: str, side: Literal["legacy", "candidate"], check: Check) -> Alarm:
    findings = check.measure.findings if check.measure else ()
    kinds = sorted({finding.path for finding in findings})
    return Alarm(
        recording=recording,
        side=side,
        check=check.name,
        rule=check.rule,
        value=check.value,
        limit=check.limit,
        n=check.n,
        why="; ".join([*([check.note] if check.note else []), *kinds]),
    )
