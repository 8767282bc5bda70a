"""Items answered from stored comparisons: coverage, exact differences, catastrophes, A/A pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reflector_migrate.cutover.items import Answer, failed, judged, passed, pending
from reflector_migrate.settings import Settings

if TYPE_CHECKING:
    from reflector_migrate.shadow.reconciling import Ledger

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
    """Share compared of what the primary took up since the first announcement.

    Its own rows say what that was; where they cannot be read nothing passes.
    """
    from datetime import timedelta

    from reflector_migrate.shadow.reconciling import Fate, reconcile
    from reflector_migrate.store.clock import now
    from reflector_migrate.store.runs import Dispatches

    limit = f"≥ {COVERAGE_AT_LEAST:.0%}"
    first = Dispatches(settings.store_url).first_at()
    if first is None:
        return pending("no recording was announced yet", "0", limit, 0)
    ledger = reconcile(settings, first, now() + timedelta(days=1))
    if not ledger.wanted:
        return pending("all were skipped on purpose", "0", limit, 0)
    share, why = ledger.count(Fate.COMPARED) / ledger.wanted, _shortfall(ledger)
    if ledger.unread and share >= COVERAGE_AT_LEAST:
        return pending(why, f"{share:.1%}", limit, ledger.wanted)
    return judged(share >= COVERAGE_AT_LEAST, f"{share:.1%}", limit, ledger.wanted, why)


def _shortfall(ledger: Ledger) -> str:
    """What keeps the coverage down, in a few words."""
    from reflector_migrate.shadow.reconciling import Fate

    counted = ((ledger.count(Fate.FAILED), "failed"), (ledger.count(Fate.OPEN), "not ended"))
    said = [f"{number} {word}" for number, word in counted if number]
    if ledger.lost:
        said.append(f"{len(ledger.lost)} never announced: {', '.join(ledger.lost[:3])}")
    if ledger.unread:
        said.append(f"the primary's rows cannot be read: {ledger.unread}")
    return "; ".join(said)


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
