"""The steps that end a recording and inform others: finalize, consent, Zulip, webhook."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reflector_migrate.pipeline.contracts.base import Contract, StepContract, StepInput, semantic


class FinalizeInput(StepInput):
    """outcome `error` is what the failure workflow sends; duration in milliseconds."""

    recording_id: str
    title: str | None = semantic(None)
    summary: str | None = semantic(None)
    short_summary: str | None = semantic(None)
    duration: float | None = semantic(None)
    outcome: Literal["ended", "error"] = semantic("ended")


class FinalizeOutput(Contract):
    """The requirements' literal status beside the row's."""

    status: Literal["COMPLETED"] = "COMPLETED"
    transcript_status: str = semantic()


class ConsentInput(StepInput):
    """Consent is looked up by the recording's meeting."""

    transcript_id: str


class ConsentOutput(Contract):
    """deleted: object keys that were (or, in shadow, would have been) deleted."""

    audio_deleted: bool = semantic()
    reason: str
    deleted: tuple[str, ...] = ()


class ZulipInput(StepInput):
    """The transcript's room says whether and where to post."""

    transcript_id: str


class ZulipOutput(Contract):
    """message_id is None when nothing was posted."""

    message_id: int | None = None
    posted: bool = semantic()
    reason: str = ""


class WebhookInput(StepInput):
    """The room says whether and where to send; attempt counts from 0."""

    transcript_id: str
    room_id: str | None = None
    attempt: int = Field(0, ge=0)


class WebhookOutput(Contract):
    """status_code is None when nothing was sent."""

    sent: bool = semantic()
    status_code: int | None = None
    event_id: str | None = None
    reason: str = ""


CONTRACTS = {
    "finalize": StepContract(FinalizeInput, FinalizeOutput),
    "cleanup_consent": StepContract(ConsentInput, ConsentOutput),
    "post_zulip": StepContract(ZulipInput, ZulipOutput),
    "send_webhook": StepContract(WebhookInput, WebhookOutput),
}
