"""Runs one step by name on plain JSON: validate, execute, validate, digest.

The seam between the steps, which know no engine, and whatever engine calls
them. Written so that a worker is three lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reflector_migrate.model import Usage
from reflector_migrate.settings import Settings

Heartbeat = Callable[[], None]


class StepResult(NamedTuple):
    """A step's validated JSON output, what it used, and the digests of both ends."""

    output: dict[str, Any]
    usage: Usage
    input_digest: str
    output_digest: str


def run_step(
    name: str, raw_input: Mapping[str, Any], settings: Settings, heartbeat: Heartbeat = lambda: None
) -> StepResult:
    """Run step `name` on JSON `raw_input`.

    Raises TerminalStepError (hopeless; names the field when the input is not to
    the contract), TransientStepError (worth a retry).
    """
    raise NotImplementedError(name)
