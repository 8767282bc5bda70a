"""One run of the candidate, for tests to which it does not matter which."""

from __future__ import annotations

from reflector_migrate.pipeline.contracts import Run

RUN = Run(
    run_id="run-1",
    recording_id="rec",
    transcript_id="tr-1",
    namespace="shadow",
    bucket_name="b",
    workflow_id="wf-1",
)
RAW = {"run": RUN.model_dump(mode="json")}
