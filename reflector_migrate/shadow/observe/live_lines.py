"""What both sides of a run are doing just now, one line a side."""

from __future__ import annotations

from reflector_migrate.settings import Settings
from reflector_migrate.store.runs import RunRecord


def both_sides(settings: Settings, run: RunRecord | None) -> tuple[str, str]:
    """`primary …` and `candidate …`; cheap enough to be asked several times a second."""
    if run is None:
        return "primary    queued", "candidate  waiting to be dispatched"
    return f"primary    {_primary(settings, run)}", f"candidate  {_candidate(settings, run)}"


def _primary(settings: Settings, run: RunRecord) -> str:
    from reflector_migrate.pipeline.rows import Rows

    rows = Rows.at(settings.reflector.database_url or "")
    transcript = rows.find_transcript(run.transcript_id)
    if transcript is None:
        return "no row"
    last = transcript.events[-1]["event"] if transcript.events else "started"
    return f"{transcript.status} (last event {last})"


def _candidate(settings: Settings, run: RunRecord) -> str:
    from reflector_migrate.store.events import EventLog

    seen = [
        e for e in EventLog(settings.store_url).of(run.run_id) if e.event == "PIPELINE_PROGRESS"
    ]
    if not seen:
        return run.state
    data = seen[-1].data
    track = ""
    if data.get("track_index") is not None:
        track = f" track {data['track_index'] + 1} of {data.get('track_total', '?')}"
    step = f"step {data['step_index']} of {data['total_steps']}"
    return f"{step}: {data['current_step']}{track} {data['step_status']} {data.get('percent', '')}%"
