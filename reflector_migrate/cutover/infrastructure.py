"""Phase infrastructure: both engines healthy, definitions registered, worlds apart."""

from __future__ import annotations

from typing import Any

from reflector_migrate.cutover.items import Answer, failed, judged, passed, unreachable
from reflector_migrate.errors import ConfigurationError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.model.primary_task import PIPELINE

PING_TIMEOUT_S = 3.0
PLUGIN = "migrate.shadow.plugin"
SWEEPS_MISSED = 3
"""So many periods after its last sweep beat is missed."""

FAILING_S = 600.0
"""A run that has failed to get on for so long is shown."""

OUR_QUEUES = {"dispatcher": "shadow", "collector": "collect"}


def conductor_is_healthy(harness: Harness) -> Answer:
    """The server's own health check answers."""
    from reflector_migrate.conductor.health import health

    found = health(harness.settings)
    if found.is_unreachable:
        return unreachable(found.reason, "healthy")
    return judged(found.is_healthy, found.version or "no answer", "healthy", why=found.reason)


def definitions_are_registered(harness: Harness) -> Answer:
    """The workflow and its 15 tasks are on the server, exactly as this build has them."""
    from reflector_migrate.conductor.register import unregistered

    found = unregistered(harness)
    return judged(not found, f"{len(found)} differ", "0 differ", why=", ".join(found[:3]))


def celery_answers(harness: Harness) -> Answer:
    """At least one worker on the primary's broker says that it has the primary's pipeline.

    Any worker answers a ping there, ours too; only that task distinguishes them.
    """
    try:
        nodes = workers_say(harness, "registered")
    except ServerUnreachableError as error:
        return unreachable(f"broker: {error.message}", "1 worker")
    theirs = [name for name, tasks in nodes.items() if any(PIPELINE in task for task in tasks)]
    why = "" if theirs else f"{len(nodes)} other workers answer, none with {PIPELINE}"
    return judged(bool(theirs), f"{len(theirs)} run the pipeline", "1 worker", len(theirs), why)


def plugin_is_loaded(harness: Harness) -> Answer:
    """Each worker that has the primary's pipeline has loaded our plugin, switched on."""
    try:
        nodes = workers_say(harness, "registered")
    except ServerUnreachableError as error:
        return failed("unreachable", "loaded", why=error.message)
    theirs = {n: tasks for n, tasks in nodes.items() if any(PIPELINE in task for task in tasks)}
    without = sorted(n for n, tasks in theirs.items() if not any(PLUGIN in task for task in tasks))
    if not harness.settings.shadow.enabled and without:
        return passed("not loaded", why="shadow.enabled is off: nothing is announced")
    why = f"not in {', '.join(without)}, or MIGRATE_SHADOW is not true there" if without else ""
    return judged(not without, f"{len(theirs) - len(without)} of {len(theirs)} workers", "all",
                  len(theirs), why)  # fmt: skip


def beat_is_alive(harness: Harness) -> Answer:
    """The last sweep is not long ago: without beat nothing lost is ever found again."""
    from reflector_migrate.shadow.messages import REPORT, SWEEP, SWEEP_S
    from reflector_migrate.store.clock import now

    if harness.settings.is_sandbox:
        return passed("none", why="a sandbox runs without beat")
    beats = harness.heartbeats
    swept, reported = beats.last(SWEEP), beats.last(REPORT)
    if swept is None:
        return failed("never", f"{SWEEP_S:.0f} s", why="no sweep was ever made")
    age_s = (now() - swept).total_seconds()
    last = f"last nightly report {reported:%Y-%m-%d %H:%M} UTC" if reported else "no report yet"
    value = f"last sweep {age_s:.0f} s ago"
    return judged(age_s < SWEEPS_MISSED * SWEEP_S, value, f"{SWEEP_S:.0f} s", why=last)


def runs_get_on(harness: Harness) -> Answer:
    """No open run has failed to get on for minutes; of the last day's ends, why those failed."""
    from collections import Counter
    from datetime import timedelta

    from reflector_migrate.store.clock import now

    runs, at = harness.runs, now()
    since = at - timedelta(seconds=FAILING_S)
    stuck = [run for run in runs.open() if run.failing_since and run.failing_since < since]
    ended = runs.claimed_between(at - timedelta(days=1), at)
    whys = Counter(
        str(run.reason) for run in (*stuck, *ended) if run.state == "failed" or run in stuck
    )
    why = "; ".join(f"{number} x {reason}" for reason, number in whys.most_common(3))
    return judged(not stuck, f"{len(stuck)} stuck", "0", len(stuck), why)


