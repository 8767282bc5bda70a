"""Tells the room's Zulip stream."""

from __future__ import annotations

from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import ZulipInput, ZulipOutput
from reflector_migrate.pipeline.effects import Post
from reflector_migrate.pipeline.heartbeat_pool import patiently
from reflector_migrate.pipeline.zulip_text import content, link


def post_zulip(task: ZulipInput, ctx: StepContext) -> ZulipOutput:
    """A message in the room's stream and topic, or the change of the one an earlier run posted."""
    transcript = ctx.rows.get_transcript(task.transcript_id)
    room = ctx.rows.get_room(transcript.room_id)
    if room is None or not room.zulip_auto_post:
        return ZulipOutput(posted=False, reason="no room" if room is None else "not wanted")
    base = ctx.settings.reflector.ui_base_url
    post = Post(
        stream=room.zulip_stream or "",
        topic=room.zulip_topic or "",
        content=content(transcript, base),
        marker=link(base, transcript.id),
        message_id=transcript.zulip_message_id,
    )
    message_id = patiently(lambda: ctx.effects.post_zulip(post), ctx.heartbeat)
    if message_id != transcript.zulip_message_id:
        ctx.rows.update_transcript(task.transcript_id, zulip_message_id=message_id)
    return ZulipOutput(message_id=message_id, posted=True)
