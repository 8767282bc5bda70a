"""One document of why a recording's verdict is what it is (migrate.explain/1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from comparators.registry import MEASURES, Measures
from reflector_migrate.judge.chain import Link, chain
from reflector_migrate.judge.word_rates import WordRates, word_rates
from reflector_migrate.model import Blame, Check, Comparison, Frozen, Turn, Verdict


class Confirmation(Frozen):
    """The candidate's step, run on the primary's input in a place of its own.

    confirmed: it gave what the primary's did not. not reproduced: it gave the same.
    cannot tell: why it could not be run, or why two runs of it say nothing.
    """

    step: str
    track_index: int | None = None
    outcome: Literal["confirmed", "not reproduced", "cannot tell"]
    why: str
    input_from: Literal["recorded", "derived", "unknown"] = "unknown"
    input_ref: str | None = None
    reference_digest: str | None = None
    hypothesis_digest: str | None = None
    differs: tuple[str, ...] = ()
    build: str = "unknown"
    defects: tuple[str, ...] = ()


class Explanation(Frozen):
    """Blame, chain of evidence in the pipeline's order, then the checks with their findings."""

    schema_: Literal["migrate.explain/1"] = Field(default="migrate.explain/1", alias="schema")
    ok: bool = True
    exit_code: int = 0
    recording: str
    run_id: str = ""
    verdict: Verdict
    first_divergent_step: Blame | None = None
    chain: tuple[Link, ...] = ()
    checks: tuple[Check, ...] = ()
    word_rates: Mapping[str, WordRates] = Field(default_factory=dict)  # by check
    turns: tuple[Turn, ...] = ()  # with the checks that have word rates
    confirmation: Confirmation | None = None
    notes: tuple[str, ...] = ()

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def explanation_of(
    comparison: Comparison,
    recording: str,
    checks: tuple[Check, ...],
    measures: Measures = MEASURES,
) -> Explanation:
    """The document of a stored comparison; `checks` are those to show."""
    rates = {check.name: word_rates(check.measure) for check in checks}
    known = {name: found for name, found in rates.items() if found is not None}
    sides = comparison.primary.steps, comparison.candidate.steps
    return Explanation(
        recording=recording,
        run_id=comparison.run_id,
        verdict=comparison.verdict,
        first_divergent_step=comparison.first_divergent_step,
        chain=chain(*sides, comparison.checks, measures),
        checks=checks,
        word_rates=known,
        turns=comparison.turns if known else (),
        notes=comparison.notes,
    )
