"""Runs one step by name on plain JSON: validate, execute, validate, digest.

The seam between the steps, which know no engine, and whatever engine calls
them. Written so that a worker is three lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from reflector_migrate.errors import (
    ConfigurationError,
    InputError,
    OutageError,
    RefusedError,
    ServerUnreachableError,
    StepError,
    TerminalStepError,
    TransientStepError,
)
from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.bridge.steps import steps_of
from reflector_migrate.pipeline.context import StepContext, build_context
from reflector_migrate.pipeline.contracts import CONTRACTS, Run, StepInput
from reflector_migrate.pipeline.defects.registry import switched_on, with_defects
from reflector_migrate.pipeline.digests import digest, input_digest
from reflector_migrate.pipeline.heartbeat_pool import Heartbeat
from reflector_migrate.pipeline.log_context import about
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.steps import STEPS, Step
from reflector_migrate.settings import Settings

M = TypeVar("M", bound=BaseModel)


class StepResult(NamedTuple):
    """A step's validated JSON output, what it used, and the digests of both ends.

    processors: the build of Reflector's own code, where that did the step's work.
    """

    output: dict[str, Any]
    usage: Usage
    input_digest: str | None
    output_digest: str
    processors: str | None = None


def run_step(
    name: str,
    raw_input: Mapping[str, Any],
    harness: Harness,
    heartbeat: Heartbeat = lambda: None,
    meter: UsageMeter | None = None,
) -> StepResult:
    """Run step `name` of the candidate on JSON `raw_input`.

    Raises TerminalStepError (hopeless; names the field when the input is not to
    the contract), TransientStepError (worth a retry). What a failed step has used
    is in `meter`, if one is given.
    """
    task = validated_input(name, raw_input)
    _refuse_foreign(task.run, harness.settings)
    with as_step_errors():
        ctx = build_context(task.run, harness, heartbeat=heartbeat, meter=meter)
        step = _steps(harness.settings, task.run)[name]
    return execute(name, task, ctx, step)


def validated_input(name: str, raw_input: Mapping[str, Any]) -> StepInput:
    """The step's input as its contract has it; TerminalStepError names the field."""
    contract = CONTRACTS.get(name)
    if contract is None:
        raise TerminalStepError(f"unknown step {name!r}")
    return _validated(contract.input, raw_input, f"{name}: input")


def execute(name: str, task: StepInput, ctx: StepContext, step: Step | None = None) -> StepResult:
    """Run a step on a validated task in a context of the caller's (the monolith's, say)."""
    with about(name, task.run), as_step_errors():
        made = (step or STEPS[name])(task, ctx)
    model = CONTRACTS[name].output
    output = _validated(model, made.model_dump(mode="json"), f"{name}: output")
    return StepResult(
        output=output.model_dump(mode="json"),
        usage=ctx.meter.total,
        input_digest=input_digest(task),
        output_digest=digest(output),
        processors=ctx.bridge.build,
    )


@contextmanager
def as_step_errors() -> Iterator[None]:
    """Every error leaves as Transient- or TerminalStepError, so that an engine knows what to do."""
    try:
        yield
    except StepError:
        raise
    except ServerUnreachableError as error:  # our store's, as services raise StepErrors
        raise OutageError(error.message, hint=error.hint) from error
    except (ConfigurationError, InputError, RefusedError) as error:
        raise TerminalStepError(error.message, hint=error.hint) from error
    except OSError as error:  # disk full, no permission: another worker may do better
        raise TransientStepError(f"{type(error).__name__}: {error.strerror}") from error


def _validated(model: type[M], value: Any, where: str) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "(all of it)"
        raise TerminalStepError(f"{where}: {field}: {first['msg']}") from None
    except (KeyError, TypeError) as invalid:  # a JOIN whose branches are not what they should be
        raise TerminalStepError(f"{where}: {type(invalid).__name__} {invalid}") from None


def _refuse_foreign(run: Run, settings: Settings) -> None:
    ours = settings.candidate.namespace
    if run.namespace != ours:
        raise TerminalStepError(f"run.namespace is {run.namespace}, but this worker serves {ours}")


def _steps(settings: Settings, run: Run) -> Mapping[str, Step]:
    entries = settings.workers.defects
    if entries and not settings.is_sandbox:
        raise TerminalStepError("workers.defects may be set in the sandbox only")
    names, steps = switched_on(entries, run.recording_id), steps_of(settings)
    return with_defects(steps, names) if names else steps
