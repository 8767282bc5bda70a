"""The canary: which share of the recordings Conductor serves, and what the next step still needs.

The steps are versions of the routing table, so its log holds each one with who and why. A step
counts what Conductor served since then with this build; another build begins it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover import routes
from reflector_migrate.cutover.handover import KEPT_BACK, KIND, SERVED
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.plugin.reflector_route_table import (
    CONDUCTOR_FALLBACK,
    LEGACY_ROUTES,
    Table,
)
from reflector_migrate.settings.sections import CutoverSettings
from reflector_migrate.store.clock import now

STEPS = (0.01, 0.1, 0.5, 1.0)
PROPOSAL = "cutover-proposal"
"""Of the audit log's entries in which a regression proposes the way back."""


@dataclass(frozen=True, slots=True)
class Served:
    """What became of the recordings of this step, with this build."""

    ended: int = 0
    failed: tuple[str, ...] = ()
    open: int = 0
    fell_back: int = 0

    @property
    def n(self) -> int:
        """Every recording that was meant for Conductor."""
        return self.ended + len(self.failed) + self.open + self.fell_back


@dataclass(frozen=True, slots=True)
class Position:
    """How far the cutover is: the table in force, since when, and what its step has shown."""

    table: Table
    since: datetime | None
    served: Served
    is_back: bool = False
    proposal: str = ""

    @property
    def share(self) -> float:
        """Of all recordings, those that go to Conductor; rooms and lists apart."""
        return 0.0 if self.table.route in LEGACY_ROUTES else self.table.share

    @property
    def next_share(self) -> float | None:
        """The next step's share; None after the last."""
        return next((step for step in STEPS if step > self.share), None)


def position(harness: Harness) -> Position:
    """Read where the cutover stands. Raises ServerUnreachableError without store or broker."""
    table, path = routes.in_force(harness), harness.settings.route.back_file
    log = harness.audit
    entry, proposed = log.last(KIND), log.last(PROPOSAL)
    since = entry["at"] if entry else None
    is_open = bool(entry and proposed and proposed["at"] > entry["at"])
    return Position(
        table,
        since,
        served_since(harness, since) if since else Served(),
        path is not None and path.exists(),
        str(proposed["body"]["why"]) if proposed and is_open else "",
    )


def served_since(harness: Harness, since: datetime) -> Served:
    """What became of each recording that was meant for Conductor since then, by its row."""
    mine, rows = SERVED + build_hash(), Rows.at(harness.settings.reflector.database_url or "")
    last: dict[str, str] = {}
    for told in harness.dispatches.between(since, now() + timedelta(days=1)):
        if told["reason"] == mine or told["reason"].startswith(KEPT_BACK):
            last[told["recording_id"]] = told["reason"]
    by_conductor = [name for name, reason in last.items() if reason == mine]
    found = {name: rows.transcript_of(name) for name in by_conductor}
    status = {name: row.status if row else "gone" for name, row in found.items()}
    return Served(
        ended=sum(one == "ended" for one in status.values()),
        failed=tuple(sorted(name for name, one in status.items() if one in ("error", "gone"))),
        open=sum(one not in ("ended", "error", "gone") for one in status.values()),
        fell_back=len(last) - len(by_conductor),
    )


def what_misses(
    at: Position, asked: CutoverSettings, moment: datetime, items: Sequence[str]
) -> tuple[str, ...]:
    """Why the next step cannot be taken yet, in sentences; empty if it can. Pure.

    `items` are those of the phase's checklist that do not pass.
    """
    missing = [f"the checklist lacks {', '.join(items)}"] if items else []
    if at.is_back:
        missing.append("the back file sends every recording back: migrate route allow")
    if at.proposal:
        missing.append(f"a rollback is proposed: {at.proposal}")
    if at.share == 0 or at.since is None:
        return tuple(missing)
    served, hours = at.served, timedelta(hours=asked.hours_at_least)
    if served.failed:
        missing.append(f"Conductor failed {', '.join(served.failed[:3])}")
    if served.ended < asked.served_at_least:
        missing.append(f"{served.ended} of {asked.served_at_least} recordings served at this step")
    if served.n and served.fell_back / served.n > asked.fallbacks_at_most:
        missing.append(f"{served.fell_back} of {served.n} recordings fell back to legacy")
    if moment - at.since < hours:
        missing.append(f"this step has not lasted {asked.hours_at_least:g} h yet")
    return tuple(missing)


def missing_now(harness: Harness, at: Position) -> tuple[str, ...]:
    """What the next step lacks now, the cutover's checklist included."""
    from reflector_migrate.cutover.checklist import run
    from reflector_migrate.cutover.items import State
    from reflector_migrate.model import Phase

    lines = run(harness, Phase.CUTOVER)
    items = [line.item.name for line in lines if line.answer.state is not State.PASS]
    return what_misses(at, harness.settings.cutover, now(), items)


def advance(harness: Harness, who: str, why: str) -> Table:
    """Take the next step; RefusedError names all that it lacks. Returns the published table.

    Rooms and lists stay as they are, and so does what all other recordings take.
    """
    at = position(harness)
    share = at.next_share
    if share is None:
        raise RefusedError("Conductor serves every recording already", hint="migrate cleanup plan")
    if missing := missing_now(harness, at):
        said = f"the step to {share:.0%} is not open: {'; '.join(missing)}"
        raise RefusedError(said, hint="migrate cutover status; migrate checklist run cutover")
    route = at.table.route if at.share else CONDUCTOR_FALLBACK
    grounds = f"checklist of the cutover passes; {told(at.served)}, build {build_hash()}"
    return routes.change(harness, replace(at.table, route=route, share=share), who, why, grounds)


def told(served: Served) -> str:
    """The step's figures as one phrase."""
    failed, back = len(served.failed), served.fell_back
    return f"{served.ended} served, {failed} failed, {served.open} open, {back} fell back"
