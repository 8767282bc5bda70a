"""Whether a starter listens where recordings are routed to Conductor."""

from __future__ import annotations

from reflector_migrate.cutover.infrastructure import workers_say
from reflector_migrate.cutover.items import Answer, failed, judged, passed
from reflector_migrate.cutover.routes import published
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.plugin.reflector_claim import QUEUE
from reflector_migrate.plugin.reflector_route_table import LEGACY_ROUTES


def starter_listens(harness: Harness) -> Answer:
    """Without one, a fallback comes 2 s late and a route without fallback waits."""
    try:
        table = published(harness).table
        rooms = [room.route for room in table.rooms.values()] if table else []
        if table is None or {table.route, *rooms} <= set(LEGACY_ROUTES):
            return passed("not needed", why="no recording is routed to Conductor")
        nodes = workers_say(harness, "active_queues")
    except MigrateError as error:
        return failed("could not look", "1 starter", why=error.message)
    number = sum(any(queue["name"] == QUEUE for queue in queues) for queues in nodes.values())
    return judged(number > 0, f"{number} starters", "1 starter", number)
