"""A change of routes that sends more to Conductor asks for evidence; any other asks for none."""

from __future__ import annotations

from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Phase
from reflector_migrate.plugin.reflector_route_table import LEGACY_ROUTES, ROUTES, Table


def widens(before: Table, after: Table) -> bool:
    """Some recording may go to Conductor, or lose its fallback, that would not have before."""
    rooms = {"", *before.rooms, *after.rooms}
    if any(_grows(_served(before, room), _served(after, room)) for room in rooms):
        return True
    if after.route not in LEGACY_ROUTES:
        named_before = before.allow if before.route not in LEGACY_ROUTES else ()
        if set(after.allow) - set(named_before) - set(after.deny):
            return True
    is_used = any(_served(after, room)[1] for room in rooms) or bool(after.allow)
    return is_used and bool(set(before.deny) - set(after.deny))


def require_evidence(harness: Harness) -> str:
    """What stands for it in the log; RefusedError names the items of the cutover that miss."""
    from reflector_migrate.cutover.checklist import run
    from reflector_migrate.cutover.items import State
    from reflector_migrate.cutover.phases import digest_of

    lines = run(harness, Phase.CUTOVER)
    missing = [line.item.name for line in lines if line.answer.state is not State.PASS]
    if missing:
        raise RefusedError(
            f"this sends more recordings to Conductor, and the cutover lacks {', '.join(missing)}",
            hint="migrate checklist run cutover; or pass --without-evidence: the log records it",
        )
    return f"{len(lines)} items of the cutover pass, answers {digest_of(lines)}"


def _served(table: Table, room: str) -> tuple[int, float]:
    """How far a room's route is from Celery, and for which share of its recordings."""
    own = table.rooms.get(room)
    route, share = (own.route, own.share) if own else (table.route, table.share)
    is_any = route not in LEGACY_ROUTES and share > 0
    return (ROUTES.index(route), share) if is_any else (0, 0.0)


def _grows(before: tuple[int, float], after: tuple[int, float]) -> bool:
    return after[0] > before[0] or after[1] > before[1]
