"""A step that failed for good is a difference, even where the workflow completed without it."""

from __future__ import annotations

import pytest

from comparators.row import compare_status
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Engine, Observation, Outputs, Role, StepRun, Verdict


def account(role: Role, *steps: StepRun, status: str = "completed") -> Observation:
    """A side whose row says `ended`, with these attempts."""
    return Observation.model_validate(
        {
            "recording": "r",
            "role": role,
            "engine": Engine.CELERY if role is Role.PRIMARY else Engine.CONDUCTOR,
            "status": status,
            "outputs": Outputs(row={"status": "ended"}, duration_ms=1.0),
            "steps": steps,
        }
    )


def attempt(name: str, number: int, status: str) -> StepRun:
    """One attempt of a step."""
    return StepRun.model_validate({"name": name, "attempt": number, "status": status})


FAILED = attempt("cleanup_consent", 1, "failed")
TIMED_OUT = attempt("cleanup_consent", 4, "timed_out")
DONE = attempt("cleanup_consent", 2, "completed")


@pytest.mark.parametrize(
    ("mine", "theirs", "errors"),
    [
        pytest.param((DONE,), (FAILED,), 1, id="failed on the candidate only"),
        pytest.param((), (FAILED, TIMED_OUT), 1, id="timed out at last; legacy has no steps"),
        pytest.param((DONE,), (FAILED, DONE), 0, id="failed once, then done"),
        pytest.param((FAILED,), (FAILED,), 0, id="failed on both sides"),
        pytest.param((FAILED,), (DONE,), 0, id="the candidate did what the primary could not"),
    ],
)
def test_what_failed_for_good_is_counted(mine, theirs, errors):
    """The last attempt of each step decides, and only what the candidate left undone counts."""
    measure = compare_status(account(Role.PRIMARY, *mine), account(Role.CANDIDATE, *theirs))
    assert measure.errors == errors
    assert len(measure.findings) == errors


def test_a_failed_consent_cleanup_never_reads_as_a_match():
    """Everything else equal: the verdict is DIVERGED, and the step is named."""
    primary, candidate = account(Role.PRIMARY, DONE), account(Role.CANDIDATE, FAILED)
    found = compare(primary, candidate)
    assert found.verdict is Verdict.DIVERGED
    assert found.first_divergent_step is not None
    assert found.first_divergent_step.step == "cleanup_consent"
    assert compare(primary, account(Role.CANDIDATE, DONE)).verdict is not Verdict.DIVERGED
