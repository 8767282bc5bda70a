"""Drills of the way back and of the fallback, against the deployment's own broker and starter.

Both leave the routes as they were. No recording is announced: the fallback is tried with a
transcript that does not exist, so a drill makes no engine serve anything.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from reflector_migrate.conductor.live_claims import claims_of
from reflector_migrate.cutover import routes
from reflector_migrate.cutover.drills import Drilled, record_drill
from reflector_migrate.cutover.handover import broker_errors
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Route
from reflector_migrate.plugin.reflector_claim import QUEUE, START, Claim
from reflector_migrate.plugin.reflector_route_table import LEGACY_ROUTES, Table, decide
from reflector_migrate.shadow.decisions import this_user

LOOK_S = 0.05
WHO = "drill"
SAMPLE = tuple(f"sample-{number}" for number in range(100))
"""Transcripts, of every share, that the way back is asked about."""

Send = Callable[[Harness, dict[str, str | list[str]]], None]


def drill_rollback(harness: Harness, *, who: str = "") -> Drilled:
    """Send everything back for real, see what workers decide then, and restore the routes.

    For some seconds legacy serves every new recording. RefusedError while a back file is there.
    """
    before, begun = routes.in_force(harness), time.monotonic()
    path = harness.settings.route.back_file
    if path is None or path.exists():
        said = "route.back_file is not set" if path is None else f"{path} is there already"
        raise RefusedError(said, hint="a drill of the way back begins with routes in force")
    try:
        sent = routes.send_back(harness, WHO, "a drill of the way back")
        back_s = time.monotonic() - begun
        by_file, by_table = _all_legacy(None, is_back=path.exists()), _published(harness)
    finally:
        path.unlink(missing_ok=True)
        routes.change(harness, before, WHO, "the drill is over", "the routes before the drill")
    places = {"file": by_file, "table": _all_legacy(by_table, is_back=False), "log": True}
    wrong = [name for name, is_right in places.items() if not is_right] + list(sent.faults)
    seen = f"not by {'; '.join(wrong)}" if wrong else f"file and table each within {back_s:.1f} s"
    return _kept(harness, Drilled("rollback", not wrong, seen, "", _took(begun)), who)


def drill_failover(
    harness: Harness, send: Send, timeout_s: float = 10.0, *, who: str = ""
) -> Drilled:
    """Ask for a workflow that cannot be started, and see its claim go to legacy at once.

    The deployment's starter must refuse it. Without a starter nothing refuses, and legacy takes
    the claim when the time is up: that fails the drill, as every recording would wait so long.
    """
    transcript, token, task = (f"{WHO}-{uuid.uuid4()}" for _ in range(3))
    message: dict[str, str | list[str]] = {
        "transcript_id": transcript, "bucket_name": WHO, "track_keys": [f"{WHO}/{WHO}-1/track"],
        "token": token, "task_id": task, "route": Route.CONDUCTOR_FALLBACK.value,
    }  # fmt: skip
    begun = time.monotonic()
    with broker_errors():
        claims = claims_of(harness)
        claims.ask(
            transcript, token, task_id=task, route=Route.CONDUCTOR_FALLBACK.value,
            at=time.time(), queue=QUEUE, message=b"",
        )  # fmt: skip
    send(harness, message)
    refused = _refused(harness, transcript, begun + timeout_s)
    reason = refused.refused if refused else f"no starter refused it within {timeout_s:g} s"
    with broker_errors():
        other = claims.take_for_legacy(
            transcript, f"{token}-legacy", task_id=task, reason=reason, at=time.time(), of=token
        )
        is_late_fenced = not claims.hold(transcript, token, "late", is_end=False)
        claims.remove(transcript)
    is_passed = refused is not None and other is None and is_late_fenced
    return _kept(harness, Drilled("failover", is_passed, reason, "", _took(begun)), who)


def send_start(harness: Harness, message: dict[str, str | list[str]]) -> None:
    """Queue it for the starter, as the plugin does."""
    from kombu.exceptions import OperationalError

    from reflector_migrate.errors import ServerUnreachableError

    with harness.broker() as app:
        try:
            app.send_task(START, kwargs={"message": message}, queue=QUEUE, retry=False)
        except OperationalError as error:
            said = f"the broker does not answer: {type(error).__name__}"
            raise ServerUnreachableError(said) from error


def _published(harness: Harness) -> Table | None:
    return routes.published(harness).table


def _all_legacy(table: Table | None, *, is_back: bool) -> bool:
    if table is None and not is_back:
        return False
    found = (decide(table, name, "", is_back=is_back).route for name in SAMPLE)
    return all(route in LEGACY_ROUTES for route in found)


def _refused(harness: Harness, transcript: str, deadline: float) -> Claim | None:
    while time.monotonic() < deadline:
        with broker_errors():
            found = claims_of(harness).look(transcript)
        if found is not None and found.refused:
            return found
        time.sleep(LOOK_S)
    return None


def _took(begun: float) -> float:
    return round(time.monotonic() - begun, 1)


def _kept(harness: Harness, found: Drilled, who: str) -> Drilled:
    record_drill(harness, found, who or this_user())
    return found
