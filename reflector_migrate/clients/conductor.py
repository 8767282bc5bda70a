"""What the rest of the product asks of a Conductor server, by name and typed.

A thin layer over the REST API: every call has a timeout, calls that are safe to
repeat are repeated a bounded number of times, and errors are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from reflector_migrate.clients.conductor_http import ConductorHttp, NotFoundError
from reflector_migrate.settings import Settings

Json = dict[str, Any]


class ConductorClient:
    """One server's metadata, workflows and task queues."""

    def __init__(self, settings: Settings) -> None:
        """Connect lazily to `settings.conductor.server_url`."""
        self.http = ConductorHttp(settings.conductor)

    def close(self) -> None:
        """Close every connection."""
        self.http.close()

    # definitions

    def task_def(self, name: str) -> Json | None:
        """A task definition as the server holds it."""
        return self._maybe(f"/metadata/taskdefs/{name}")

    def create_task_defs(self, definitions: Sequence[Mapping[str, Any]]) -> None:
        """Add task definitions; they replace those of the same names."""
        self.http.post("/metadata/taskdefs", [dict(d) for d in definitions])

    def replace_task_def(self, definition: Mapping[str, Any]) -> None:
        """Replace one task definition."""
        self.http.put("/metadata/taskdefs", dict(definition))

    def workflow_def(self, name: str, version: int) -> Json | None:
        """A workflow definition as the server holds it."""
        return self._maybe(f"/metadata/workflow/{name}", version=version)

    def put_workflow_def(self, definition: Mapping[str, Any]) -> None:
        """Add or replace one version of a workflow definition."""
        self.http.put("/metadata/workflow", [dict(definition)])

    # workflows

    def start(self, request: Mapping[str, Any]) -> str:
        """Start a workflow and return its id; UnknownOutcomeError if the answer was lost."""
        return str(self.http.post("/workflow", dict(request)))

    def workflow(self, workflow_id: str, *, with_tasks: bool = True) -> Json:
        """An execution; NotFoundError when the server does not have it."""
        found: Json = self.http.get(f"/workflow/{workflow_id}", includeTasks=with_tasks)
        return found

    def running(self, name: str, version: int) -> list[str]:
        """Ids of running workflows of a name and version."""
        return list(self.http.get(f"/workflow/running/{name}", version=version) or [])

    def correlated(self, name: str, correlation_id: str) -> list[Json]:
        """Executions of a correlation id, ended ones too; empty on a server without an index."""
        path = f"/workflow/{name}/correlated/{correlation_id}"
        return list(self.http.get(path, includeClosed=True, includeTasks=False) or [])

    def retry(self, workflow_id: str) -> None:
        """Run the last failed task again."""
        self.http.post(f"/workflow/{workflow_id}/retry", resumeSubworkflowTasks=False)

    def restart(self, workflow_id: str) -> None:
        """Run an ended workflow from its first task; the server forgets its tasks so far."""
        self.http.post(f"/workflow/{workflow_id}/restart", useLatestDefinitions=False)

    def rerun(self, workflow_id: str, task_id: str) -> str:
        """Run again from a task on; returns the id of the workflow that does."""
        body = {"reRunFromWorkflowId": workflow_id, "reRunFromTaskId": task_id}
        return str(self.http.post(f"/workflow/{workflow_id}/rerun", body))

    def decide(self, workflow_id: str) -> None:
        """Have the server look at a workflow now: what has timed out, what comes next."""
        self.http.put(f"/workflow/decide/{workflow_id}")

    def terminate(self, workflow_id: str, reason: str) -> None:
        """Stop a running workflow."""
        self.http.delete(f"/workflow/{workflow_id}", reason=reason)

    def remove(self, workflow_id: str) -> None:
        """Forget an ended workflow with its inputs and outputs; NotFoundError if it is unknown."""
        self.http.delete(f"/workflow/{workflow_id}/remove", archiveWorkflow="false")

    # queues

    def poll_data(self, task_name: str) -> list[Json]:
        """Who last polled a task's queues: queueName, domain, workerId, lastPollTime (ms)."""
        return list(self.http.get("/tasks/queue/polldata", taskType=task_name) or [])

    def queue_size(self, task_name: str, domain: str | None = None) -> int:
        """How many tasks wait in a queue, those with a delay too."""
        queue = f"{domain}:{task_name}" if domain else task_name
        found: Json = self.http.get("/tasks/queue/sizes", taskType=queue)
        return int(found[queue])

    def put_back(self, task: Mapping[str, Any]) -> None:
        """Put a task into its queue, for any worker to take at once."""
        self.http.post(
            "/tasks",
            {
                "taskId": task["taskId"],
                "workflowInstanceId": task["workflowInstanceId"],
                "status": "IN_PROGRESS",
                "callbackAfterSeconds": 0,
                "outputData": task.get("outputData") or {},
            },
        )

    def task(self, task_id: str) -> Json:
        """One task."""
        found: Json = self.http.get(f"/tasks/{task_id}")
        return found

    def _maybe(self, path: str, **params: Any) -> Json | None:
        try:
            found: Json | None = self.http.get(path, **params)
        except NotFoundError:
            return None
        return found


@contextmanager
def connected(settings: Settings) -> Iterator[ConductorClient]:
    """A client that is closed at the end of the block."""
    client = ConductorClient(settings)
    try:
        yield client
    finally:
        client.close()
