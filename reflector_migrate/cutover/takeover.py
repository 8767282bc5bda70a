"""Takes transcripts from workflows that stand still, or from all of them, and gives them to legacy.

A step that runs is not interrupted: it is fenced off from the next one on. So a workflow
counts as stalled only when no step has begun for longer than any step may take.
"""

from __future__ import annotations

import logging
import time

from reflector_migrate.conductor.live_claims import claims_of, give_to_legacy
from reflector_migrate.cutover.handover import broker_errors
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Route
from reflector_migrate.plugin.reflector_claim import ASKED, Begun
from reflector_migrate.settings import Settings

log = logging.getLogger(__name__)


def take_over_stalled(harness: Harness) -> tuple[str, ...]:
    """Transcripts with a fallback that stood still for route.stall_s, given to legacy.

    With `fallback_after_start = "never"` only those whose first step has not begun.
    """
    with broker_errors():
        found = list(claims_of(harness).begun(time.time()))
    stalled = [one for one in found if _is_stalled(harness.settings, one)]
    return _given(harness, stalled, f"no step began for {harness.settings.route.stall_s:g} s")


def take_over_all(harness: Harness, reason: str) -> tuple[str, ...]:
    """Every transcript whose workflow has not reached its first effect, given to legacy."""
    with broker_errors():
        found = list(claims_of(harness).begun(time.time()))
    return _given(harness, found, reason)


def _is_stalled(settings: Settings, one: Begun) -> bool:
    if one.claim.route != Route.CONDUCTOR_FALLBACK or one.idle_s < settings.route.stall_s:
        return False
    is_allowed = settings.route.fallback_after_start != "never"
    return is_allowed or one.claim.state == ASKED


def _given(harness: Harness, found: list[Begun], reason: str) -> tuple[str, ...]:
    given = []
    for one in found:
        with broker_errors():
            is_given = give_to_legacy(harness, one.transcript_id, one.claim.token, reason)
        if is_given:
            given.append(one.transcript_id)
            _terminate(harness, one.claim.workflow_id)
    return tuple(given)


def _terminate(harness: Harness, workflow_id: str) -> None:
    """Best effort: each of its later steps finds that it is not its turn."""
    if not workflow_id:
        return
    try:
        with harness.conductor() as client:
            client.terminate(workflow_id, "legacy serves this transcript")
    except MigrateError as error:
        log.warning("workflow %s was not terminated: %s", workflow_id, error.in_full)
