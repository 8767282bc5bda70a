"""Whether the trail of decisions can be trusted: the audit log beside its exported heads."""

from __future__ import annotations

from reflector_migrate.cutover.items import Answer, failed, passed
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.store.audit import Head


def exported_heads(settings: Settings) -> tuple[Head, ...]:
    """The heads that nightly reports wrote beside their pages; none before the first report."""
    path = settings.audit_heads
    if not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Head.parse(line.rpartition(" ")[2]) for line in lines if line.strip())


def audit_log_is_intact(harness: Harness) -> Answer:
    """No entry was edited, removed or moved, and none that was exported is gone."""
    log, heads = harness.audit, exported_heads(harness.settings)
    if fault := log.fault(heads):
        return failed("broken", "intact", why=fault)
    return passed("intact", "intact", log.head().seq, f"{len(heads)} exported heads")
