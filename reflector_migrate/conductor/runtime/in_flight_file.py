"""What a worker process is at, written down for its parent, who reports it should it die.

Without that a killed step comes back only after its response timeout, which for
recognition is a quarter of an hour. When the parent dies as well, it does.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conductor.client.http.models.task_result import TaskResult
from conductor.client.http.models.task_result_status import TaskResultStatus
from conductor.client.http.rest import ApiException

from reflector_migrate.conductor.runtime.task_client import TimedTaskApi
from reflector_migrate.conductor.task_domain import identity
from reflector_migrate.conductor.task_metadata import META, meta_of
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.settings import ready_file

logger = logging.getLogger(__name__)


class Note(NamedTuple):
    """One attempt at one task, and what it has used so far."""

    step: str
    task_id: str
    workflow_id: str
    attempt: int
    used: Mapping[str, Any]


def write(path: Path | None, notes: Iterable[Note]) -> None:
    """Replace what is written down, if there is a path; a full disk stops no work."""
    if path is None:
        return
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(json.dumps([*notes]), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        logger.warning("cannot write the in-flight file %s: %s", path, error.strerror)


def read(path: Path) -> tuple[Note, ...]:
    """What was last written down; nothing if nothing was."""
    try:
        return tuple(Note(*note) for note in json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()


def path_of_ours() -> Path | None:
    """Where this process writes, if its parent wants to know."""
    ready = ready_file()
    return notes_beside(ready) if ready else None


def notes_beside(ready_file: Path) -> Path:
    """Where the process writes that has this ready file."""
    return ready_file.with_suffix(".notes")


class Deaths:
    """Reports what dead processes were at as failed attempts, which are then tried again."""

    def __init__(self, harness: Harness) -> None:
        """Connect to nothing before a worker dies."""
        self._harness = harness

    def report(self, pid: int, code: int, notes: Sequence[Note]) -> None:
        """Tell the server, best effort and without waiting for it."""
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        args = (pid, f"worker process {pid} {how}", notes)
        threading.Thread(target=self._report, args=args, name="deaths", daemon=True).start()

    def _report(self, pid: int, reason: str, notes: Sequence[Note]) -> None:
        api, who = TimedTaskApi(self._harness), identity()._replace(pid=pid)
        for note in notes:
            usage = Usage.model_validate({**note.used, "is_partial": True})
            meta = meta_of(who, note.attempt, note.step, usage)
            result = TaskResult(
                task_id=note.task_id,
                workflow_instance_id=note.workflow_id,
                worker_id=who.worker_id,
                status=TaskResultStatus.FAILED,
                reason_for_incompletion=f"attempt {note.attempt} of {meta['attempts']}: {reason}",
                output_data={META: meta},
            )
            try:
                api.update_task(result)  # of no effect if it had been handed in
            except ApiException as error:
                logger.warning("task %s: %s; not reported: %s", note.task_id, reason, error.status)
