"""Stored comparisons as pandas frames: for notebooks, `migrate export` and the page's trend.

Frames hold counts, times, identifiers and step names, never a word that was said or written.
In a notebook: `checks_frame(Nights(url).documents(run_ids))`. Unknown is missing, never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from reflector_migrate.judge.word_rates import word_rates
from reflector_migrate.model import Comparison, Gist, StepRun, Usage, Verdict
from reflector_migrate.pricing import Prices, cost_of, is_counted, price_on

if TYPE_CHECKING:
    import pandas as pd

TEXT, NUMBER, COUNT, MAYBE, TIME = "string", "float64", "int64", "Int64", "datetime64[ns, UTC]"

RECORDINGS: Mapping[str, str] = {
    "recording": TEXT, "run_id": TEXT, "verdict": TEXT, "language": TEXT, "duration_s": NUMBER,
    "tracks": MAYBE, "step": TEXT, "primary_engine": TEXT, "primary_build": TEXT,
    "primary_status": TEXT, "primary_s": NUMBER, "primary_cost": MAYBE, "candidate_engine": TEXT,
    "candidate_build": TEXT, "candidate_status": TEXT, "candidate_s": NUMBER,
    "candidate_cost": MAYBE, "against": COUNT, "exact": COUNT, "critical": COUNT,
    "floorless": COUNT, "words": NUMBER, "speaker_words": NUMBER,
}  # fmt: skip
"""Columns of the night frame; costs are micro-dollars, `words` and `speaker_words` divergences."""

CHECKS: Mapping[str, str] = {
    "recording": TEXT, "run_id": TEXT, "check": TEXT, "kind": TEXT, "verdict": TEXT, "rule": TEXT,
    "errors": NUMBER, "length": NUMBER, "divergence": NUMBER, "value": NUMBER, "floor": NUMBER,
    "limit": NUMBER, "pairs": COUNT, "findings": COUNT, "waived": COUNT, "hits": MAYBE,
    "substitutions": MAYBE, "deletions": MAYBE, "insertions": MAYBE, "wer": NUMBER,
    "wer_reversed": NUMBER, "mer": NUMBER, "wil": NUMBER,
}  # fmt: skip
"""Columns of the checks frame; `findings` counts those that the document leaves out too.

From `hits` on only checks that count words have values: see judge/word_rates.py.
"""

USED: Mapping[str, str] = {
    name: NUMBER if field.annotation is float else COUNT
    for name, field in Usage.model_fields.items()
    if field.annotation in {int, float}
}
STEPS: Mapping[str, str] = {
    "recording": TEXT, "run_id": TEXT, "role": TEXT, "engine": TEXT, "step": TEXT,
    "track_index": MAYBE, "attempt": COUNT, "status": TEXT, "timed": TEXT, "started": TIME,
    "ended": TIME, "wall_s": NUMBER, **USED, "microdollars": MAYBE,
}  # fmt: skip
"""Columns of the steps frame: an attempt's times, what it used, and its price where known."""


def night_frame(gists: Iterable[Gist]) -> pd.DataFrame:
    """A row for each recording, columns as in RECORDINGS."""
    return _frame(
        ({name: getattr(gist, name) for name in RECORDINGS} for gist in gists), RECORDINGS
    )


def checks_frame(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """A row for each check of each comparison, columns as in CHECKS."""
    return _frame((row for one in comparisons for row in _checks(one)), CHECKS)


def steps_frame(comparisons: Iterable[Comparison], prices: Prices = ()) -> pd.DataFrame:
    """A row for each attempt of each step on each side, columns as in STEPS."""
    return _frame((row for one in comparisons for row in _steps(one, prices)), STEPS)


def trend_frame(counted: Iterable[tuple[str, str, int]]) -> pd.DataFrame:
    """(night, verdict, count) as a row for each night, in order, and a column for each verdict."""
    import pandas as pd

    long = pd.DataFrame(list(counted), columns=["night", "verdict", "count"])
    wide = long.pivot_table(index="night", columns="verdict", values="count", aggfunc="sum")
    every = [verdict.value for verdict in Verdict]
    return wide.reindex(columns=every).fillna(0).astype(COUNT).sort_index()


def _frame(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """These columns in their order and of their types, for no rows too."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns)).astype(dict(columns))


def _checks(comparison: Comparison) -> Iterator[Mapping[str, Any]]:
    for check in comparison.checks:
        measure = check.measure
        rates = word_rates(measure)
        yield {
            "recording": comparison.recording,
            "run_id": comparison.run_id,
            "check": check.name,
            "kind": measure.kind if measure else None,
            "verdict": check.verdict.value,
            "rule": check.rule,
            "errors": measure.errors if measure else None,
            "length": measure.length if measure else None,
            "divergence": measure.divergence if measure else None,
            "value": check.value,
            "floor": check.floor,
            "limit": check.limit,
            "pairs": check.n,
            "findings": len(measure.findings) + measure.findings_truncated if measure else 0,
            "waived": check.waived,
            **(rates.model_dump() if rates else {}),
        }


def _steps(comparison: Comparison, prices: Prices) -> Iterator[Mapping[str, Any]]:
    sides = (comparison.primary, comparison.candidate, comparison.secondary)
    for side in filter(None, sides):
        price = price_on(prices, side.started.date()) if side.started else None
        is_any_counted = any(step.usage != Usage() for step in side.steps)
        for step in side.steps:
            is_known = is_any_counted and is_counted(step)
            yield {
                "recording": comparison.recording,
                "run_id": comparison.run_id,
                "role": side.role.value,
                "engine": side.engine.value,
                "step": step.name,
                "track_index": step.track_index,
                "attempt": step.attempt,
                "status": step.status,
                "timed": step.timed,
                "started": step.started,
                "ended": step.ended,
                "wall_s": _wall_s(step),
                **{name: getattr(step.usage, name) for name in USED},
                "microdollars": cost_of(step.usage, price).total if is_known else None,
            }


def _wall_s(step: StepRun) -> float | None:
    if step.started is None or step.ended is None:
        return None
    return (step.ended - step.started).total_seconds()
