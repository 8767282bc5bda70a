"""Definitions on real servers of both versions: what is registered, replaced, refused.

Over steps that only answer.
"""

from __future__ import annotations

import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.definition_diff import differences
from reflector_migrate.conductor.execution import read, remove
from reflector_migrate.conductor.health import health
from reflector_migrate.conductor.register import register_all
from reflector_migrate.conductor.server_version import server_version
from reflector_migrate.conductor.start import start_request, start_workflow
from reflector_migrate.conductor.workflows.load import (
    FAILED,
    PIPELINE,
    VERSION,
    workflow_definition,
)
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.runner import validated_input
from tests.conductor_world import SCALE, a_run, assert_small, end_all, tracks

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]


def test_registering_again_changes_nothing(server):
    """Idempotent, also where the server adds fields of its own."""
    again = register_all(Harness.of(server))
    assert (again.created, again.replaced) == ((), ())
    assert set(again.unchanged) == {*STEP_NAMES, PIPELINE, FAILED}
    assert str(again.server) == server.conductor.version
    assert health(server) == (True, server.conductor.version, "", False)


def test_a_different_task_definition_needs_force_and_no_running_workflow(domain):
    """Refused without force, refused while something runs, replaced otherwise, then as it was.

    The workflow that ran is then removed from the server, with all that it was given.
    """
    slower = domain.conductor.model_copy(update={"time_scale": 2 * SCALE})
    changed = domain.model_copy(update={"conductor": slower})
    with pytest.raises(RefusedError, match="timeoutSeconds"):
        register_all(Harness.of(changed))
    workflow_id = start_workflow(Harness.of(domain), a_run(), tracks(1))
    with pytest.raises(RefusedError, match="running"):
        register_all(Harness.of(changed), force=True)
    end_all(domain)
    assert read(Harness.of(domain), workflow_id).status == "failed"
    try:
        assert set(register_all(Harness.of(changed), force=True).replaced) == set(STEP_NAMES)
    finally:
        assert register_all(Harness.of(domain), force=True).replaced
    assert register_all(Harness.of(domain)).replaced == ()
    remove(Harness.of(domain), workflow_id)
    assert read(Harness.of(domain), workflow_id).status == "missing"


def test_a_different_workflow_of_the_same_version_is_refused(server):
    """The version must be bumped; nothing is overwritten, not even by force."""
    knows = server_version(server).knows_join_mode
    ours = workflow_definition(PIPELINE, server, knows_join_mode=knows)
    with connected(server) as client:
        client.put_workflow_def({**ours, "timeoutSeconds": 99})
        try:
            with pytest.raises(RefusedError, match="timeoutSeconds") as refused:
                register_all(Harness.of(server), force=True)
            assert "bump" in refused.value.hint
            assert client.workflow_def(PIPELINE, VERSION)["timeoutSeconds"] == 99
        finally:
            client.put_workflow_def(ours)
        assert differences(ours, client.workflow_def(PIPELINE, VERSION)) == []


def test_a_workflow_registered_before_the_server_was_upgraded_is_brought_up(server):
    """An older server does not keep `joinMode`; that alone is not other content."""
    knows = server_version(server).knows_join_mode
    with connected(server) as client:
        client.put_workflow_def(workflow_definition(PIPELINE, server, knows_join_mode=False))
        assert register_all(Harness.of(server)).created == ((PIPELINE,) if knows else ())
        held = client.workflow_def(PIPELINE, VERSION)
    ours = workflow_definition(PIPELINE, server, knows_join_mode=knows)
    assert differences(ours, held) == []


@pytest.mark.parametrize("count", [0, 1, 3, 12, 40])
def test_the_definition_joins_any_number_of_tracks(server, count):
    """With mocked outputs the server itself walks the whole definition; tracks keep their order.

    That none at all is refused is the mixdown's business, which is mocked here.
    """
    request = {
        "name": PIPELINE,
        "version": VERSION,
        "workflowDef": workflow_definition(PIPELINE, server),
        "input": start_request(server, a_run(), tracks(count))["input"],
        "taskRefToMockOutput": _mocks(count),
    }
    with connected(server) as client:
        executed = client.http.post("/workflow/test", request)
    assert executed["status"] == "COMPLETED", executed.get("reasonForIncompletion")
    done = {t["referenceTaskName"]: t for t in executed["tasks"]}
    assert len(done["join_padding"]["outputData"]) == count
    for name, field in (("mixdown_tracks", "padded_urls"), ("merge_transcripts", "transcripts")):
        given = validated_input(name, done[name]["inputData"])  # as the worker has it
        assert [branch.track_index for branch in getattr(given, field)] == [*range(count)]
    assert_small(executed)


def _mocks(count):
    ref = {"ref": "artifact:x", "sha256": "0" * 64, "count": 3}
    outputs = {
        "get_recording": {"id": "r", "source_language": "en", "target_language": "en"},
        "get_participants": {"participants": []},
        "plan_padding": _plan("pad_track", "pad", count),
        "plan_transcription": _plan("transcribe_track", "t", count),
        "mixdown_tracks": {"audio_key": "a", "duration": 1.0, "size": 1},
        "generate_waveform": {"waveform": [0.5] * 280},
        "merge_transcripts": {"all_words": ref, "word_count": 3},
        "detect_topics": {"topics": ref},
        "generate_title": {"title": "t"},
        "generate_summary": {"summary": "s", "short_summary": "s"},
        "finalize": {"status": "COMPLETED", "transcript_status": "ended"},
        "cleanup_consent": {"audio_deleted": False, "reason": ""},
        "post_zulip": {"posted": False},
        "send_webhook": {"sent": False},
    }
    for index in range(count):
        padded = {"padded_url": "s3://b/k", "size": 1, "padded": True, "start_s": 1.0}
        outputs[f"pad_{index}"] = {"track_index": index, **padded}
        outputs[f"t_{index}"] = {"track_index": index, "words": ref}
    return {name: [{"status": "COMPLETED", "output": out}] for name, out in outputs.items()}


def _plan(step, prefix, count):
    names = [f"{prefix}_{index}" for index in range(count)]
    return {
        "tasks": [{"name": step, "taskReferenceName": n, "type": "SIMPLE"} for n in names],
        "inputs": {n: {"track_index": i} for i, n in enumerate(names)},
    }
