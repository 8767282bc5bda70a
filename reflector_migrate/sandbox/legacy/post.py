"""What follows a good run: consent, Zulip, webhook, each a task, strictly one after the other.

A task that raises ends the chain: a Zulip that is down means that no webhook is sent.
"""

from __future__ import annotations

from typing import Any

from celery import Task

from reflector_migrate.pipeline.contracts import ConsentInput, Run, WebhookInput, ZulipInput
from reflector_migrate.pipeline.steps.send_webhook import event_id
from reflector_migrate.sandbox.legacy.app import harness, registered
from reflector_migrate.sandbox.legacy.process import rows_of
from reflector_migrate.sandbox.legacy.running import live_run, run_logged

WEBHOOK_RETRIES = 30


@registered("pipelines.main_live_pipeline.task_cleanup_consent", bind=True)
def task_cleanup_consent(self: Task, *, transcript_id: str) -> None:
    """Delete the audio of a meeting in which a participant refused; a failure is only logged."""
    run = _run(self.request.root_id, transcript_id)
    task = ConsentInput(run=run, transcript_id=transcript_id)
    run_logged(self.request.id, "cleanup_consent", task, harness())


@registered("pipelines.main_live_pipeline.task_pipeline_post_to_zulip", bind=True)
def task_pipeline_post_to_zulip(self: Task, *, transcript_id: str) -> None:
    """Post or change the room's message; raises when Zulip fails."""
    run = _run(self.request.root_id, transcript_id)
    task = ZulipInput(run=run, transcript_id=transcript_id)
    run_logged(self.request.id, "post_zulip", task, harness())


@registered("pipelines.main_file_pipeline.task_send_webhook_if_needed", bind=True)
def task_send_webhook_if_needed(self: Task, *, transcript_id: str) -> None:
    """Queue the delivery, if the transcript is a room's and the room wants one."""
    rows = rows_of(harness().settings)
    transcript = rows.get_transcript(transcript_id)
    room = rows.get_room(transcript.room_id)
    if transcript.source_kind == "room" and room is not None and room.webhook_url:
        identity = event_id(self.request.root_id)
        send_transcript_webhook.delay(transcript_id, room.id, event_id=identity)


@registered("worker.webhook.send_transcript_webhook", bind=True, max_retries=WEBHOOK_RETRIES)
def send_transcript_webhook(
    self: Task, transcript_id: str, room_id: str, event_id: str
) -> dict[str, Any]:
    """One delivery; anything but a 2xx or 4xx is tried again after a fixed pause, 30 times.

    `event_id` is the root task's, and so the same at every attempt.
    """
    del event_id
    task = WebhookInput(
        run=_run(self.request.root_id, transcript_id),
        transcript_id=transcript_id,
        room_id=room_id,
        attempt=self.request.retries,
    )
    try:
        return dict(run_logged(self.request.id, "send_webhook", task, harness()))
    except Exception as error:
        pause_s = harness().settings.reflector.webhook_retry_s
        raise self.retry(exc=error, countdown=pause_s, max_retries=WEBHOOK_RETRIES) from error


def _run(root_id: str, transcript_id: str) -> Run:
    rows = rows_of(harness().settings)
    transcript = rows.get_transcript(transcript_id)
    recording = rows.get_recording(transcript.recording_id or "")
    return live_run(root_id, transcript, recording.bucket_name if recording else "")
