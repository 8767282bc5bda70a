"""Whether the harness was proved on this build: its seeded defects, found at the right step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.pipeline.defects.registry import all_defects
from reflector_migrate.settings import Settings
from reflector_migrate.store.audit import Audit

DEFECTS_RUN = "run:defects"


def record_defects_run(
    settings: Settings, *, build: str, conductor: str, found: Mapping[str, str]
) -> str:
    """Add a run to the audit log; returns the entry's digest.

    `found` has an entry per defect tried: "" where it was proved, else what went wrong.
    """
    body: dict[str, Any] = {"build": build, "conductor": conductor, "defects": dict(found)}
    return Audit(settings.store_url).append(DEFECTS_RUN, body)


def seeded_defects_are_caught(settings: Settings) -> Answer:
    """The newest result of every seeded defect, tried on this very build, is a proof."""
    latest: dict[str, str] = {}
    for entry in Audit(settings.store_url).all(DEFECTS_RUN):
        if entry["body"]["build"] == build_hash():
            latest |= entry["body"]["defects"]
    known = [defect.name for defect in all_defects()]
    wrong = [f"{name}: {latest[name]}" for name in known if latest.get(name)]
    missing = [name for name in known if name not in latest]
    value, limit = f"{len(known) - len(missing) - len(wrong)} of {len(known)}", "all"
    if wrong:
        return failed(value, limit, len(known), "; ".join(wrong[:3]))
    if missing:
        tried = f"{len(missing)} not tried on this build: migrate defects run"
        return pending(tried, value, limit, len(known))
    return passed(value, limit, len(known))
