"""What a deployment sent to Zulip, where it was not seen: from the row, the room and the task."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from reflector_migrate.pipeline.rows import RoomRow, TranscriptRow
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.effects_seen import (
    _zulip_derived,
    is_webhook_known,
    is_zulip_known,
)

TASK = "reflector.pipelines.main_live_pipeline.task_pipeline_post_to_zulip"
KNOWN: dict[str, Any] = {
    "id": "t-1", "status": "ended", "title": "Plans", "long_summary": "# Recap", "topics": [],
    "events": [], "participants": [], "created_at": datetime(2026, 11, 24, tzinfo=UTC),
    "duration": 61_000.0, "source_language": "en", "target_language": "en",
}  # fmt: skip
ROOM = dict.fromkeys((field.name for field in fields(RoomRow)), None) | {
    "id": "r", "name": "board", "zulip_stream": "general", "zulip_topic": "meetings",
}  # fmt: skip


@pytest.mark.parametrize(
    ("message_id", "earlier", "states", "wanted", "kinds"),
    [
        pytest.param(7, None, ["SUCCESS"], True, ["zulip_message"], id="a new message"),
        pytest.param(7, 7, ["SUCCESS"], True, ["zulip_update"], id="the earlier one changed"),
        pytest.param(8, 7, ["SUCCESS"], True, ["zulip_message"], id="it was gone: posted anew"),
        pytest.param(7, 7, ["FAILURE"], True, [], id="the change failed"),
        pytest.param(None, None, ["FAILURE"], True, [], id="posting failed"),
        pytest.param(7, None, [], True, ["zulip_message"], id="no spans: the row alone"),
        pytest.param(7, None, ["SUCCESS"], False, [], id="the room wants none"),
    ],
)
def test_zulip_is_derived(
    message_id: int | None,
    earlier: int | None,
    states: list[str],
    wanted: bool,
    kinds: list[str],
) -> None:
    """Which message, if any; its text is the row's."""
    columns = dict.fromkeys((field.name for field in fields(TranscriptRow)), None)
    row = TranscriptRow(**{**columns, **KNOWN, "zulip_message_id": message_id})
    room = RoomRow(**{**ROOM, "zulip_auto_post": wanted})
    spans = [{"task": TASK, "state": state, "started": 0.0} for state in states]
    found = list(_zulip_derived(Settings(), row, room, spans, earlier))
    assert [effect.kind for effect in found] == kinds
    assert all("# Reflector – Plans" in effect.payload["content"] for effect in found)
    assert all(effect.key == "meetings" for effect in found)


CHAIN = ("task_cleanup_consent", "task_pipeline_post_to_zulip", "task_send_webhook_if_needed")


@pytest.mark.parametrize(
    ("ends", "webhook_url", "is_known"),
    [
        pytest.param([], "https://x", False, id="replayed: no plugin saw the run"),
        pytest.param([*CHAIN], "https://x", False, id="the delivery's own message was lost"),
        pytest.param([*CHAIN, "send_transcript_webhook"], "https://x", True, id="delivered"),
        pytest.param([CHAIN[0], f"{CHAIN[1]}!"], "https://x", True, id="it stopped at Zulip"),
        pytest.param([], None, True, id="the room wants none"),
    ],
)  # fmt: skip
def test_whether_a_webhook_was_sent_is_known(ends, webhook_url, is_known):
    """Without a span of the delivery, or of what stopped the chain, it is unknown."""
    room = RoomRow(**{**ROOM, "webhook_url": webhook_url})
    spans = [
        {"task": f"x.{name.rstrip('!')}", "state": "FAILURE" if "!" in name else "SUCCESS"}
        for name in ends
    ]
    assert is_webhook_known(room, spans) is is_known


@pytest.mark.parametrize(
    ("message_id", "earlier", "states", "is_known"),
    [
        (7, None, [], True),
        (None, None, [], False),
        (7, 7, [], False),
        (None, None, ["FAILURE"], True),
    ],
)
def test_whether_a_message_was_posted_is_known(message_id, earlier, states, is_known):
    """A new id in the row says so; an unchanged one needs the task's span."""
    columns = dict.fromkeys((field.name for field in fields(TranscriptRow)), None)
    row = TranscriptRow(**{**columns, **KNOWN, "zulip_message_id": message_id})
    room = RoomRow(**{**ROOM, "zulip_auto_post": True})
    spans = [{"task": TASK, "state": state, "started": 0.0} for state in states]
    assert is_zulip_known(row, room, spans, earlier) is is_known
