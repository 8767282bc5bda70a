"""One recording in full: what its drawer shows, ready for a template."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from reflector_migrate.model import Check, Comparison, Finding, Side, Turn, Verdict
from reflector_migrate.model.comparison_index import wall_s
from reports import figures
from reports.charts import Chart
from reports.differences import example
from reports.medians import Lane, chart_of, lanes_of

FINDINGS = 5
COLOURS = 8
LONG = 40
"""Letters from which on a reason is not repeated."""
AS_ALLOWED = "as allowed"
"""Both sides differ by what a check allows: captions as their own words, recorded messages."""
_FINE = {Verdict.MATCHED.value, Verdict.WITHIN_NOISE.value, "INFO"}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check as shown. state is a verdict's name, or INFO for what never enters a verdict."""

    name: str
    state: str
    primary: str
    candidate: str
    delta: str
    limit: str
    rule: str
    remarks: tuple[str, ...]
    hidden: int
    traceback: str

    @property
    def is_against(self) -> bool:
        """Neither fine nor mere information."""
        return self.state not in _FINE

    @property
    def has_reason(self) -> bool:
        """Whether anything is said below its numbers."""
        return self.is_against or bool(self.remarks or self.hidden or self.traceback)


@dataclass(frozen=True, slots=True)
class TurnLine:
    """A stretch of word diff; colour is 0 to 7 by speaker, or "none"."""

    at: str
    who: str
    colour: str
    diff: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SideLine:
    """Who ran, when, and how it ended."""

    side: Side
    wall_s: float | None


@dataclass(frozen=True, slots=True)
class Drawer:
    """Everything about one recording that a page shows."""

    comparison: Comparison
    sides: tuple[SideLine, ...]
    checks: tuple[CheckLine, ...]
    lanes: tuple[Lane, ...]
    chart: Chart | None
    turns: tuple[TurnLine, ...]

    @property
    def against(self) -> tuple[CheckLine, ...]:
        """The checks that are not fine."""
        return tuple(check for check in self.checks if check.is_against)


def drawer(comparison: Comparison) -> Drawer:
    """The drawer of one recording."""
    lanes = lanes_of(comparison)
    checks = sorted(map(_check, comparison.checks), key=_rank)
    sides = (comparison.primary, comparison.candidate, comparison.secondary)
    return Drawer(
        comparison=comparison,
        sides=tuple(SideLine(side, wall_s(side)) for side in sides if side is not None),
        checks=tuple(_said_once(checks)),
        lanes=lanes,
        chart=chart_of(comparison, lanes) if lanes else None,
        turns=tuple(_turn(turn) for turn in comparison.turns),
    )


def _said_once(lines: Iterable[CheckLine]) -> Iterator[CheckLine]:
    """A reason that several checks have in full at the first, and by that check's name after."""
    first: dict[str, str] = {}
    for line in lines:
        for remark in line.remarks:
            first.setdefault(remark, line.name)
        said = (
            r if first[r] == line.name or len(r) < LONG else f"as for {first[r]}".replace("_", " ")
            for r in line.remarks
        )
        yield replace(line, remarks=tuple(dict.fromkeys(said)))


def _rank(line: CheckLine) -> int:
    """The worst verdict first; what enters no verdict last."""
    return len(Verdict) if line.state == "INFO" else list(Verdict).index(Verdict(line.state))


def _check(check: Check) -> CheckLine:
    measure = check.measure
    is_information = measure is not None and measure.kind == "informational"
    findings = measure.findings if measure else ()
    hidden = max(0, len(findings) - FINDINGS) + (measure.findings_truncated if measure else 0)
    note = "" if is_information else check.note
    texts = (note, repeats(check), measure.note if measure else "")
    notes = [note for note in texts if note]
    return CheckLine(
        name=check.name,
        state="INFO" if is_information else check.verdict.value,
        primary=measure.reference_text if measure else "",
        candidate=measure.hypothesis_text if measure else "",
        delta=delta(check),
        limit=limit(check),
        rule=check.rule,
        remarks=(*notes, *(remark(finding) for finding in findings[:FINDINGS])),
        hidden=hidden,
        traceback=(check.traceback or "").strip().rpartition("\n")[2],
    )


def repeats(check: Check) -> str:
    """What a second run of legacy shows: its own difference, the candidate's from it, the excess.

    The shift, where a second candidate ran.
    """
    has_any = any((check.value, check.between_legacy, check.from_secondary))
    if check.between_legacy is None or check.from_secondary is None or not has_any:
        return ""
    pair, other = figures.percent(check.between_legacy), figures.percent(check.from_secondary)
    said = f"legacy differs from itself by {pair}, its second run from the candidate by {other}"
    said += "" if check.excess is None else f", excess {figures.points(check.excess)}"
    return said + ("" if check.shift is None else f", shift {figures.points(check.shift)}")


def delta(check: Check) -> str:
    """How far apart: a share for graded measures, a number for exact ones; of times, the change.

    Two unequal amounts without an error are not shown as `same`.
    """
    measure = check.measure
    if measure is None:
        return "-"
    if measure.kind == "informational":
        log_ratio = measure.stats.get("log_ratio_wall")
        change = None if log_ratio is None else round(math.exp(log_ratio) - 1, 2)
        return "-" if change is None else f"{change + 0.0:+.0%}"
    if not measure.errors:
        is_equal = measure.reference_text == measure.hypothesis_text
        return ("same" if is_equal else AS_ALLOWED) if measure.length else "-"
    if measure.kind == "exact":
        return figures.count(measure.errors)
    return figures.percent(measure.divergence)


def limit(check: Check) -> str:
    """What is allowed: the A/A floor and the limit over it, or equality."""
    if check.measure is not None and check.measure.kind == "exact":
        return "equal"
    if check.limit is None:
        return "-"
    return f"p99 {figures.percent(check.floor)} / {figures.percent(check.limit)}, n {check.n}"


def remark(finding: Finding) -> str:
    """`02:41 path kind: reference → hypothesis`, and who waived it."""
    at = f"{figures.clock(finding.at_s)} " if finding.at_s is not None else ""
    is_said = finding.kind == "changed" or finding.path.endswith(f"/{finding.kind}")
    kind = "" if is_said else f" {finding.kind}"
    waived = f" [waived: {finding.waiver}]" if finding.waiver else ""
    shown = example(finding)
    return f"{at}{finding.path}{kind}{f': {shown}' if shown else ''}{waived}"


def _turn(turn: Turn) -> TurnLine:
    number = "?" if turn.speaker is None else str(turn.speaker)
    colour = "none" if turn.speaker is None else str(turn.speaker % COLOURS)
    who = turn.speaker_name or f"Speaker {number}"
    return TurnLine(figures.clock(turn.at_s), who, colour, turn.diff)
