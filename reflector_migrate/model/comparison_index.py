"""What a night counts of one comparison, flat: ten thousand are added up without their documents.

`gist_of` is the only source of a gist. The store keeps its result in columns beside the
document it was made of; one of another VERSION is rebuilt.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from reflector_migrate.model.comparison import Check, Comparison, Side
from reflector_migrate.model.finding_groups import group_findings, groups_as_text
from reflector_migrate.model.vocabulary import Verdict

VERSION = 2
"""Encoding version. Bump it when `gist_of` changes; stored gists are then rebuilt."""

SIGNS = {
    Verdict.DIVERGED: "D",
    Verdict.ERRORED: "E",
    Verdict.INCONCLUSIVE: "I",
    Verdict.WAIVED: "W",
    Verdict.WITHIN_NOISE: "N",
    Verdict.MATCHED: "M",
}
INFORMATIONAL = "-"
USED = (
    "gpu_seconds", "llm_calls", "llm_tokens_in", "llm_tokens_out", "s3_bytes", "external_calls",
    "retries", "cache_hits",
)  # fmt: skip
GRADES = 4
"""Numbers of a graded check: divergence, floor, limit, pairs; the last three NaN without limit."""

_USED_OF = attrgetter(*USED)


class Gist(NamedTuple):
    """A comparison's counts; None for what is unknown.

    `checks` and `graded` are names, see `names_of`; `signs` has a letter for each of `checks`.
    `grades` are GRADES little-endian doubles for each of `graded`; `used` are those of
    the primary's USED, then the candidate's. `against` counts checks that diverged or broke,
    `exact` those of them that must be equal, `critical` those with a critical finding not
    waived, `floorless` checks without a floor. `told` is JSON: see finding_groups.py.
    """

    run_id: str
    recording: str
    title: str
    verdict: str
    language: str | None
    duration_s: float | None
    tracks: int | None
    step: str
    primary_engine: str
    primary_build: str
    primary_status: str
    primary_s: float | None
    primary_cost: int | None
    candidate_engine: str
    candidate_build: str
    candidate_status: str
    candidate_s: float | None
    candidate_cost: int | None
    secondary_engine: str | None
    secondary_build: str | None
    checks: str
    signs: str
    against: int
    exact: int
    critical: int
    floorless: int
    words: float | None
    speaker_words: float | None
    graded: str
    grades: bytes
    used: bytes
    told: str


def gist_of(comparison: Comparison) -> Gist:
    """All that a night counts of this document."""
    checks = comparison.checks
    blame, second = comparison.first_divergent_step, comparison.secondary
    against = [check for check in checks if is_against(check)]
    graded = [check for check in checks if _is_graded(check)]
    far = {check.name: check.measure.divergence for check in checks if check.measure}
    return Gist._make((
        comparison.run_id,
        comparison.recording,
        _kept(comparison.title),
        comparison.verdict.value,
        None if comparison.language is None else _kept(comparison.language),
        comparison.duration_s,
        comparison.track_count,
        _kept(blame.step) if blame else "",
        *_side(comparison.primary),
        *_side(comparison.candidate),
        second.engine.value if second else None,
        _kept(second.build) if second else None,
        json.dumps([check.name for check in checks]),
        "".join(map(sign_of, checks)),
        len(against),
        sum(check.measure is None or check.measure.kind == "exact" for check in against),
        sum(map(_has_critical, against)),
        sum(check.rule == "no-floor" for check in checks),
        far.get("words"),
        far.get("speaker_words"),
        json.dumps([check.name for check in graded]),
        doubles(number for check in graded for number in _grades(check)),
        doubles([*_used(comparison.primary), *_used(comparison.candidate)]),
        groups_as_text(group_findings(checks)),
    ))  # fmt: skip


def sign_of(check: Check) -> str:
    """The letter of its verdict, or that it enters none."""
    if check.measure is not None and check.measure.kind == "informational":
        return INFORMATIONAL
    return SIGNS[check.verdict]


def is_against(check: Check) -> bool:
    """Diverged or broken, and not for information only."""
    return sign_of(check) in "DE"


def wall_s(side: Side) -> float | None:
    """Seconds from start to end; None while either is unknown."""
    if side.started is None or side.ended is None:
        return None
    return (side.ended - side.started).total_seconds()


@lru_cache(maxsize=1_000)
def names_of(kept: str) -> tuple[str, ...]:
    """The checks that a gist names; those of most recordings of a night are the same."""
    return tuple(json.loads(kept))


def doubles(numbers: Iterable[float]) -> bytes:
    """Little-endian, eight bytes each."""
    values = list(numbers)
    return struct.pack(f"<{len(values)}d", *values)


def numbers_of(kept: Sequence[bytes]) -> tuple[float, ...]:
    """What `doubles` was given, of all of them one behind the other."""
    whole = b"".join(kept)
    return struct.unpack(f"<{len(whole) // 8}d", whole)


def _kept(text: str) -> str:
    """As a column can hold it: PostgreSQL has no place for NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _side(side: Side) -> tuple[Any, ...]:
    names = (side.engine.value, _kept(side.build), _kept(side.status))
    return (*names, wall_s(side), side.cost_microdollars)


def _used(side: Side) -> list[float]:
    """What all its steps used together, as in USED."""
    totals = [0.0] * len(USED)
    for step in side.steps:
        for place, number in enumerate(_USED_OF(step.usage)):
            if number:
                totals[place] += number
    return totals


def _is_graded(check: Check) -> bool:
    measure = check.measure
    return measure is not None and measure.kind == "graded" and bool(measure.length)


def _grades(check: Check) -> tuple[float, ...]:
    far = (check.measure.divergence if check.measure else None) or 0.0
    if check.limit is None:
        return (far, math.nan, math.nan, math.nan)
    return (far, check.floor or 0.0, check.limit, check.n)


def _has_critical(check: Check) -> bool:
    return check.measure is not None and any(
        finding.severity == "critical" and not finding.waiver for finding in check.measure.findings
    )
