"""The steps' rows as Conductor's task definitions.

Times are scaled for tests only; unscaled they are the requirements' own. Exponential
backoff is capped where the server can cap it.
"""

from __future__ import annotations

import math
from typing import Any

from reflector_migrate.model import STEP_SPECS, StepSpec
from reflector_migrate.pipeline.contracts import CONTRACTS
from reflector_migrate.settings import Settings

Json = dict[str, Any]

BACKOFF_CAP_S = 60


def task_definitions(settings: Settings, *, caps_retry_delay: bool) -> tuple[Json, ...]:
    """All fifteen, in the order in which the steps first run.

    `caps_retry_delay`: whether the server knows `maxRetryDelaySeconds`.
    """
    limits = concurrency_limits(settings)
    return tuple(
        _definition(spec, settings, limits.get(spec.name), caps_retry_delay=caps_retry_delay)
        for spec in STEP_SPECS
    )


def concurrency_limits(settings: Settings) -> dict[str, int]:
    """Tasks of each step at once: as many of each that calls a service as its budget allows.

    A service's budget is divided over the steps that call it.
    """
    calls: dict[str, int] = {}
    for spec in STEP_SPECS:
        if spec.service:
            at_once = settings.llm_calls if spec.has_parallel_calls else 1
            calls[spec.service] = calls.get(spec.service, 0) + at_once
    budgets = settings.budgets.model_dump()
    return {s.name: budgets[s.service] // calls[s.service] for s in STEP_SPECS if s.service}


def scaled(seconds: float, time_scale: float) -> int:
    """Whole seconds, at least one: Conductor knows no less."""
    return max(1, math.ceil(seconds * time_scale))


def _definition(
    spec: StepSpec, settings: Settings, limit: int | None, *, caps_retry_delay: bool
) -> Json:
    scale, contract = settings.conductor.time_scale, CONTRACTS[spec.name]
    definition: Json = {
        "name": spec.name,
        "description": spec.description,
        "ownerEmail": settings.conductor.owner_email,
        "timeoutSeconds": scaled(spec.timeout_s, scale),
        "responseTimeoutSeconds": scaled(spec.response_timeout_s, scale),
        "timeoutPolicy": "RETRY",
        "retryCount": spec.retries,
        "retryLogic": "EXPONENTIAL_BACKOFF" if spec.is_backoff_exponential else "FIXED",
        "retryDelaySeconds": scaled(spec.retry_wait_s, scale),
        "inputKeys": sorted(contract.input.model_fields),
        "outputKeys": sorted(contract.output.model_fields),
    }
    if spec.is_backoff_exponential and caps_retry_delay:
        definition["maxRetryDelaySeconds"] = scaled(BACKOFF_CAP_S, scale)
    return definition if limit is None else {**definition, "concurrentExecLimit": limit}
