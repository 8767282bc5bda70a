"""Where the migration stands: phases entered one after the other, each with its evidence.

Forwards it goes one phase at a time, and only when every item of the present one passes. Back it
goes to any earlier phase, at any time. Each step is an entry of the audit log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from reflector_migrate.cutover.items import Line, State
from reflector_migrate.errors import InputError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Phase
from reflector_migrate.shadow.decisions import record

KIND = "phase"
ORDER = tuple(Phase)


def present(harness: Harness) -> Phase:
    """The phase entered last; infrastructure before the first step."""
    entry = harness.audit.last(KIND)
    return Phase(entry["body"]["to"]) if entry else Phase.INFRASTRUCTURE


def enter(harness: Harness, phase: Phase, who: str, why: str) -> str:
    """Step to a phase; returns the entry's digest.

    Raises InputError for a step that is not allowed, and RefusedError that names the items
    which keep the present phase from being done.
    """
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.cutover.checklist import run

    before = present(harness)
    require_allowed(before, phase)
    lines = run(harness, before)
    if ORDER.index(phase) > ORDER.index(before):
        missing = [line.item.name for line in lines if line.answer.state is not State.PASS]
        if missing:
            said = f"phase {before} is not done: {', '.join(missing)}"
            raise RefusedError(said, hint=f"migrate checklist run {before}")
    body = {
        "from": before.value, "to": phase.value, "why": why, "build": build_hash()
    }  # fmt: skip
    return record(harness, KIND, body, who=who, evidence=digest_of(lines))


def require_allowed(before: Phase, after: Phase) -> None:
    """One phase on, or back to any earlier one; InputError otherwise. Pure."""
    step = ORDER.index(after) - ORDER.index(before)
    if step == 0:
        raise InputError(f"the migration is in phase {before} already")
    if step > 1:
        following = ORDER[ORDER.index(before) + 1]
        raise InputError(f"after phase {before} comes {following}, not {after}")


def digest_of(lines: Sequence[Line]) -> str:
    """SHA-256 of what the items of a phase answered, and on which recordings."""
    said = [
        (line.item.name, line.answer.state.value, line.answer.value, line.answer.limit,
         line.answer.n, line.answer.why, line.answer.numbers, line.answer.recordings)
        for line in lines
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
