"""Items answered from stored comparisons: synthetic recordings, A/A recordings."""

from __future__ import annotations

import json
from pathlib import Path

from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Gist

A_A_RECORDINGS = 30


def synthetic_recordings_complete(harness: Harness) -> Answer:
    """Every recording of the sandbox's folder was compared and matched."""
    known = _synthetic_recordings(harness.settings.sandbox.recordings)
    if not known:
        return pending(f"{harness.settings.sandbox.recordings}: no recordings")
    latest = {gist.recording: gist.verdict for gist in _gists(harness)}
    found = {name: latest.get(recording_id) for name, recording_id in known.items()}
    missing = sorted(name for name, verdict in found.items() if verdict is None)
    wrong = sorted(name for name, verdict in found.items() if verdict not in (None, "MATCHED"))
    value = f"{len(known) - len(missing)} of {len(known)}"
    if wrong:
        why = f"not matched: {', '.join(wrong[:4])}"
        return failed(value, "all matched", len(known), why, recordings=tuple(wrong))
    if missing:
        why = f"not compared yet: {', '.join(missing[:4])}"
        return pending(why, value, "all matched", len(known), recordings=tuple(missing))
    return passed(value, "all matched", len(known))


def a_a_recordings(harness: Harness) -> Answer:
    """Enough different recordings ran twice on the primary's engine."""
    paired = {gist.recording for gist in _gists(harness) if gist.secondary_engine is not None}
    names, value, limit = tuple(sorted(paired)), str(len(paired)), f"≥ {A_A_RECORDINGS}"
    if len(paired) >= A_A_RECORDINGS:
        return passed(value, limit, len(paired), recordings=names)
    to_go = f"{A_A_RECORDINGS - len(paired)} to go"
    return pending(to_go, value, limit, len(paired), recordings=names)


def margins_came_first(harness: Harness) -> Answer:
    """The rules in force are those that the log had before this build's first comparison."""
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.shadow.gate_rules import rules_in_force
    from reflector_migrate.shadow.nightly.gating import RULES_NOTED, WAY_OUT, not_first

    build, limit = build_hash(), "before the first"
    noted = next((e for e in harness.audit.all(RULES_NOTED) if e["body"]["build"] == build), None)
    if noted is None and harness.nights.first_at(build) is None:
        return pending("no comparison of this build is stored yet", limit=limit)
    value = f"{noted['at']:%Y-%m-%d %H:%M}" if noted else "not noted"
    if late := not_first(harness, build, rules_in_force(harness.settings)):
        return failed(value, limit, why=f"{late}: {WAY_OUT}")
    return passed(value, limit)


def _synthetic_recordings(folder: Path) -> dict[str, str]:
    """Name -> recording id; InputError names a file that does not say it."""
    known = {}
    for file in sorted(folder.glob("*/recording.json")):
        try:
            known[file.parent.name] = str(json.loads(file.read_text("utf-8"))["recording_id"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(f"{file}: recording_id: {type(error).__name__}") from None
    return known


def _gists(harness: Harness) -> tuple[Gist, ...]:
    """All but those of runs with a seeded defect."""
    nights = harness.nights
    seeded = nights.seeded() if harness.settings.is_sandbox else {}
    return tuple(gist for gist in nights.all() if gist.run_id not in seeded)
