"""The workflow's definition fits the contracts: every input is asked for, every path exists."""

from __future__ import annotations

import re

import pytest

from reflector_migrate.conductor.definition_diff import differences
from reflector_migrate.conductor.workflows.load import (
    FAILED,
    PIPELINE,
    VERSION,
    workflow_definition,
)
from reflector_migrate.conductor.workflows.step_order import FIRST, FOLLOWING
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import CONTRACTS, Run
from reflector_migrate.settings import Settings

EXPRESSION = re.compile(r"\$\{([^}]+)\}")
INPUTS = {PIPELINE: {"run", "tracks"}, FAILED: {"run", "tracks", "workflowId", "reason"}}


def definition(name=PIPELINE):
    """A definition as it is registered."""
    return workflow_definition(name, Settings())


def flat(tasks):
    """Every task, those in forks too, in the order in which they can first run."""
    for task in tasks:
        yield task
        for branch in task.get("forkTasks", []):
            yield from flat(branch)


def steps(name=PIPELINE):
    """The tasks that are our steps."""
    return [t for t in flat(definition(name)["tasks"]) if t["type"] == "SIMPLE"]


def expressions(value):
    """Every ${...} in a value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from expressions(item)
    elif isinstance(value, str):
        yield from EXPRESSION.findall(value)


def cases():
    """Every step of both workflows."""
    return [
        pytest.param(name, task, id=f"{name[-6:]}:{task['taskReferenceName']}")
        for name in (PIPELINE, FAILED)
        for task in steps(name)
    ]


@pytest.mark.parametrize(("workflow", "task"), cases())
def test_a_steps_inputs_are_its_contracts(workflow, task):
    """Nothing that the contract does not know, everything that it requires."""
    fields = CONTRACTS[task["name"]].input.model_fields
    given = set(task["inputParameters"])
    assert given <= set(fields)
    required = {name for name, field in fields.items() if field.is_required()}
    assert required <= given
    assert set(task["inputParameters"]["run"]) == set(Run.model_fields)


@pytest.mark.parametrize(("workflow", "task"), cases())
def test_every_path_leads_to_a_field_that_exists(workflow, task):
    """A ${...} names the workflow's input, or an output field of a task that runs before."""
    before = _before(workflow, task["taskReferenceName"])
    for expression in expressions(task["inputParameters"]):
        assert _exists(expression, workflow, before), expression


def test_who_reads_a_dynamic_forks_join_knows_what_must_be_in_it():
    """3.32.3 may write a JOIN back to what it was: its reader counts the tracks."""
    joins = ("${join_padding.output}", "${join_transcription.output}")
    readers = [t["inputParameters"] for t in steps() if set(joins) & set(_texts(t))]
    assert len(readers) == 3
    assert {given.get("expected") for given in readers} == {"${workflow.input.tracks}"}


def _texts(task):
    return [value for value in task["inputParameters"].values() if isinstance(value, str)]


def _before(workflow, reference):
    """Tasks that have ended when `reference` starts: earlier ones, without parallel branches."""
    found = {}

    def walk(tasks):
        for task in tasks:
            if task["taskReferenceName"] == reference:
                return True
            inner = [dict(found) for _ in task.get("forkTasks", [])]
            for branch in task.get("forkTasks", []):
                kept = dict(found)
                if walk(branch):
                    return True
                inner.append(dict(found))
                found.clear()
                found.update(kept)
            for branch in inner:
                found.update(branch)
            found[task["taskReferenceName"]] = task
        return False

    assert walk(definition(workflow)["tasks"])
    return found


def _exists(expression, workflow, before):
    head, _, rest = expression.partition(".")
    if head == "workflow":
        kind, _, path = rest.partition(".")
        if kind == "workflowId":
            return True
        name, _, field = path.partition(".")
        is_run_field = name != "run" or field in Run.model_fields
        return kind == "input" and name in INPUTS[workflow] and is_run_field
    task = before[head]
    kind, _, field = rest.partition(".")
    if task["type"] == "JOIN":
        return kind == "output" and field == ""
    return kind == "output" and field in CONTRACTS[task["name"]].output.model_fields


def test_outputs_of_the_workflow_exist():
    """What the workflow answers is taken from fields that exist."""
    everything = {t["taskReferenceName"]: t for t in flat(definition()["tasks"])}
    for expression in expressions(definition()["outputParameters"]):
        assert _exists(expression, PIPELINE, everything), expression


def test_all_fifteen_steps_take_part():
    """Each of the requirements' tasks is in the workflow, tracks' steps through dynamic forks."""
    planned = {t["inputParameters"].get("task_type") for t in steps()} - {None}
    assert {t["name"] for t in steps()} | planned == set(STEP_NAMES)
    dynamic = [t for t in flat(definition()["tasks"]) if t["type"] == "FORK_JOIN_DYNAMIC"]
    assert [t["taskReferenceName"] for t in dynamic] == ["fork_padding", "fork_transcription"]
    for fork in dynamic:
        assert fork["dynamicForkTasksParam"] == "tasks"
        assert fork["dynamicForkTasksInputParamName"] == "inputs"