def rows_can_be_read(harness: Harness) -> Answer:
    """In the last day no row or stored document was refused by our models, on either side."""
    from datetime import timedelta

    from reflector_migrate.model import UNREADABLE
    from reflector_migrate.store.clock import now

    at = now()
    since = at - timedelta(days=1)
    failed_for = (
        f"{run.recording_id or run.transcript_id}: {run.reason}"
        for run in harness.runs.claimed_between(since, at)
        if run.state == "failed" and (run.reason or "").startswith(UNREADABLE)
    )
    found = (*harness.nights.unreadable_since(since), *failed_for)
    return judged(not found, f"{len(found)} unreadable", "0", len(found), "; ".join(found[:5]))


def links_lead_where_theirs_do(harness: Harness) -> Answer:
    """Our links begin as Reflector's own, by the last announcement that says how those do."""
    from datetime import timedelta

    from reflector_migrate.store.clock import now

    at, ours = now(), harness.settings.reflector.ui_base_url
    runs = harness.runs.claimed_between(at - timedelta(days=7), at)
    told = [str(url) for run in runs if (url := run.request.get("ui_base_url"))]
    if not told:
        return passed(ours, why="no announcement of the last week says how Reflector's begin")
    return judged(told[-1] == ours, ours, told[-1])


def queues_are_served(harness: Harness) -> Answer:
    """Our dispatcher and collector listen; without them no announcement is heard."""
    try:
        nodes = workers_say(harness, "active_queues")
    except ServerUnreachableError as error:
        return unreachable(f"broker: {error.message}", f"{len(OUR_QUEUES)} queues")
    heard = {queue["name"] for queues in nodes.values() for queue in queues}
    deaf = [worker for worker, queue in OUR_QUEUES.items() if queue not in heard]
    why = f"no {' and no '.join(deaf)} is running" if deaf else ""
    served = len(OUR_QUEUES) - len(deaf)
    return judged(not deaf, f"{served} queues", f"{len(OUR_QUEUES)} queues", served, why)


def workers_say(harness: Harness, what: str) -> dict[str, Any]:
    """What every worker on the primary's broker answers; ServerUnreachableError without one."""
    from kombu.exceptions import OperationalError
    from redis import RedisError

    bounds = {"socket_timeout": 5, "socket_connect_timeout": 5}
    try:
        with (
            harness.broker(broker_transport_options=bounds) as app,
            app.connection_for_write() as connection,
        ):
            connection.ensure_connection(max_retries=1, interval_start=0)
            ask = app.control.inspect(timeout=PING_TIMEOUT_S, connection=connection)
            return dict(getattr(ask, what)() or {})
    except (OperationalError, OSError, RedisError) as error:
        raise ServerUnreachableError(type(error).__name__) from error


def workers_are_ours(harness: Harness) -> Answer:
    """Every task queue is polled, and only by workers of this build."""
    from reflector_migrate.conductor.execution import task_queue_pollers

    pollers = task_queue_pollers(harness)
    strangers = sorted({p.worker_id for p in pollers if p.is_stranger})
    tasks = {p.task for p in pollers if not p.is_stranger}
    is_met = not strangers and len(tasks) == len(_step_names())
    return judged(
        is_met,
        f"{len(tasks)} of 15 tasks",
        "15, no unknown workers",
        why=f"of another build: {', '.join(strangers)}" if strangers else "",
    )


def namespaces_are_separate(harness: Harness) -> Answer:
    """Database, buckets and folders of the candidate are its own."""
    from reflector_migrate.shadow.snapshot import require_separate

    try:
        require_separate(harness.settings)
    except ConfigurationError as error:
        return failed("shared", "separate", why=f"{error.message}: {error.hint}")
    return passed("separate", "separate")


def effects_are_suppressed(harness: Harness) -> Answer:
    """Workers of this configuration may only write to the shadow namespace."""
    namespace = harness.settings.candidate.namespace
    return judged(namespace == "shadow", namespace, "shadow")


def _step_names() -> tuple[str, ...]:
    from reflector_migrate.model import STEP_NAMES

    return STEP_NAMES
