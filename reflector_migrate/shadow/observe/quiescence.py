"""Whether the primary has ended, side effects and all: read off its spans, with a deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reflector_migrate.model.primary_task import PIPELINE

Span = Mapping[str, Any]

CONSENT, ZULIP = "task_cleanup_consent", "task_pipeline_post_to_zulip"
WEBHOOK, DELIVERY = "task_send_webhook_if_needed", "send_transcript_webhook"
ENDED = ("SUCCESS", "FAILURE")


def patience_s(spans: Sequence[Span], *, settle_s: float, chain_s: float) -> float:
    """How long after `ended` to wait for what was not reported: the plugin may be silent.

    A plugin that reported the pipeline's end will report what follows, once the worker comes to it.
    """
    return chain_s if states(spans).get(PIPELINE) in ENDED else settle_s


def states(spans: Sequence[Span]) -> dict[str, str]:
    """The last state of each task of a run, by its short name."""
    return {str(span["task"]).rsplit(".", 1)[-1]: span["state"] for span in spans}


def is_settled(status: str | None, spans: Sequence[Span], *, has_webhook: bool) -> bool:
    """True once nothing more can follow.

    The chain consent, Zulip, webhook stops at its first failure; a delivery in
    state RETRY goes on. A failed pipeline has no chain.
    """
    if status not in ("ended", "error"):
        return False
    seen = states(spans)
    if seen.get(PIPELINE) not in ENDED:
        return False
    if status == "error" or "FAILURE" in (seen.get(name) for name in (CONSENT, ZULIP, WEBHOOK)):
        return True
    if seen.get(WEBHOOK) != "SUCCESS":
        return False
    return not has_webhook or seen.get(DELIVERY) in ENDED
