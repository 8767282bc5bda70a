"""The steps: plain functions of a task and a context, no engine in sight.

Each may run twice, be killed halfway or run on two workers at once, and the
result is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from reflector_migrate.model import STEP_NAMES

Step = Callable[[Any, Any], Any]
"""From a step's input and a StepContext to the step's output."""


def _step(name: str) -> Step:
    step: Step = getattr(import_module(f"{__name__}.{name}"), name)
    return step


STEPS: Mapping[str, Step] = {name: _step(name) for name in STEP_NAMES}
