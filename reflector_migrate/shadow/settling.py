"""Whether the primary has ended, side effects and all: read off its spans, with a deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Span = Mapping[str, Any]

PIPELINE = "task_pipeline_multitrack_process"
CONSENT, ZULIP = "task_cleanup_consent", "task_pipeline_post_to_zulip"
WEBHOOK, DELIVERY = "task_send_webhook_if_needed", "send_transcript_webhook"
ENDED = ("SUCCESS", "FAILURE")


def is_settled(status: str | None, spans: Sequence[Span], *, has_webhook: bool) -> bool:
    """True once nothing more can follow.

    The chain consent, Zulip, webhook stops at its first failure; a delivery in
    state RETRY goes on. A failed pipeline has no chain.
    """
    if status not in ("ended", "error"):
        return False
    states = {str(span["task"]).rsplit(".", 1)[-1]: span["state"] for span in spans}
    if states.get(PIPELINE) not in ENDED:
        return False
    if status == "error" or "FAILURE" in (states.get(name) for name in (CONSENT, ZULIP, WEBHOOK)):
        return True
    if states.get(WEBHOOK) != "SUCCESS":
        return False
    return not has_webhook or states.get(DELIVERY) in ENDED
