"""Items about the past: nights by primary, waivers still in force."""

from __future__ import annotations

from itertools import groupby

from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.harness import Harness
from reflector_migrate.model import Engine

NIGHTS = 14


def nights_with_roles_reversed(harness: Harness) -> Answer:
    """How many nights up to the newest had Conductor as the primary of every comparison."""
    nights = [night for night, _ in groupby(harness.evidence.nights(), lambda n: n[0])]
    number, why = 0, "no night is stored"
    for night in reversed(nights):
        gists = harness.nights.of(night)
        by_celery = [g.recording for g in gists if g.primary_engine != Engine.CONDUCTOR.value]
        if by_celery:
            why = f"{night}: {len(by_celery)} of {len(gists)} had Celery as the primary"
            break
        number += 1
        if number == NIGHTS:
            return passed(f"{number} nights", f"≥ {NIGHTS}", number)
        why = f"{NIGHTS - number} nights to go"
    return pending(why, f"{number} nights", f"≥ {NIGHTS}", number)


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
