"""Runs in a copy of the package that has one more step; prints what became of it as JSON."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from conductor.client.http.models.task import Task
from rich.console import Console

from reflector_migrate.conductor.event_dictionary import as_json
from reflector_migrate.conductor.progress import percent_of
from reflector_migrate.conductor.runtime.groups import GROUPS
from reflector_migrate.conductor.runtime.task_runner import TaskRunner
from reflector_migrate.conductor.runtime.worker_registry import WORKERS
from reflector_migrate.conductor.tasks.definitions import task_definitions
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.explanation import explanation_of
from reflector_migrate.model import STEP_SPECS, VISIBLE_STEPS, Event, Observation, StepRun
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.runner import run_step
from reflector_migrate.settings import Settings
from reflector_migrate.store.artifacts import Artifacts
from reflector_migrate.store.migrate import upgrade
from reports.terminal import render
from tests.comparing import events_of, observation, outputs_of
from tests.harness_world import WHO, Watcher

STEP = "find_keywords"
TOPICS = [{"title": "Quarterly budget"}, {"title": "Hiring plan"}]
OUTPUTS = outputs_of()


def worked(folder: Path) -> dict[str, Any]:
    """The result of one task of its worker, by the pipeline's own runner."""
    settings = Settings.model_validate(
        {
            "store": {"url": f"sqlite:///{folder / 'store.db'}"},
            "candidate": {"database_url": f"sqlite:///{folder / 'rows.db'}"},
        }
    )
    upgrade(settings.store_url)
    ref = Artifacts(settings.store_url).put("run-1", "detect_topics", "topics", TOPICS)
    run = Run(
        run_id="run-1", recording_id="rec", transcript_id="tr-1", namespace="shadow",
        bucket_name="b",
    )  # fmt: skip
    given = {"run": run.model_dump(mode="json"), "topics": ref._asdict()}
    watcher = Watcher()
    runner = TaskRunner(Harness.of(settings), WHO, run_step, watcher, lambda _task: lambda: None)
    task = Task(task_id="t", workflow_instance_id="w", input_data=given, retry_count=0)
    result = WORKERS[STEP](task, runner)
    return {
        "status": str(result.status),
        "output": result.output_data,
        "reason": result.reason_for_incompletion,
        "told": watcher.told,
    }


def account(role: str, digest: str, keywords: list[str], *, has_event: bool = True) -> Observation:
    """A side that ran every step, the made-up one with this output."""
    ran = tuple(
        StepRun(
            name=spec.name, input_digest=f"in {spec.name}",
            output_digest=digest if spec.name == STEP else f"out {spec.name}",
            started="2026-11-28T12:00:00Z", ended="2026-11-28T12:00:05Z",
        )
        for spec in STEP_SPECS
        for _ in range(spec.runs)
    )  # fmt: skip
    row = {**OUTPUTS.row, "keywords": keywords}
    *others, status = events_of(OUTPUTS)
    own = Event(event="KEYWORDS", data={"keywords": keywords}, channel=status.channel)
    events = (*others, *[own][: int(has_event)], status)
    outputs = OUTPUTS.model_copy(update={"row": row})
    return observation(outputs, role=role, steps=ran, events=events)


def main() -> None:
    """Print everything that the test looks at."""
    primary = account("primary", "a", ["budget"])
    other_row = account("candidate", "b", ["hiring"])
    silent = account("candidate", "a", ["budget"], has_event=False)
    compared = compare(primary, other_row)
    shown = io.StringIO()
    render(compared, Console(file=shown, width=120), is_ascii=True)
    told = explanation_of(compared, "rec", compared.checks)
    definitions = task_definitions(Settings(), caps_retry_delay=True)
    found = {
        "definition": next(d for d in definitions if d["name"] == STEP),
        "group": [group for group, steps in GROUPS.items() if STEP in steps],
        "events": as_json()["tasks"][STEP]["events"],
        "percent": percent_of({(s, None, "completed") for s in VISIBLE_STEPS[:-1]}, 1),
        "worked": worked(Path(sys.argv[1])),
        "blamed": [
            compare(primary, side).first_divergent_step.model_dump(mode="json")
            for side in (other_row, silent)
        ],
        "agreed": compare(primary, primary).first_divergent_step,
        "explained": [
            link.model_dump(mode="json") for link in told.chain if link.step == STEP
        ],
        "reported": shown.getvalue(),
    }  # fmt: skip
    sys.stdout.write(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
