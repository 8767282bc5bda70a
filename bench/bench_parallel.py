"""N tracks of recognition in parallel against the legacy pipeline's one after the other.

Real servers and both real pipelines: the stand-in recogniser takes 3 s a track; each
engine runs the same N tracks alone, the other one resting. `path` is the workflow's
critical path, put together from its own steps' times; what is left is orchestration.
`ideal` is the ratio of the two schedules, were orchestration free. The last line is the
ratio we claim: legacy / workflow at the most tracks.
"""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from patience import until

from reflector_migrate.experiments.compare import start_primary
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.harness import Harness
from reflector_migrate.model import StepRun
from reflector_migrate.sandbox.recordings import FixtureRecording, load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from tests.conductor_world import catch_up

SECONDS_A_TRACK = 3.0
TRACKS = tuple(int(n) for n in os.environ.get("BENCH_TRACKS", "1,2,4,8").split(","))
FROM = "twelve-tracks"


class Times(NamedTuple):
    """Seconds of one N: the legacy run, the workflow, its critical path, the ideal ratio."""

    legacy_s: float
    workflow_s: float
    path_s: float
    ideal: float

    @property
    def ratio(self) -> float:
        """How many times longer legacy takes."""
        return self.legacy_s / self.workflow_s


def main() -> None:
    """Measure and print."""
    patient = Settings.model_validate(
        # no answer of an earlier round serves a later one: the tracks are the same
        {"sandbox": {"start_timeout_s": 240.0}, "cache": {"ttl_s": 0}}
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(patient, Path(folder), shadow=True) as sandbox,
    ):
        measured = {count: tracks_in_parallel(sandbox, count) for count in (1, *TRACKS)}
        for count in TRACKS:
            print(_line(count, measured[count]))
        most = measured[max(TRACKS)]
        print(f"ratio {most.ratio:.2f} (ideal {most.ideal:.2f})")


def _line(count: int, times: Times) -> str:
    over_s = times.workflow_s - times.path_s
    return (
        f"N={count}  legacy {times.legacy_s:5.1f} s (N x S = {count * SECONDS_A_TRACK:4.1f})"
        f"   workflow {times.workflow_s:5.1f} s = critical path {times.path_s:5.1f} + {over_s:4.2f}"
        f"   ratio {times.ratio:4.2f} of ideal {times.ideal:4.2f}"
    )


def tracks_in_parallel(sandbox: Sandbox, count: int) -> Times:
    """Both engines on the first `count` tracks, one engine after the other."""
    settings = sandbox.settings
    recording = _part_of(load_recording(settings.sandbox.recordings, FROM), count)
    with StandinControl(settings.sandbox.control_url or "") as control:
        control.reset()
        control.set_noise("recogniser", latency_s=SECONDS_A_TRACK)
        set_stage(Harness.of(settings), recording)
        sandbox.kill("shadow", signal.SIGSTOP)  # the candidate waits until legacy has ended
        try:
            legacy = _legacy_steps(settings, recording)
        finally:
            sandbox.kill("shadow", signal.SIGCONT)
        return _times(legacy, _workflow_steps(settings, recording))


def _part_of(whole: FixtureRecording, count: int) -> FixtureRecording:
    name = f"{uuid.uuid4()}"
    tracks = whole.tracks[:count]
    return whole.model_copy(update={"recording_id": name, "tracks": tracks})


def _legacy_steps(settings: Settings, recording: FixtureRecording) -> tuple[StepRun, ...]:
    from reflector_migrate.pipeline.rows import Rows
    from reflector_migrate.store.steps import StepLog

    rows = Rows.at(settings.reflector.database_url or "")
    before = _newest_task(settings)
    start_primary(settings, recording)
    until(lambda: (row := rows.transcript_of(recording.recording_id)) and row.status == "ended")
    until(lambda: _newest_task(settings) != before)  # its times are told after its row
    return StepLog(settings.store_url).of(_newest_task(settings) or "")


def _newest_task(settings: Settings) -> str | None:
    """The Celery task whose steps were logged last: finalize is the pipeline task's own."""
    from sqlalchemy import select

    from reflector_migrate.store.base import reading
    from reflector_migrate.store.tables import step_runs

    query = select(step_runs.c.run_id).where(step_runs.c.name == "finalize")
    with reading(settings.store_url) as connection:
        found: str | None = connection.scalar(query.order_by(step_runs.c.id.desc()).limit(1))
    return found


def _workflow_steps(settings: Settings, recording: FixtureRecording) -> tuple[StepRun, ...]:
    from reflector_migrate.store.runs import Runs

    runs = Runs(settings.store_url)
    until(lambda: (run := runs.latest(recording.recording_id)) and run.workflow_id)
    run = runs.latest(recording.recording_id)
    workflow_id = (run.workflow_id if run else None) or ""
    until(lambda: catch_up(settings, workflow_id).status != "running")
    found = catch_up(settings, workflow_id)
    if found.status != "completed":
        raise SystemExit(f"the workflow ended {found.status}: {found.reason}")
    until(lambda: (run := runs.latest(recording.recording_id)) and run.state == "compared")
    return found.step_runs


def _times(legacy: tuple[StepRun, ...], workflow: tuple[StepRun, ...]) -> Times:
    until = [s for s in workflow if s.name not in ("cleanup_consent", "post_zulip", "send_webhook")]
    path_s, serial_s = _critical_path(until), sum(_took(s) for s in legacy)
    return Times(_span(legacy), _span(until), path_s, serial_s / path_s)


def _span(steps: Any) -> float:
    starts = [s.queued or s.started for s in steps]
    seconds: float = (max(s.ended for s in steps) - min(starts)).total_seconds()
    return seconds


def _took(step: StepRun) -> float:
    assert step.started is not None
    assert step.ended is not None
    return (step.ended - step.started).total_seconds()


def _critical_path(steps: list[StepRun]) -> float:
    """The definition's longest way through the steps' own times."""

    def longest(name: str) -> float:
        return max(_took(s) for s in steps if s.name == name)

    def plan(number: int) -> float:
        plans = [s for s in steps if s.name == "generate_dynamic_fork_tasks"]
        return _took(plans[number])

    straight = ("get_recording", "get_participants", "pad_track", "mixdown_tracks")
    after = ("merge_transcripts", "detect_topics", "finalize")
    listening = max(longest("generate_waveform"), plan(1) + longest("transcribe_track"))
    written = max(longest("generate_title"), longest("generate_summary"))
    return sum(map(longest, (*straight, *after))) + plan(0) + listening + written


if __name__ == "__main__":
    main()
