"""The name under which Reflector registers its multitrack pipeline."""

from __future__ import annotations

PIPELINE = "task_pipeline_multitrack_process"
PIPELINE_TASK = f"reflector.pipelines.main_multitrack_pipeline.{PIPELINE}"
