"""Runs the candidate's step on the primary's input, apart from both, and compares.

Code and seeded defects are those of the candidate's workers as they are now: a fault
that has been put right meanwhile is not reproduced. Effects are recorded, never done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reflector_migrate.errors import InputError, MigrateError, TerminalStepError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.explanation import Confirmation
from reflector_migrate.model import Blame, Engine, Observation, Role, StepRun, spec_of
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.confirm.audio_input import with_sounds
from reflector_migrate.shadow.confirm.sandbox_namespace import put_values, scratch
from reflector_migrate.shadow.confirm.step_input import Given, given_to


@dataclass(frozen=True, slots=True)
class Made:
    """What one run of the step gave: digest of its output, digests of what it left, or failure."""

    output_digest: str | None = None
    derived: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


def confirm(harness: Harness, seen: Observation, blame: Blame) -> Confirmation:
    """Confirmed, not reproduced, or why it is unknown. `seen` is the primary's account."""
    step = _step_of(seen, blame)
    facts = _facts(harness.settings, blame)
    if step is None or step.status != "completed":
        return Confirmation(**facts, outcome="cannot tell", why="the primary did not complete it")
    try:
        given = given_to(harness, seen, step)
        facts |= {"input_from": given.origin, "input_ref": given.ref}
        return _judged(harness, seen, step, given, facts)
    except MigrateError as error:
        return Confirmation(**facts, outcome="cannot tell", why=error.message)


def _step_of(seen: Observation, blame: Blame) -> StepRun | None:
    wanted = (blame.step, blame.track_index)
    found = [step for step in seen.steps if (step.name, step.track_index) == wanted]
    return found[-1] if found else None


def _facts(settings: Settings, blame: Blame) -> dict[str, Any]:
    from reflector_migrate.conductor.build import build_hash

    return {
        "step": blame.step,
        "track_index": blame.track_index,
        "build": build_hash(),
        "defects": settings.workers.defects,
    }


def _judged(
    harness: Harness, seen: Observation, step: StepRun, given: Given, facts: dict[str, Any]
) -> Confirmation:
    """One run; where it differs, another one separates the step's own noise from a fault."""
    made = _made(harness, seen, step, given)
    if made.failure:
        why = f"the candidate's step fails where the primary's did not: {made.failure}"
        return Confirmation(**facts, outcome="confirmed", why=why)
    facts |= {"reference_digest": step.output_digest, "hypothesis_digest": made.output_digest}
    differs, compared = _differences(step, made)
    if not compared:
        return Confirmation(**facts, outcome="cannot tell", why="the primary's output is unknown")
    if not differs:
        why = f"the candidate's step gives the primary's output: {', '.join(compared)}"
        return Confirmation(**facts, outcome="not reproduced", why=why)
    if _made(harness, seen, step, given) != made:
        why = "two runs of the step on the same input differ from each other: noise"
        return Confirmation(**facts, outcome="cannot tell", why=why, differs=differs)
    why = f"the candidate's step gives another output on the primary's input: {', '.join(differs)}"
    return Confirmation(**facts, outcome="confirmed", why=why, differs=differs)


def _differences(step: StepRun, made: Made) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of what differs, and of all that could be compared."""
    pairs: dict[str, tuple[str, str | None]] = {
        name: (digest, made.derived[name])
        for name, digest in step.derived.items()
        if name in made.derived
    }
    if step.output_digest:
        pairs.pop("words", None)  # the output is those words
        pairs["output"] = (step.output_digest, made.output_digest)
    differs = tuple(sorted(name for name, (theirs, ours) in pairs.items() if theirs != ours))
    return differs, tuple(sorted(pairs))


def _made(harness: Harness, seen: Observation, step: StepRun, given: Given) -> Made:
    from reflector_migrate.pipeline.runner import run_step

    with scratch(harness, seen, step.name) as (ours, run):
        put_values(ours, given.values)
        _require_runnable(ours, run)
        fields = with_sounds(harness, ours, seen, step.name, given.fields, run.run_id)
        try:
            done = run_step(step.name, {**fields, "run": run.model_dump(mode="json")}, ours)
        except TerminalStepError as error:
            return Made(failure=error.message)
        left = dict(_left_there(ours, seen, run.run_id, step))
        if spec_of(step.name).is_heard:
            left["words"] = _words_digest(done.output)
        return Made(done.output_digest, left)


def _require_runnable(ours: Harness, run: Run) -> None:
    """Raise what would keep any step from running: that is not a failure of this one."""
    if ours.settings.workers.defects and not ours.settings.is_sandbox:
        hint = "remove it from migrate.toml"
        raise InputError("workers.defects may be set in the sandbox only", hint=hint)
    build_context(run, ours)


def _words_digest(output: Mapping[str, Any]) -> str:
    return str((output.get("all_words") or output["words"])["sha256"])


def _left_there(ours: Harness, seen: Observation, run_id: str, step: StepRun) -> Mapping[str, str]:
    """What the step left in the scratch row, read as both sides' rows are."""
    from reflector_migrate.shadow.observe.derived import with_derived
    from reflector_migrate.shadow.observe.reader import candidate_of, observe

    account = observe(
        ours,
        candidate_of(ours.settings, run_id),
        seen.recording,
        role=Role.CANDIDATE,
        engine=Engine.CONDUCTOR,
    )
    effects = ours.effects.of(run_id)
    ran = StepRun(name=step.name, track_index=step.track_index)
    told = account.model_copy(update={"effects": effects, "steps": (ran,)})
    [found] = [
        s for s in with_derived(told).steps
        if (s.name, s.track_index) == (step.name, step.track_index)
    ]  # fmt: skip
    return found.derived


def primary_of_run(harness: Harness, run_id: str) -> Observation:
    """The primary's account as it was stored with the comparison; InputError if it is gone."""
    found = harness.evidence.observation(run_id, Role.PRIMARY)
    if found is None:
        raise InputError(f"the primary's observation of run {run_id} is no longer stored")
    return found
