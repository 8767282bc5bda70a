"""What both sides of a run are doing just now, one line a side."""

from __future__ import annotations

from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.store.runs import RunRecord

BAR = 14
WORDS = {
    "claimed": "announced",
    "snapshotting": "copying its inputs",
    "waiting": "waiting for a place in flight",
    "starting": "starting its workflow",
    "started": "started",
    "settling": "ended; reading what both sides left",
    "observed": "ended; comparing",
}
"""A run's state before the first step was heard of, for a reader who does not know states."""


def both_sides(harness: Harness, run: RunRecord | None) -> tuple[str, str]:
    """`primary …` and `candidate …`; cheap enough to be asked several times a second."""
    if run is None:
        return "primary    queued", "candidate  not announced yet"
    return f"primary    {_primary(harness.settings, run)}", f"candidate  {_candidate(harness, run)}"


def _primary(settings: Settings, run: RunRecord) -> str:
    from reflector_migrate.pipeline.rows import Rows

    rows = Rows.at(settings.reflector.database_url or "")
    transcript = rows.find_transcript(run.transcript_id)
    if transcript is None:
        return "no row"
    events = [entry["event"] for entry in transcript.events if entry["event"] != "STATUS"]
    known = f", published {events[-1]}" if events else ""
    return f"{transcript.status}{known}"


def _candidate(harness: Harness, run: RunRecord) -> str:

    seen = [
        event
        for event in harness.events.of(run.run_id)
        if event.event == "PIPELINE_PROGRESS" and event.data.get("step_status") != "pending"
    ]
    if not seen:
        return WORDS.get(run.state, run.state)
    data = seen[-1].data
    track = ""
    if data.get("track_index") is not None:
        track = f" track {data['track_index'] + 1} of {data.get('track_total', '?')}"
    done = f"{_bar(int(data.get('percent', 0)))} {data.get('percent', 0)}%"
    return f"{done}  {data['current_step']}{track} {str(data['step_status']).replace('_', ' ')}"


def _bar(percent: int) -> str:
    filled = percent * BAR // 100
    return "█" * filled + "░" * (BAR - filled)
