"""What people are called for while Conductor serves recordings: an open breaker, a way back."""

from __future__ import annotations

from datetime import timedelta

from reflector_migrate.cutover.canary import Position, position
from reflector_migrate.cutover.handover import KEPT_BACK, SERVED
from reflector_migrate.harness import Harness
from reflector_migrate.plugin.reflector_claim import BREAKER_OPEN
from reflector_migrate.shadow.notices import Notice
from reflector_migrate.store.clock import now

LOOKS_BACK = timedelta(hours=1)


def news(harness: Harness) -> tuple[Notice, ...]:
    """The breaker's state as recordings have met it, and whether a rollback is proposed."""
    return (*news_of_the_breaker(harness), news_of_the_way_back(position(harness)))


def news_of_the_breaker(harness: Harness) -> tuple[Notice, ...]:
    """Open while the last recording of the hour went to legacy for it; unknown without one."""
    until = now() + timedelta(minutes=1)
    for told in reversed(harness.dispatches.between(until - LOOKS_BACK, until)):
        reason = told["reason"]
        if reason == f"{KEPT_BACK}{BREAKER_OPEN}":
            text = f"Breaker open: {BREAKER_OPEN}, so legacy serves. migrate cutover status"
            return (Notice("breaker", "open", is_bad=True, text=text),)
        if reason.startswith(SERVED):
            text = "Breaker closed: Conductor starts workflows again"
            return (Notice("breaker", "closed", is_bad=False, text=text),)
    return ()


def news_of_the_way_back(at: Position) -> Notice:
    """Proposed until the routes change."""
    proposal = at.proposal
    if proposal:
        text = f"A rollback is proposed: {proposal}. migrate cutover rollback"
        return Notice("rollback", f"proposed: {proposal}", is_bad=True, text=text)
    return Notice("rollback", "none", is_bad=False, text="No rollback is proposed any more")
