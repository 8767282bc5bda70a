"""The recordings table: one frozen row a recording, and all of them as packed columns."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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

_LETTER_OF = {verdict.value: letter for verdict, letter in LETTERS.items()}
_OUTCOME_OF = {"completed": "ok", "failed": "err", "timed_out": "err"}


@dataclass(frozen=True, slots=True)
class Row:
    """One recording in the table; rates in [0, 1], durations in seconds, money in micro-dollars.

    `checks` is a letter a check in the order of `check_names`; it holds no words.
    """

    recording: str
    title: str
    verdict: Verdict
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
    return _LETTER_OF[check.verdict.value]


def _has_critical(check: Check) -> bool:
    return check.measure is not None and any(
        finding.severity == "critical" and not finding.waiver for finding in check.measure.findings
    )


def _tags(comparison: Comparison, letters: list[str]) -> str:
    found = [comparison.language or ""]
    found.append("waived" if "W" in letters else "")
    found.append("secondary" if comparison.secondary is not None else "")
    found.append("nofloor" if any(c.rule == "no-floor" for c in comparison.checks) else "")
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


def columns(found: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """The rows as columns of JSON: small when packed, quick to read."""
    steps = sorted({row.step for row in found})
    step_at = {step: position for position, step in enumerate(steps)}
    outcomes = [f"{a}/{b}" for a in OUTCOMES for b in OUTCOMES]
    return {
        "verdicts": [verdict.value for verdict in ORDER],
        "checks": list(names),
        "steps": steps,
        "outcomes": outcomes,
        "recording": [row.recording for row in found],
        "title": [row.title for row in found] if any(row.title for row in found) else [],
        "verdict": [ORDER.index(row.verdict) for row in found],
        "step": [step_at[row.step] for row in found],
        "words": [_share(row.words) for row in found],
        "speakers": [_share(row.speakers) for row in found],
        "failing": [row.failing for row in found],
        "critical": [row.critical for row in found],
        "length": [_tenths(row.duration_s) for row in found],
        "tracks": [row.tracks for row in found],
        "outcome": [outcomes.index(row.outcome) for row in found],
        "primary": [_tenths(row.primary_s) for row in found],
        "candidate": [_tenths(row.candidate_s) for row in found],
        "primary_cost": [row.primary_cost for row in found],
        "candidate_cost": [row.candidate_cost for row in found],
        "letters": [row.checks for row in found],
        "tags": [row.tags for row in found],
    }


def _share(rate: float | None) -> int | None:
    """In hundred-thousandths; above 0 never becomes 0."""
    return None if rate is None else (max(1, round(rate * 100_000)) if rate > 0 else 0)


def _tenths(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 10)


def packed(value: Any) -> str:
    """JSON, gzip, base64; the same value gives the same text."""
    raw = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    press = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: a gzip header, without clock or name
    body = press.compress(raw.encode("utf-8", "backslashreplace")) + press.flush()
    return base64.b64encode(body).decode("ascii")
