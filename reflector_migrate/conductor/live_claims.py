"""The claim of a live run, as its workflow's steps ask for it before they begin.

The run's id is the claim's token. A run that is no longer the claim's ends without a trace.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

from reflector_migrate.conductor.runtime.task_runner import Fence, NoFence
from reflector_migrate.errors import OutageError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Route
from reflector_migrate.plugin.reflector_claim import Claims

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
AFTER_THE_END = frozenset({"cleanup_consent", "post_zulip", "send_webhook"})
"""Steps of a transcript that has ended: the next announcement need not wait for them."""


def fence_of(harness: Harness) -> Fence:
    """The broker's claims for workers of the namespace `live`; no fence for others."""
    return LiveFence(harness) if harness.settings.candidate.namespace == "live" else NoFence()


def claims_of(harness: Harness) -> Claims:
    """The claims in the broker's Redis, over this process's own connections."""
    return Claims(harness.redis(harness.settings.reflector.broker_url, TIMEOUT_S))


def give_to_legacy(harness: Harness, transcript_id: str, token: str, reason: str) -> bool:
    """Fence the workflow off and announce its task again, unless it may have sent something.

    After finalize it may have. Raises what redis-py raises.
    """
    is_given = claims_of(harness).take_over(
        transcript_id, token, new_token=str(uuid.uuid4()), reason=reason[:200], at=time.time()
    )
    if is_given:
        log.warning("transcript %s goes to legacy: %s", transcript_id, reason)
    return is_given


class LiveFence:
    """Lets a step begin while its run holds the claim, and ends the claim with the transcript."""

    def __init__(self, harness: Harness) -> None:
        """Connect when first asked, in the process that asks."""
        self._harness = harness

    def is_open(self, step: str, raw_input: Mapping[str, Any]) -> bool:
        """The claim is this run's, and renewed; OutageError while Redis does not answer."""
        run = raw_input.get("run") or {}
        transcript_id, token = str(run.get("transcript_id")), str(run.get("run_id"))
        workflow_id = str(run.get("workflow_id") or "")
        try:
            if _is_failure(step, raw_input) and self._is_legacys_now(transcript_id, token):
                return False
            return claims_of(self._harness).hold(
                transcript_id, token, workflow_id, is_end=step in AFTER_THE_END
            )
        except Exception as error:
            said = f"the broker does not say whose turn it is: {type(error).__name__}"
            raise OutageError(said) from error

    def _is_legacys_now(self, transcript_id: str, token: str) -> bool:
        """A workflow that failed with a fallback left its transcript to legacy."""
        if self._harness.settings.route.fallback_after_start == "never":
            return False
        found = claims_of(self._harness).look(transcript_id)
        if found is None or found.route != Route.CONDUCTOR_FALLBACK:
            return False
        return give_to_legacy(self._harness, transcript_id, token, "its workflow failed")

    def passed(self, step: str, raw_input: Mapping[str, Any]) -> None:
        """After finalize the transcript may be announced again."""
        if step != "finalize" and step not in AFTER_THE_END:
            return
        run = raw_input.get("run") or {}
        try:
            claims_of(self._harness).end(str(run.get("transcript_id")), str(run.get("run_id")))
        except Exception as error:  # the steps that follow end it too, and in the end its age
            whose = run.get("transcript_id")
            log.warning("claim of transcript %s not ended: %s", whose, type(error).__name__)


def _is_failure(step: str, raw_input: Mapping[str, Any]) -> bool:
    return step == "finalize" and raw_input.get("outcome") == "error"
