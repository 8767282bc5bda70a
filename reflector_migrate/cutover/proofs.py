"""Whether the harness was proved on this build: its seeded defects found, its placebo passed."""

from __future__ import annotations

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.harness import Harness
from reflector_migrate.shadow.nightly.proofs import (
    DEFECTS_COMMAND,
    PLACEBO_AT_LEAST,
    PLACEBO_COMMAND,
    defect_proofs,
    placebo,
)


def seeded_defects_are_caught(harness: Harness) -> Answer:
    """The newest result of every seeded defect, tried on this very build, is a proof."""
    found = defect_proofs(harness, build_hash())
    n = len(found.known)
    value, limit = f"{found.proved} of {n}", "all"
    if found.wrong:
        return failed(value, limit, n, "; ".join(found.wrong[:3]))
    if found.missing:
        tried = f"{len(found.missing)} not tried on this build: {DEFECTS_COMMAND}"
        return pending(tried, value, limit, n)
    return passed(value, limit, n)


def placebo_is_not_failed(harness: Harness) -> Answer:
    """A third legacy run in the candidate's place was compared, and no gate failed it."""
    limit = "0 gates fail"
    found = placebo(harness, build_hash())
    if found is None:
        return pending(f"not run on this build: {PLACEBO_COMMAND}", limit=limit)
    value, n = f"{len(found.failed)} fail", len(found.recordings)
    if found.failed:
        return failed(value, limit, n, ", ".join(found.failed[:3]), recordings=found.recordings)
    if not found.is_enough:
        why = f"{PLACEBO_AT_LEAST} recordings are needed: {PLACEBO_COMMAND}"
        return pending(why, value, limit, n)
    return passed(value, limit, n, recordings=found.recordings)
