"""Whether the trail of decisions can be trusted: the audit log beside its exported heads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.night import HEAD_EXPORTED
from reflector_migrate.store.audit import Head

PAGE = re.compile(r"shadow-(\d{4}-\d{2}-\d{2})\.html")
IN_A_PAGE = re.compile(r'<meta name="audit-head" content="([^"]*)">')
HEAD_OF_A_PAGE = 4_096
"""In so many characters a page names its head."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Heads that nightly reports exported, and the nights whose head is found nowhere any more."""

    heads: tuple[Head, ...]
    missing: tuple[str, ...]

    @property
    def why(self) -> str:
        """What cannot be looked at; "" if nothing is missing."""
        if not self.missing:
            return ""
        nights = ", ".join(self.missing[:3]) + (", ..." if len(self.missing) > 3 else "")
        return f"exported heads are gone, of {nights}: a cut-off end would not be found"


def exported_heads(harness: Harness) -> Exported:
    """The heads beside the nightly pages and in them, and those that ought to be there.

    Each page of the reports' folder has one, and the store knows the last night that exported one.
    """
    settings, last = harness.settings, harness.heartbeats.last(HEAD_EXPORTED)
    noted, pages = _noted(settings), _of_pages(settings.state_dir / "reports")
    known = {*noted, *(night for night, head in pages.items() if head)}
    expected = {*pages, *([f"{last:%Y-%m-%d}"] if last else [])}
    heads = [head for of in noted.values() for head in of] + [h for h in pages.values() if h]
    return Exported(tuple(heads), tuple(sorted(expected - known)))


def audit_log_is_intact(harness: Harness) -> Answer:
    """No entry was edited, removed or moved, and none that was exported is gone."""
    log, exported = harness.audit, exported_heads(harness)
    if fault := log.fault(exported.heads):
        return failed("broken", "intact", why=fault)
    n, said = log.head().seq, f"{len(exported.heads)} exported heads"
    if exported.missing:
        return pending(exported.why, "not all checked", "intact", n)
    return passed("intact", "intact", n, said)


def _noted(settings: Settings) -> dict[str, list[Head]]:
    """By night, from the file beside the reports; none before the first report."""
    found: dict[str, list[Head]] = {}
    path = settings.audit_heads
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in filter(str.strip, lines):
        night, _, head = line.strip().rpartition(" ")
        found.setdefault(night, []).append(Head.parse(head))
    return found


def _of_pages(folder: Path) -> dict[str, Head | None]:
    """By night, from each page; None where a page of an earlier version has none."""
    found = {}
    for path in sorted(folder.glob("shadow-*.html")):
        if named := PAGE.fullmatch(path.name):
            with path.open(encoding="utf-8", errors="replace") as page:
                said = IN_A_PAGE.search(page.read(HEAD_OF_A_PAGE))
            found[named[1]] = Head.parse(said[1]) if said else None
    return found
