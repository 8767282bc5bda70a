"""Gathers a night's evidence into the report's document and writes the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.cohorts import DEPLOYMENT, origin_of
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.rules import ALL
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.news import news_of
from reflector_migrate.shadow.notices import send
from reflector_migrate.store.atomic_write import write_aside
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence

if TYPE_CHECKING:
    from reports.document import Coverage, GateLine, Night, TrendPoint

TREND_NIGHTS = 30
RULES_DIGITS = 12
HEAD_EXPORTED = "audit head exported"
"""In the store: the last night whose report has the audit log's head."""


def write_report(
    harness: Harness, night: str, path: Path | None = None, *, is_redacted: bool = True
) -> Path:
    """Gather a night, write its page, note the audit log's head, and call people where due.

    Returns where the page is. A channel that does not answer is logged and stops nothing.
    """
    found = gather(harness, night, is_redacted=is_redacted)
    written = write_page(harness.settings, found, path)
    note_audit_head(harness, night, found.audit_head)
    send(harness, news_of(found))
    return written


def note_audit_head(harness: Harness, night: str, head: str) -> None:
    """Append the log's head to a file of its own, so that a cut-off end is found.

    The store keeps that the night has one: so a file that is gone is missed.
    """
    harness.settings.audit_heads.parent.mkdir(parents=True, exist_ok=True)
    with harness.settings.audit_heads.open("a", encoding="utf-8") as file:
        file.write(f"{night} {head}\n")
    harness.heartbeats.beat(HEAD_EXPORTED, day_of(night))


def write_page(
    settings: Settings, night: Night, path: Path | None = None, *, mode: int = 0o666
) -> Path:
    """Write `shadow-<night>.html`, or `path`, whole or not at all; returns where.

    `mode` is that of a new file, less the umask: 0600 for a page with words in it.
    """
    from reports.page import render_page

    path = path or settings.state_dir / "reports" / f"shadow-{night.night}.html"
    write_aside(path, render_page(night), mode)
    return path


def gather(
    harness: Harness, night: str, *, is_redacted: bool = True, is_whole: bool = False
) -> Night:
    """The night's document from what is stored; an empty night is a document too.

    It carries the comparisons that a page shows in full, or all of them where it `is_whole`.
    """
    from reflector_migrate.shadow.nightly.gating import stored_evidence
    from reports.document import Night
    from reports.picks import carried

    nights, lines = harness.nights, stored_evidence(harness)
    if harness.settings.is_sandbox:
        seeded = nights.seeded()
    else:  # no run of a sandbox colours a deployment's night
        foreign = {line.run for line in lines if origin_of(line) != DEPLOYMENT}
        seeded = nights.verdicts(foreign)
    found = nights.of(night)
    gists = tuple(gist for gist in found if gist.run_id not in seeded)
    places = tuple(range(len(gists))) if is_whole else carried(gists, night)
    gates, rules = _gates(harness, lines)
    return Night(
        night=night,
        generated_at=now().isoformat(timespec="seconds"),
        coverage=_coverage(harness, night, {gist.run_id for gist in gists}, seeded.keys()),
        comparisons=nights.documents([gists[place].run_id for place in places]),
        gates=gates,
        rules=rules,
        gists=gists,
        places=places,
        trend=_trend(harness.evidence, night, seeded.values()),
        is_redacted=is_redacted,
        seeded=len(found) - len(gists),
        is_sandbox=harness.settings.is_sandbox,
        audit_head=str(harness.audit.head()),
    )


def day_of(night: str) -> datetime:
    """Midnight UTC at the start of a night named YYYY-MM-DD; InputError otherwise."""
    try:
        return datetime.strptime(night, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InputError(f"night {night!r} is not a date such as 2026-11-23") from None


def _coverage(harness: Harness, night: str, run_ids: Set[str], seeded: Set[str]) -> Coverage:
    """The night's runs of the primary; those compared tonight count wherever they began.

    Runs with a seeded defect, and a sandbox's, are left out.
    """
    from reflector_migrate.shadow.nightly.reconciliation import Fate, reconcile
    from reports.document import Coverage

    start = day_of(night)
    whole = reconcile(harness, start, start + timedelta(days=1))
    ledger = replace(whole, entries=tuple(e for e in whole.entries if e.run_id not in seeded))
    earlier = run_ids - {entry.run_id for entry in ledger.entries}
    return Coverage(
        eligible=len(ledger.entries) + len(earlier),
        compared=ledger.count(Fate.COMPARED) + len(earlier),
        skipped=ledger.reasons(Fate.SKIPPED),
        failed=ledger.reasons(Fate.FAILED),
        lost=ledger.lost,
        unread=ledger.unread,
    )


def _gates(harness: Harness, lines: Sequence[EvidenceLine]) -> tuple[tuple[GateLine, ...], str]:
    """The gates as they stand while the page is written, as `migrate gate` says; and the rules.

    None where nothing is compared yet.
    """
    from reflector_migrate.shadow.gate_rules import rules_in_force
    from reflector_migrate.shadow.nightly.gating import gates_of
    from reports.document import GateLine

    rules = rules_in_force(harness.settings)
    if not lines:
        return (), rules.digest[:RULES_DIGITS]
    found = tuple(
        GateLine(
            name=gate.gate if gate.stratum == ALL else f"{gate.gate} {gate.stratum}",
            state=gate.state.value,
            value="-" if gate.value is None else f"{gate.value:g} {gate.unit}".strip(),
            limit="-" if gate.limit is None else f"{gate.limit:g}",
            n=gate.n,
            why=f"report only: {gate.why}" if gate.is_report_only else gate.why,
            since=gate.since,
            is_report_only=gate.is_report_only,
        )
        for gate in gates_of(harness, lines, rules).gates
    )
    return found, rules.digest[:RULES_DIGITS]


def _trend(
    evidence: Evidence, night: str, seeded: Iterable[tuple[str, str]]
) -> tuple[TrendPoint, ...]:
    """Each night's verdicts, without those of runs with a seeded defect."""
    from reflector_migrate.frames import trend_frame
    from reports.document import TrendPoint

    left_out = Counter(seeded)
    counted = [(one, verdict, n - left_out[one, verdict]) for one, verdict, n in evidence.nights()]
    shown = trend_frame(counted).loc[:night].tail(TREND_NIGHTS)
    counts = shown.to_dict(orient="index")
    return tuple(
        TrendPoint(str(one), {verdict: n for verdict, n in found.items() if n})
        for one, found in counts.items()
    )
