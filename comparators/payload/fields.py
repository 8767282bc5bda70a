"""Names that Reflector itself gives: of fields, events and effects. They are public.

Tolerances are for what an encoder's version changes; each is stated here once.
"""

from __future__ import annotations

import re

from comparators.language.lexicon import word_set

FIELDS = word_set(
    "action_items audio_deleted audio_location body content created_at data date deleted duration"
    " event events headers id kind language long_summary message_id mp3 name own participants"
    " payload processing_status recording_id room_id share_mode shapes short_summary size"
    " source_kind source_language speaker speaker_mapping status summary target_language text"
    " timestamp title topic topics transcript transcript_id translation updated_at user_id value"
    " waveform webhook webvtt words workflow_id zulip_message_id"
)
EVENTS = word_set(
    "STATUS TRANSCRIPT TOPIC FINAL_TITLE FINAL_LONG_SUMMARY FINAL_SHORT_SUMMARY WAVEFORM DURATION"
    " ACTION_ITEMS"
)
STATES = word_set("idle uploaded recording processing ended error")
EFFECTS = word_set(
    "webhook zulip_message zulip_update s3_put s3_delete local_put local_delete local_doubled"
)
DURATION_TOLERANCE_MS = 30.0  # one MP3 frame is 24 to 26 ms
WAVEFORM_TOLERANCE = 0.02  # two of the last stored digit
_NUMBER = re.compile(r"\d{1,3}")


def public(path: str) -> str:
    """The path with every part wildcarded that is neither such a field nor a small number."""
    parts = path.split("/")
    return "/".join(p if p in FIELDS or _NUMBER.fullmatch(p) else "*" for p in parts)


def public_event(label: str) -> str:
    """`user STATUS:ended`, or `*` where the type or its value is not one of Reflector's."""
    name, _, value = label.removeprefix("user ").partition(":")
    return label if name in EVENTS and (not value or value in STATES) else "*"


def public_effect(kind: str) -> str:
    """The effect's kind, or `*`."""
    return kind if kind in EFFECTS else "*"
