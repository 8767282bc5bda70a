"""A run's workflow is started once, also where the server does not list what has ended."""

import pytest

from reflector_migrate.conductor.progress import Progress
from reflector_migrate.conductor.start import STRAY, start_workflow
from reflector_migrate.harness import Harness
from tests.a_run import RAW, RUN
from tests.answering import answering, at
from tests.conductor_world import tracks
from tests.progress_world import settings_of

TOLD = "wf-told"


class Unlisted:
    """A 3.15.0 without an index: it has the workflow that ended, and lists none."""

    def __init__(self, **workflow):
        self.ended = {"workflowId": TOLD, "status": "COMPLETED", "input": RAW, **workflow}
        self.started = 0

    def __call__(self, method, path):
        """Answer as that server does."""
        if method == "POST":
            self.started += 1
            return 200, "wf-started"
        if path.endswith(f"/{TOLD}"):
            return (200, self.ended) if self.ended["input"] else (404, {})
        return 200, []


@pytest.mark.parametrize(
    ("workflow", "serves"),
    [
        pytest.param({}, TOLD, id="which is this run's"),
        pytest.param({"reasonForIncompletion": STRAY}, "wf-started", id="stopped as a stray"),
        pytest.param(
            {"input": {"run": {**RAW["run"], "run_id": "another"}}}, "wf-started",
            id="of another run",
        ),
        pytest.param({"input": None}, "wf-started", id="removed since"),
    ],
)  # fmt: skip
def test_a_workflow_that_told_of_its_progress_is_found(tmp_path, workflow, serves):
    """Its starter died before it stored the id, and the recording was short."""
    server = Unlisted(**workflow)
    with answering(server) as url:
        harness = Harness.of(at(settings_of(tmp_path), url))
        raw = {**RAW, "run": {**RAW["run"], "workflow_id": TOLD}}
        Progress(harness).completed("get_recording", raw)
        assert start_workflow(harness, RUN, tracks(1)) == serves
    assert server.started == (serves != TOLD)
