"""Items answered from stored comparisons: coverage, exact differences, catastrophes, A/A pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reflector_migrate.cutover.items import Answer, failed, judged, passed, pending
from reflector_migrate.settings import Settings

COVERAGE_AT_LEAST = 0.99
CATASTROPHES_UNDER = 0.01
A_A_PAIRS = 30

Body = Mapping[str, Any]


def synthetic_recordings_complete(settings: Settings) -> Answer:
    """Every recording of the sandbox's folder was compared and matched."""
    from reflector_migrate.errors import InputError
    from reflector_migrate.sandbox.recordings import load_recordings

    try:
        known = load_recordings(settings.sandbox.recordings)
    except InputError as error:
        return pending(error.message)
    latest = {body["recording"]: body["verdict"] for body in _bodies(settings)}
    found = {name: latest.get(recording.recording_id) for name, recording in known.items()}
    missing = sorted(name for name, verdict in found.items() if verdict is None)
    wrong = sorted(name for name, verdict in found.items() if verdict not in (None, "MATCHED"))
    value = f"{len(known) - len(missing)} of {len(known)}"
    if wrong:
        return failed(value, "all matched", len(known), f"not matched: {', '.join(wrong[:4])}")
    if missing:
        return pending(f"not compared yet: {', '.join(missing[:4])}", value, "all", len(known))
    return passed(value, "all matched", len(known))


def a_a_recordings(settings: Settings) -> Answer:
    """Enough recordings ran twice on the primary's engine."""
    pairs = sum(body.get("secondary") is not None for body in _bodies(settings))
    if pairs >= A_A_PAIRS:
        return passed(str(pairs), f"≥ {A_A_PAIRS}", pairs)
    return pending(f"{A_A_PAIRS - pairs} to go", str(pairs), f"≥ {A_A_PAIRS}", pairs)


def coverage(settings: Settings) -> Answer:
    """Share of announced recordings, but those skipped on purpose, that were compared."""
    from datetime import UTC, datetime, timedelta

    from reflector_migrate.store.runs import Dispatches

    ever = datetime.min.replace(tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
    outcomes = Dispatches(settings.store_url).between(*ever)
    latest = {o["run_id"] or o["recording_id"]: o["outcome"] for o in outcomes}
    wanted = sum(outcome != "skipped" for outcome in latest.values())
    compared = len({body["run_id"] for body in _bodies(settings)})
    if not wanted:
        return pending("no recording was announced yet", "0", f"≥ {COVERAGE_AT_LEAST:.0%}", 0)
    share = compared / wanted
    return judged(share >= COVERAGE_AT_LEAST, f"{share:.1%}", f"≥ {COVERAGE_AT_LEAST:.0%}", wanted)


def exact_differences(settings: Settings) -> Answer:
    """No unwaived difference in anything that must be equal."""
    bodies = _bodies(settings)
    if not bodies:
        return pending("nothing was compared", limit="0", n=0)
    found = sum(_has_exact_difference(body) for body in bodies)
    return judged(found == 0, f"{found} unwaived", "0", len(bodies))


def catastrophes(settings: Settings) -> Answer:
    """No empty, truncated or looped output that only the candidate has.

    With none in n recordings the rate is under p with 95 % confidence once
    n >= ln 20 / -ln(1 - p).
    """
    needed = math.ceil(math.log(20) / -math.log(1 - CATASTROPHES_UNDER))
    bodies = _bodies(settings)
    found = sum(_check_verdict(body, "catastrophes") == "DIVERGED" for body in bodies)
    limit = f"< {CATASTROPHES_UNDER:.0%}"
    if found:
        return failed(str(found), limit, len(bodies))
    if len(bodies) < needed:
        return pending(f"{needed - len(bodies)} recordings to go", "0", limit, len(bodies))
    return passed("0", limit, len(bodies))


def _bodies(settings: Settings) -> list[Body]:
    from reflector_migrate.store.evidence import Evidence

    return list(Evidence(settings.store_url).bodies())


def _has_exact_difference(body: Body) -> bool:
    return any(
        check["verdict"] in ("DIVERGED", "ERRORED")
        and (check.get("measure") is None or check["measure"]["kind"] == "exact")
        for check in body["checks"]
    )


def _check_verdict(body: Body, name: str) -> str | None:
    return next((c["verdict"] for c in body["checks"] if c["name"] == name), None)
