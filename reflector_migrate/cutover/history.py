"""Items about the past: nights that Conductor served, Celery's last run, waivers in force."""

from __future__ import annotations

from datetime import timedelta

from reflector_migrate.cutover.handover import SERVED
from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.harness import Harness
from reflector_migrate.model.primary_task import PIPELINE

NIGHTS, LOOKS_BACK = 14, 42
"""So many nights with recordings, of the last so many days."""


def nights_with_roles_reversed(harness: Harness) -> Answer:
    """How many nights up to today had each of their recordings served by Conductor.

    The primary's rows say which recordings there were, the register what Conductor served. A
    night without a recording says nothing.
    """
    from reflector_migrate.shadow.nightly.reconciliation import reconcile
    from reflector_migrate.store.clock import now

    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    number, n, limit = 0, 0, f"≥ {NIGHTS}"
    for day in (today - timedelta(days=back) for back in range(LOOKS_BACK)):
        ledger = reconcile(harness, day, day + timedelta(days=1))
        if ledger.unread:
            return pending(f"the primary's rows: {ledger.unread}", f"{number} nights", limit, n)
        by_celery = [one for one in ledger.entries if not one.reason.startswith(SERVED)]
        if by_celery:
            why = f"{day:%Y-%m-%d}: Celery had {len(by_celery)} of {len(ledger.entries)}"
            names = tuple(one.recording_id for one in by_celery)
            return pending(why, f"{number} nights", limit, n, recordings=names)
        number, n = number + bool(ledger.entries), n + len(ledger.entries)
        if number == NIGHTS:
            return passed(f"{number} nights", limit, n)
    why = f"{NIGHTS - number} nights to go" if number else f"no recording in {LOOKS_BACK} days"
    return pending(why, f"{number} nights", limit, n)


def celery_pipeline_is_unused(harness: Harness) -> Answer:
    """When the body of the primary's pipeline last ran, as the plugin in its worker timed it."""
    from reflector_migrate.store.clock import now

    since, limit = now() - timedelta(days=NIGHTS), f"not for {NIGHTS} nights"
    uses = [(at, steps) for task, steps, at in harness.spans.uses() if PIPELINE in task]
    heard = [at for at, _ in uses if at >= since]
    last = max((at for at, steps in uses if steps), default=None)
    value = f"{last:%Y-%m-%d %H:%M}" if last else "never"
    if not heard:
        why = f"the plugin has reported no task for {NIGHTS} nights"
        return pending(why, value, limit, 0)
    if last and last >= since:
        return pending("a recording took the Celery route then", value, limit, len(heard))
    if (first := min(at for at, _ in uses)) > since:
        to_go = (first - since).days + 1
        return pending(f"{to_go} nights to go", value, limit, len(heard))
    return passed(value, limit, len(heard))


def waivers_have_expired(harness: Harness) -> Answer:
    """No granted waiver is in force; known legacy defects are not waivers."""
    from reflector_migrate.shadow.waiver_files import read_waivers
    from reflector_migrate.store.clock import now

    path = harness.settings.judge.waivers_file
    granted = () if path is None else read_waivers(path)
    today = now().date()
    in_force = [
        w for w in granted if not w.is_improvement and (w.expiry is None or w.expiry >= today)
    ]
    value, limit = f"{len(in_force)} in force", "0 in force"
    if in_force:
        return failed(value, limit, len(granted), ", ".join(w.path for w in in_force[:3]))
    return passed(value, limit, len(granted))
