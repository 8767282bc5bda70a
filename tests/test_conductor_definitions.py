"""The task definitions are the requirements' table, whatever else they carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.tasks.definitions import (
    concurrency_limits,
    task_definitions,
)
from reflector_migrate.conductor.workflows.load import PIPELINE, VERSION
from reflector_migrate.model import STEP_NAMES, STEP_SPECS
from reflector_migrate.pipeline.contracts import CONTRACTS
from reflector_migrate.settings import BudgetSettings, Settings

# timeout, response timeout, retry count: typed from the requirements, Module 5
REQUIRED = {
    "get_recording": (60, 30, 3),
    "get_participants": (60, 30, 3),
    "pad_track": (300, 120, 3),
    "mixdown_tracks": (600, 300, 3),
    "generate_waveform": (120, 60, 3),
    "transcribe_track": (1800, 900, 3),
    "merge_transcripts": (60, 30, 3),
    "detect_topics": (300, 120, 3),
    "generate_title": (60, 30, 3),
    "generate_summary": (300, 120, 3),
    "finalize": (60, 30, 3),
    "cleanup_consent": (60, 30, 3),
    "post_zulip": (60, 30, 5),
    "send_webhook": (60, 30, 30),
    "generate_dynamic_fork_tasks": (30, 15, 3),
}


def definitions(caps_retry_delay=True, **conductor):
    """By name, as they would be registered."""
    settings = Settings.model_validate({"conductor": conductor})
    made = task_definitions(settings, caps_retry_delay=caps_retry_delay)
    return {definition["name"]: definition for definition in made}


def test_the_table_is_the_requirements_own():
    """Unscaled timeouts and retry counts are exactly those asked for, for exactly 15 tasks."""
    made = {
        name: (d["timeoutSeconds"], d["responseTimeoutSeconds"], d["retryCount"])
        for name, d in definitions().items()
    }
    assert made == REQUIRED
    assert tuple(made) == STEP_NAMES


@pytest.mark.parametrize("name", STEP_NAMES)
def test_a_definition_explains_itself(name):
    """Owner, description and the contract's own keys are there to be read in Conductor's UI."""
    made = definitions(owner_email="team@example.org")[name]
    assert made["ownerEmail"] == "team@example.org"
    assert len(made["description"]) > 10
    assert set(made["inputKeys"]) == set(CONTRACTS[name].input.model_fields)
    assert set(made["outputKeys"]) == set(CONTRACTS[name].output.model_fields)


@pytest.mark.live
def test_a_real_server_holds_the_table_and_shows_what_each_task_is(conductor_server):
    """As registered at scale one: times, retries, backoff, and all that its UI can explain."""
    with connected(conductor_server) as client:
        held = {name: client.task_def(name) for name in STEP_NAMES}
        workflow = client.workflow_def(PIPELINE, VERSION)
    made = {
        name: (d["timeoutSeconds"], d["responseTimeoutSeconds"], d["retryCount"])
        for name, d in held.items()
    }
    assert made == REQUIRED
    hook = held.pop("send_webhook")
    assert (hook["retryLogic"], hook["retryDelaySeconds"]) == ("FIXED", 60)
    assert {(d["retryLogic"], d["maxRetryDelaySeconds"]) for d in held.values()} == {
        ("EXPONENTIAL_BACKOFF", 60)
    }
    for d in (*held.values(), hook):
        assert all(d[key] for key in ("description", "ownerEmail", "inputKeys", "outputKeys"))
    assert all(workflow[key] for key in ("description", "ownerEmail", "inputParameters"))
    assert all(task["description"] for task in workflow["tasks"])


@pytest.mark.parametrize("name", STEP_NAMES)
def test_a_timeout_ends_the_attempt_not_the_workflow(name):
    """A step that takes too long is tried again by itself."""
    assert definitions()[name]["timeoutPolicy"] == "RETRY"


@pytest.mark.parametrize("name", [n for n in STEP_NAMES if n != "send_webhook"])
def test_backoff_is_exponential_and_capped_where_the_server_can(name):
    """3.15.0 does not know the cap and must not be sent it."""
    capped, plain = definitions()[name], definitions(caps_retry_delay=False)[name]
    assert capped["retryLogic"] == plain["retryLogic"] == "EXPONENTIAL_BACKOFF"
    assert capped["retryDelaySeconds"] == plain["retryDelaySeconds"] == 2
    assert capped["maxRetryDelaySeconds"] == 60
    assert "maxRetryDelaySeconds" not in plain


@pytest.mark.parametrize("caps", [True, False])
def test_the_webhook_waits_a_fixed_minute(caps):
    """As the legacy pipeline really does, thirty times."""
    made = definitions(caps_retry_delay=caps)["send_webhook"]
    assert (made["retryLogic"], made["retryDelaySeconds"]) == ("FIXED", 60)
    assert "maxRetryDelaySeconds" not in made


@pytest.mark.parametrize(
    ("scale", "step", "expected"),
    [
        pytest.param(0.1, "transcribe_track", (180, 90), id="a tenth"),
        pytest.param(0.001, "finalize", (1, 1), id="never below a second"),
        pytest.param(2.0, "pad_track", (600, 240), id="longer"),
    ],
)
def test_times_are_scaled_for_tests(scale, step, expected):
    """Timeouts follow the time scale; the order of timeout and response timeout stays."""
    made = definitions(time_scale=scale)[step]
    assert (made["timeoutSeconds"], made["responseTimeoutSeconds"]) == expected


def the_least_budgets():
    """What each service may be given at the least: below it, some step would never run."""
    return {name: field.metadata[0].ge for name, field in BudgetSettings.model_fields.items()}


@given(
    st.fixed_dictionaries({s: st.integers(least, 300) for s, least in the_least_budgets().items()}),
    st.integers(1, 60),
)
def test_a_services_budget_is_never_exceeded_and_no_step_starves(budgets, parallel):
    """However many calls a task makes at once: they add up to at most the budget, one at least.

    Nor is much of it left to nobody: less than one more task of each step would take.
    """
    settings = Settings.model_validate({"budgets": budgets, "services": {"llm_parallel": parallel}})
    limits = concurrency_limits(settings)
    calls = {"detect_topics": settings.llm_calls, "generate_summary": settings.llm_calls}
    for service, budget in settings.budgets.model_dump().items():
        callers = [spec.name for spec in STEP_SPECS if spec.service == service]
        assert callers
        given_out = sum(limits[name] * calls.get(name, 1) for name in callers)
        assert budget - sum(calls.get(name, 1) for name in callers) < given_out <= budget
        assert min(limits[name] for name in callers) >= 1
    assert 1 <= settings.llm_calls <= parallel


@pytest.mark.parametrize(("service", "least"), the_least_budgets().items())
def test_a_budget_that_would_starve_a_step_is_refused(service, least):
    """One task of each step that calls the service is the least."""
    assert least == sum(spec.service == service for spec in STEP_SPECS)
    with pytest.raises(ValidationError, match=service):
        Settings.model_validate({"budgets": {service: least - 1}})


def test_only_callers_of_a_service_are_limited():
    """Our own work is limited by the workers, not by the server."""
    limited = {n for n, d in definitions().items() if "concurrentExecLimit" in d}
    assert limited == {spec.name for spec in STEP_SPECS if spec.service}


def test_a_services_budget_is_a_setting():
    """Of 27 calls to the language model at once, three tasks of each step make 4, 1 and 4."""
    settings = Settings.model_validate({"budgets": {"llm": 27}})
    made = {d["name"]: d for d in task_definitions(settings, caps_retry_delay=True)}
    callers = ("detect_topics", "generate_title", "generate_summary")
    assert {made[name]["concurrentExecLimit"] for name in callers} == {3}
