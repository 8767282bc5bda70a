"""Items answered from stored comparisons: synthetic recordings, coverage, A/A pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from reflector_migrate.cutover.items import Answer, failed, judged, passed, pending
from reflector_migrate.errors import InputError
from reflector_migrate.model import Gist
from reflector_migrate.settings import Settings

if TYPE_CHECKING:
    from reflector_migrate.shadow.nightly.reconciliation import Ledger

COVERAGE_AT_LEAST = 0.99
A_A_PAIRS = 30


def synthetic_recordings_complete(settings: Settings) -> Answer:
    """Every recording of the sandbox's folder was compared and matched."""
    known = _synthetic_recordings(settings.sandbox.recordings)
    if not known:
        return pending(f"{settings.sandbox.recordings}: no recordings")
    latest = {gist.recording: gist.verdict for gist in _gists(settings)}
    found = {name: latest.get(recording_id) for name, recording_id in known.items()}
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
    pairs = sum(gist.secondary_engine is not None for gist in _gists(settings))
    if pairs >= A_A_PAIRS:
        return passed(str(pairs), f"≥ {A_A_PAIRS}", pairs)
    return pending(f"{A_A_PAIRS - pairs} to go", str(pairs), f"≥ {A_A_PAIRS}", pairs)


def coverage(settings: Settings) -> Answer:
    """Share compared of what the primary took up since the first announcement.

    Its own rows say what that was; where they cannot be read nothing passes.
    """
    from datetime import timedelta

    from reflector_migrate.shadow.nightly.reconciliation import Fate, reconcile
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
    from reflector_migrate.shadow.nightly.reconciliation import Fate

    counted = ((ledger.count(Fate.FAILED), "failed"), (ledger.count(Fate.OPEN), "not ended"))
    said = [f"{number} {word}" for number, word in counted if number]
    if ledger.lost:
        said.append(f"{len(ledger.lost)} never announced: {', '.join(ledger.lost[:3])}")
    if ledger.unread:
        said.append(f"the primary's rows cannot be read: {ledger.unread}")
    return "; ".join(said)


def _synthetic_recordings(folder: Path) -> dict[str, str]:
    """Name -> recording id; InputError names a file that does not say it."""
    known = {}
    for file in sorted(folder.glob("*/recording.json")):
        try:
            known[file.parent.name] = str(json.loads(file.read_text("utf-8"))["recording_id"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(f"{file}: recording_id: {type(error).__name__}") from None
    return known


def _gists(settings: Settings) -> tuple[Gist, ...]:
    from reflector_migrate.store.nights import Nights

    return Nights(settings.store_url).all()
