"""The tripwire: what speaks against Conductor while it serves recordings, and what that does.

With `cutover.auto_rollback = propose` a regression stands in the audit log, and closes the next
step until the routes change. With `on` it sends everything back, and with `off` it does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from reflector_migrate.cutover import routes
from reflector_migrate.cutover.canary import PROPOSAL, Position, position
from reflector_migrate.harness import Harness
from reflector_migrate.model import Engine, Gist, Verdict
from reflector_migrate.shadow.decisions import record
from reflector_migrate.store.clock import now

WHO = "tripwire"


def regression(at: Position, gists: Sequence[Gist]) -> str:
    """Why Conductor should serve less, as one sentence; empty if nothing says so. Pure.

    `gists` are the comparisons since this step was taken. Those with Conductor as the primary
    are of recordings that legacy shadows.
    """
    if at.share == 0:
        return ""
    if at.served.failed:
        return f"Conductor failed {', '.join(at.served.failed[:3])}"
    diverged = [
        gist.recording
        for gist in gists
        if gist.primary_engine == Engine.CONDUCTOR.value and gist.verdict == Verdict.DIVERGED
    ]
    return f"legacy's shadow diverged on {', '.join(diverged[:3])}" if diverged else ""


def watch(harness: Harness) -> str:
    """Look for a regression, and do what the settings say, once; returns what was found."""
    if harness.settings.cutover.auto_rollback == "off":
        return ""
    at = position(harness)
    if at.since is None or at.is_back or at.proposal:
        return ""
    found = regression(at, _since(harness, at.since.date()))
    if not found:
        return ""
    seen = {"why": found, "share": at.share}
    record(harness, PROPOSAL, seen, who=WHO, evidence=seen)
    if harness.settings.cutover.auto_rollback == "on":
        routes.send_back(harness, WHO, found)
    return found


def _since(harness: Harness, day: date) -> list[Gist]:
    nights, today = harness.nights, now().date()
    days = [day + timedelta(days=n) for n in range((today - day).days + 1)]
    return [gist for one in days for gist in nights.of(one.isoformat())]
