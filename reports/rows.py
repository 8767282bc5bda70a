"""The recordings table: one frozen row a recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reflector_migrate.model import Check, Comparison, Side, Verdict
from reports.text import visible

LETTERS = {
    Verdict.DIVERGED: "D",
    Verdict.ERRORED: "E",
    Verdict.INCONCLUSIVE: "I",
    Verdict.WAIVED: "W",
    Verdict.WITHIN_NOISE: "N",
    Verdict.MATCHED: "M",
}
INFORMATIONAL = "-"
ABSENT = "."
ORDER = list(Verdict)
OUTCOMES = ("ok", "err", "missing")

_OUTCOME_OF = {"completed": "ok", "failed": "err", "timed_out": "err"}


class Row(NamedTuple):
    """One recording in the table; rates in [0, 1], durations in seconds, money in micro-dollars.

    `sign` is the verdict's letter; `checks` a letter a check in the order of `check_names`.
    """

    recording: str
    title: str
    verdict: Verdict
    sign: str
    step: str
    words: float | None
    speakers: float | None
    failing: int
    critical: int
    duration_s: float | None
    tracks: int | None
    outcome: str
    primary_s: float | None
    candidate_s: float | None
    primary_cost: int | None
    candidate_cost: int | None
    checks: str
    tags: str

    @property
    def badness(self) -> tuple[int, int, int, float, str]:
        """Sorts the worst first; the recording's name breaks ties."""
        rank = ORDER.index(self.verdict)
        return (rank, -self.critical, -self.failing, -(self.words or 0.0), self.recording)


def check_names(comparisons: Iterable[Comparison]) -> tuple[str, ...]:
    """Every check of the night, in the order in which they are first met."""
    seen: dict[str, None] = {}
    for comparison in comparisons:
        for check in comparison.checks:
            seen[check.name] = None
    return tuple(seen)


def rows(comparisons: Sequence[Comparison], names: Sequence[str]) -> tuple[Row, ...]:
    """A row a comparison, in the order given."""
    place = {name: position for position, name in enumerate(names)}
    return tuple(_row(comparison, place) for comparison in comparisons)


def _row(comparison: Comparison, place: dict[str, int]) -> Row:
    letters = [ABSENT] * len(place)
    failing = critical = 0
    rate: dict[str, float | None] = {}
    for check in comparison.checks:
        letter = _letter(check)
        letters[place[check.name]] = letter
        if letter in "DE":
            failing += 1
            critical += _has_critical(check)
        if check.name in {"words", "speaker_words"}:
            rate[check.name] = check.measure.divergence if check.measure else None
    blame = comparison.first_divergent_step
    primary, candidate = comparison.primary, comparison.candidate
    return Row(
        recording=visible(comparison.recording),
        title=visible(comparison.title),
        verdict=comparison.verdict,
        sign=LETTERS[comparison.verdict],
        step=visible(blame.step) if blame else "",
        words=rate.get("words"),
        speakers=rate.get("speaker_words"),
        failing=failing,
        critical=critical,
        duration_s=comparison.duration_s,
        tracks=comparison.track_count,
        outcome=f"{outcome(primary)}/{outcome(candidate)}",
        primary_s=wall_s(primary),
        candidate_s=wall_s(candidate),
        primary_cost=primary.cost_microdollars,
        candidate_cost=candidate.cost_microdollars,
        checks="".join(letters),
        tags=_tags(comparison, letters),
    )


def _letter(check: Check) -> str:
    if check.measure is not None and check.measure.kind == "informational":
        return INFORMATIONAL
    return LETTERS[check.verdict]


def _has_critical(check: Check) -> bool:
    return check.measure is not None and any(
        finding.severity == "critical" and not finding.waiver for finding in check.measure.findings
    )


def _tags(comparison: Comparison, letters: list[str]) -> str:
    found = [comparison.language or ""]
    found.append("waived" if "W" in letters else "")
    found.append("secondary" if comparison.secondary is not None else "")
    found.append("nofloor" if "no-floor" in [c.rule for c in comparison.checks] else "")
    one_sided = outcome(comparison.primary) != outcome(comparison.candidate)
    found.append("onesided" if one_sided else "")
    return visible(" ".join(tag for tag in found if tag))


def outcome(side: Side) -> str:
    """ok, err, or missing: what became of the run."""
    return _OUTCOME_OF.get(side.status, "missing")


def wall_s(side: Side) -> float | None:
    """Seconds from start to end; None while either is unknown."""
    if side.started is None or side.ended is None:
        return None
    return (side.ended - side.started).total_seconds()
