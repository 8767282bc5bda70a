"""Items about who ran what: rooms that take part, nights by primary, waivers still in force."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby

from reflector_migrate.cutover.items import Answer, failed, judged, passed, pending
from reflector_migrate.harness import Harness
from reflector_migrate.model import Engine
from reflector_migrate.settings import Settings

DAYS = NIGHTS = 14


def rooms_took_part(settings: Settings) -> Answer:
    """No run was started of a room that `shadow.rooms` does not name; empty, it names all."""
    from reflector_migrate.store.clock import now

    until, limit = now(), "0 of other rooms"
    found = Harness.of(settings).runs.claimed_between(until - timedelta(days=DAYS), until)
    started = [run for run in found if run.started_at is not None]
    if not started:
        return pending(f"no run was started in {DAYS} days", "0 runs", limit, 0)
    rooms = settings.shadow.rooms
    strays = [run for run in started if rooms and run.inputs.get("room_name") not in rooms]
    why = ", ".join(f"{r.recording_id} of {r.inputs.get('room_name') or '-'}" for r in strays[:3])
    of_strays = tuple(run.recording_id for run in strays)
    return judged(
        not strays, f"{len(strays)} of other rooms", limit, len(started), why, recordings=of_strays
    )


def nights_with_roles_reversed(settings: Settings) -> Answer:
    """How many nights up to the newest had Conductor as the primary of every comparison."""
    nights = [night for night, _ in groupby(Harness.of(settings).evidence.nights(), lambda n: n[0])]
    number, why = 0, "no night is stored"
    for night in reversed(nights):
        gists = Harness.of(settings).nights.of(night)
        by_celery = [g.recording for g in gists if g.primary_engine != Engine.CONDUCTOR.value]
        if by_celery:
            why = f"{night}: {len(by_celery)} of {len(gists)} had Celery as the primary"
            break
        number += 1
        if number == NIGHTS:
            return passed(f"{number} nights", f"≥ {NIGHTS}", number)
        why = f"{NIGHTS - number} nights to go"
    return pending(why, f"{number} nights", f"≥ {NIGHTS}", number)


def waivers_have_expired(settings: Settings) -> Answer:
    """No granted waiver is in force; known legacy defects are no waivers."""
    from reflector_migrate.shadow.waiver_files import read_waivers
    from reflector_migrate.store.clock import now

    path = settings.judge.waivers_file
    granted = () if path is None else read_waivers(path)
    today = now().date()
    in_force = [
        w for w in granted if not w.is_improvement and (w.expiry is None or w.expiry >= today)
    ]
    value, limit = f"{len(in_force)} in force", "0 in force"
    if in_force:
        return failed(value, limit, len(granted), ", ".join(w.path for w in in_force[:3]))
    return passed(value, limit, len(granted))
