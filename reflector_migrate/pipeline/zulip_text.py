"""The message that Zulip is sent about a finished transcript."""

from __future__ import annotations

from urllib.parse import urlsplit

from reflector_migrate.pipeline.rows import TranscriptRow

UNNAMED = "Unnamed recording"


def link(ui_base_url: str, transcript_id: str) -> str:
    """Where people read the transcript."""
    return f"{ui_base_url}/transcripts/{transcript_id}"


def content(transcript: TranscriptRow, ui_base_url: str) -> str:
    """Heading, date, link, duration, the summary and the topics' times, in Zulip's Markdown."""
    url = link(ui_base_url, transcript.id)
    head = (
        f"# Reflector – {transcript.title or UNNAMED}\n\n"
        f"**Date**: <time:{transcript.created_at.isoformat()}>\n"
        f"**Link**: [{urlsplit(url).netloc}]({url})\n"
        f"**Duration**: {clock((transcript.duration or 0) / 1000)}\n\n"
    )
    return f"{head}{_summary(transcript)}{_topics(transcript)}-----\n"


def clock(seconds: float) -> str:
    """mm:ss, and hours before it from one hour on; never rounded up."""
    minutes, second = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02d}:{second:02d}"
    return f"{hours:02d}:{tail}" if hours else tail


def _summary(transcript: TranscriptRow) -> str:
    if not transcript.long_summary:
        return ""
    return f"```spoiler Summary\n{transcript.long_summary}\n```\n\n"


def _topics(transcript: TranscriptRow) -> str:
    if not transcript.topics:
        return ""
    lines = "".join(f"1. [{clock(t['timestamp'])}] {t['title']}\n" for t in transcript.topics)
    return f"```spoiler Topics\n{lines}```\n\n"