def test_title_and_summary_run_at_the_same_time_and_so_do_waveform_and_words():
    """The requirements' parallel branches."""
    branches = {
        t["taskReferenceName"]: [[b["name"] for b in branch] for branch in t["forkTasks"]]
        for t in flat(definition()["tasks"])
        if t["type"] == "FORK_JOIN"
    }
    assert branches["fork_generation"] == [["generate_title"], ["generate_summary"]]
    assert branches["fork_listening"][0] == ["generate_waveform"]
    assert "fork_transcription" in branches["fork_listening"][1]


def test_after_finalize_nothing_can_fail_the_transcript():
    """Consent, Zulip and webhook come after the status is set, and are optional."""
    order = [t["name"] for t in definition()["tasks"]]
    after = definition()["tasks"][order.index("finalize") + 1 :]
    assert [t["name"] for t in after] == ["cleanup_consent", "post_zulip", "send_webhook"]
    assert all(t["optional"] for t in after)
    assert not any(t.get("optional") for t in flat(definition()["tasks"]) if t not in after)


def test_a_failure_sets_the_status_to_error():
    """The failure workflow exists and runs finalize with outcome error."""
    assert definition()["failureWorkflow"] == FAILED == definition(FAILED)["name"]
    (task,) = definition(FAILED)["tasks"]
    assert (task["name"], task["inputParameters"]["outcome"]) == ("finalize", "error")


@pytest.mark.parametrize("name", [PIPELINE, FAILED])
def test_a_definition_explains_itself(name):
    """Owner (3.15.0 refuses a definition without), description, timeout, every task described."""
    made = workflow_definition(
        name, Settings.model_validate({"conductor": {"owner_email": "a@b.org"}})
    )
    assert made["ownerEmail"] == "a@b.org"
    assert made["version"] == VERSION
    assert made["timeoutSeconds"] > 0
    assert made["description"]
    assert all(t["description"] for t in flat(made["tasks"]))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1, "createTime": 5, "inputTemplate": {}}, [], id="added"),
        pytest.param({"a": 1}, {"a": 2}, ["a"], id="another value"),
        pytest.param({"a": 1}, {}, ["a"], id="missing"),
        pytest.param({}, {"concurrentExecLimit": 3}, ["concurrentExecLimit"], id="extra"),
        pytest.param({"t": [{"x": 1}]}, {"t": [{"x": 2}]}, ["t[0].x"], id="deep"),
        pytest.param({"t": [1]}, {"t": [1, 2]}, ["t[1]"], id="longer list"),
        pytest.param(
            {"inputParameters": {"x": 0}}, {"inputParameters": {}}, ["inputParameters"], id="zero"
        ),
        pytest.param({"optional": True}, {"optional": False}, ["optional"], id="a flag"),
        pytest.param({}, {"backoffScaleFactor": 1}, [], id="a server's default"),
        pytest.param({}, {"backoffScaleFactor": 2}, ["backoffScaleFactor"], id="not the default"),
    ],
)
def test_definitions_are_compared_by_content(ours, theirs, expected):
    """What a server adds is not a difference; anything else is, and is named."""
    assert differences(ours, theirs) == expected


def joins(workflow):
    """The JOINs of a definition."""
    return [t for t in flat(workflow["tasks"]) if t["type"] == "JOIN"]


def test_no_join_is_looked_at_ever_more_rarely():
    """Where the server knows how; on another, `joinMode` would make our definition differ."""
    old = workflow_definition(PIPELINE, Settings(), knows_join_mode=False)
    assert {j["joinMode"] for j in joins(definition())} == {"SYNC"}
    assert len(joins(definition())) == len(joins(old)) == 4
    assert not any("joinMode" in j for j in joins(old))


def test_what_follows_a_step_is_what_the_definition_says():
    """Past forks and JOINs; a step that is planned twice is followed by both."""
    assert dict(FOLLOWING) == {
        "get_recording": ("get_participants",),
        "get_participants": ("generate_dynamic_fork_tasks",),
        "generate_dynamic_fork_tasks": ("transcribe_track", "pad_track"),
        "pad_track": ("mixdown_tracks",),
        "mixdown_tracks": ("generate_waveform", "generate_dynamic_fork_tasks"),
        "generate_waveform": ("merge_transcripts",),
        "transcribe_track": ("merge_transcripts",),
        "merge_transcripts": ("detect_topics",),
        "detect_topics": ("generate_title", "generate_summary"),
        "generate_title": ("finalize",),
        "generate_summary": ("finalize",),
        "finalize": ("cleanup_consent",),
        "cleanup_consent": ("post_zulip",),
        "post_zulip": ("send_webhook",),
        "send_webhook": (),
    }
    assert FIRST == ("get_recording",)
