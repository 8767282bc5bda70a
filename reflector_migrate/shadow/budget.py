"""Whether another run of the candidate's would exceed a day's budget; if so, it waits.

What finished runs used counts, and of a running one what it has used so far, but at least the
average of the last known runs: it is expected to use as much.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reflector_migrate.errors import MigrateError, UnreadableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import StepRun, Usage
from reflector_migrate.model.run_life import IN_FLIGHT
from reflector_migrate.pricing import cost_of, price_on
from reflector_migrate.settings import Price, ShadowSettings
from reflector_migrate.shadow.observe import attempts
from reflector_migrate.store.runs import RunRecord

log = logging.getLogger(__name__)

LAST = 20
"""So many known runs make the average."""

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Spending:
    """What was used today, what running ones have used so far, and what the last known runs did."""

    finished: tuple[Usage, ...]
    running: tuple[Usage, ...]
    known: tuple[Usage, ...]


def has_budget(bounds: ShadowSettings) -> bool:
    """Whether any is set."""
    return any(limit is not None for limit in _limits(bounds).values())


def why_over(bounds: ShadowSettings, spending: Spending, price: Price | None) -> str | None:
    """Why no run may be started today, or None. Pure.

    Until one run is known, they are started one at a time.
    """
    if not spending.known and spending.running:
        return "over budget: what a run uses is not known before the first one has ended"
    for key, limit in _limits(bounds).items():
        if limit is None:
            continue
        groups = (spending.known, spending.finished, spending.running)
        amounts = [[_amount(key, used, price) for used in group] for group in groups]
        if any(None in group for group in amounts):
            return f"over budget: shadow.{key} needs [[prices]] of all that a run uses"
        known, finished, running = ([one or 0.0 for one in group] for group in amounts)
        mean = sum(known) / len(known) if known else 0.0
        spent = sum(finished) + sum(max(so_far, mean) for so_far in running)
        if spent + mean > limit or spent >= limit:
            said = f"{spent:.4g} used today and {mean:.4g} for another run"
            return f"over budget: shadow.{key} = {limit:g}, {said}; waits for tomorrow (UTC)"
    return None


def _limits(bounds: ShadowSettings) -> dict[str, float | None]:
    return {
        "budget_usd_per_day": bounds.budget_usd_per_day,
        "budget_gpu_seconds_per_day": bounds.budget_gpu_seconds_per_day,
        "budget_llm_tokens_per_day": bounds.budget_llm_tokens_per_day,
    }


def _amount(key: str, used: Usage, price: Price | None) -> float | None:
    """In the limit's unit; None where a price is missing."""
    if key == "budget_gpu_seconds_per_day":
        return used.gpu_seconds
    if key == "budget_llm_tokens_per_day":
        return float(used.llm_tokens_in + used.llm_tokens_out)
    cost = cost_of(used, price).total
    return None if cost is None else cost / MICRO


def why_no_place(harness: Harness, now: datetime) -> str | None:
    """As `why_over`, by what is stored and what the server says of runs in flight."""
    if not has_budget(harness.settings.shadow):
        return None
    spending = spending_of(harness, now)
    return why_over(
        harness.settings.shadow, spending, price_on(harness.settings.prices, now.date())
    )


def spending_of(harness: Harness, now: datetime) -> Spending:
    """What steps that ended today used, whenever their runs began; and what the last runs did."""
    runs = harness.runs
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = runs.moved_since(midnight)
    finished = [used for run in today if (used := _kept(harness, run, midnight)) is not None]
    running = [_so_far(harness, run) for run in today if run.state in IN_FLIGHT]
    known = [used for run in runs.last_started(LAST) if (used := _kept(harness, run)) is not None]
    return Spending(tuple(finished), tuple(running), tuple(known))


def _so_far(harness: Harness, run: RunRecord) -> Usage:
    """What its workflow's steps have reported; nothing while the server is away."""
    from reflector_migrate.conductor.execution import read

    try:
        return _total([step.usage for step in read(harness, run.workflow_id or "").step_runs])
    except MigrateError:
        return Usage()


def _kept(harness: Harness, run: RunRecord, since: datetime | None = None) -> Usage | None:
    """Of its steps that ended since then; None where nothing is known of it.

    A step whose time was erased counts as of the run's start. What cannot be read keeps no other
    run from a place.
    """
    try:
        steps = attempts.with_kept(harness, run.run_id, ()) or _erased(harness, run)
    except UnreadableError as error:
        log.warning("run %s: its usage does not count: %s", run.run_id, error.in_full)
        return None
    if not steps:
        return None
    ends = ((step.ended or run.started_at, step.usage) for step in steps)
    return _total([used for ended, used in ends if not (since and ended and ended < since)])


def _erased(harness: Harness, run: RunRecord) -> tuple[StepRun, ...]:
    """An erased run's steps: its comparison still has what they used."""
    found = harness.evidence.comparison(run.run_id) if run.erase_at else None
    return found.candidate.steps if found else ()


def _total(parts: Sequence[Usage]) -> Usage:
    return sum(parts, start=Usage())
