"""Contracts on their way through a real Conductor: what is sent is what arrives."""

from __future__ import annotations

import types
import uuid
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from conductor.client.http.models.task_result import TaskResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.runtime.task_client import TaskClient
from reflector_migrate.conductor.server_version import server_version
from reflector_migrate.conductor.task_domain import identity
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts import CONTRACTS

AWKWARD = ("${workflow.input.run}", "${", "$${x}", "null", "1e400", "ß\u2028\U0001f600", '"\\\n')
TEXT = st.one_of(
    st.sampled_from(AWKWARD), st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
)
FLOAT = st.floats(0, 1e12, allow_nan=False)
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), FLOAT, TEXT)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(0, 2**40),
    float: FLOAT,
    bool: st.booleans(),
    type(None): st.none(),
    Any: SCALAR,
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a contract's annotation."""
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return models(kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return values(inner[0])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of([values(one) for one in inner])
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(st.text("abz_0", min_size=1), values(inner[1]), max_size=3)
    raise AssertionError(f"no strategy for {kind}")


def models(model: type[BaseModel]) -> st.SearchStrategy[BaseModel]:
    """Any instance of a contract."""
    fields = {n: values(f.annotation) for n, f in model.model_fields.items()}
    return st.builds(model, **fields)


BOTH_ENDS = st.fixed_dictionaries(
    {name: st.tuples(models(c.input), models(c.output)) for name, c in CONTRACTS.items()}
)


@given(BOTH_ENDS)
@settings(max_examples=25, deadline=None)
def test_every_contract_survives_json(ends):
    """Typed objects become dicts and lists on the way, and the same objects at the other end."""
    for pair in ends.values():
        for value in pair:
            assert type(value).model_validate_json(value.model_dump_json()) == value


@pytest.mark.live
@given(BOTH_ENDS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_contract_survives_a_real_server(conductor_server, ends):
    """As workflow input, task input, task output and workflow output, field by field."""
    sent = {n: (i.model_dump(mode="json"), o.model_dump(mode="json")) for n, (i, o) in ends.items()}
    inputs, outputs = _through(conductor_server, sent)
    assert set(inputs) == set(STEP_NAMES)
    for name, (given_input, given_output) in ends.items():
        assert CONTRACTS[name].input.model_validate(inputs[name]) == given_input
        assert CONTRACTS[name].output.model_validate(outputs[name]) == given_output


def _through(server, sent):
    """What a worker receives of the inputs, and what the next task would of its outputs."""
    domain = f"echo-{uuid.uuid4().hex[:8]}"
    conductor = server.conductor.model_copy(update={"domain": domain})
    ours = server.model_copy(update={"conductor": conductor})
    with connected(ours) as client:
        workflow_id = client.start(_echo(domain, {n: pair[0] for n, pair in sent.items()}))
        tasks = TaskClient(Harness.of(ours), server_version(ours), identity())
        task = next(t for _ in range(30) if (t := tasks.take("finalize")))
        result = TaskResult(
            task_id=task.task_id,
            workflow_instance_id=workflow_id,
            status="COMPLETED",
            output_data={n: pair[1] for n, pair in sent.items()},
        )
        tasks.hand_in(result)
        executed = client.workflow(workflow_id)
    assert executed["status"] == "COMPLETED"
    return {n: task.input_data[n] for n in sent}, executed["output"]


def _echo(domain, inputs):
    definition = {
        "name": "echo",
        "version": 1,
        "ownerEmail": "test@example.org",
        "timeoutPolicy": "ALERT_ONLY",
        "timeoutSeconds": 0,
        "schemaVersion": 2,
        "tasks": [
            {
                "name": "finalize",
                "taskReferenceName": "echo",
                "type": "SIMPLE",
                "inputParameters": {n: f"${{workflow.input.{n}}}" for n in inputs},
            }
        ],
        "outputParameters": {n: f"${{echo.output.{n}}}" for n in inputs},
    }
    return {
        "name": "echo",
        "version": 1,
        "workflowDef": definition,
        "input": inputs,
        "taskToDomain": {"finalize": domain},
    }
