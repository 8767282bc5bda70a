"""Steps that do nothing, on both engines, for bench_orchestration: a Celery app and a worker host.

celery -A noops worker       with NOOPS_BROKER in the environment
python noops.py --group all  is a worker host like the real one, over steps that answer at once
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery

from reflector_migrate.conductor.runtime.groups import Member
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.heartbeat_pool import Heartbeat
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.runner import StepResult
from reflector_migrate.settings import Settings

BROKER = os.environ.get("NOOPS_BROKER", "redis://127.0.0.1:1/0")

app = Celery("noops", broker=BROKER, backend=BROKER)
app.conf.update(worker_prefetch_multiplier=1, result_expires=600)


@app.task(name="noops.nothing")
def nothing(*_about: object) -> int:
    """Do nothing."""
    return 0


def execute(
    step: str,
    raw_input: Mapping[str, Any],
    settings: Settings,
    heartbeat: Heartbeat,
    meter: UsageMeter,
) -> StepResult:
    """What run_step does, without the step."""
    del step, raw_input, settings, heartbeat, meter
    return StepResult({}, Usage(), "", "")


def serve_noops(
    settings: Settings, member: Member, stop: threading.Event, on_ready: Callable[[], None]
) -> None:
    """One worker process over steps that do nothing; all else is the real one's."""
    from reflector_migrate.conductor.runtime.worker_process import serve

    serve(Harness.of(settings), member, stop, on_ready, execute)


if __name__ == "__main__":
    from reflector_migrate.conductor.runtime import run

    sys.exit(run.main(serve=serve_noops, command=(sys.executable, __file__)))
