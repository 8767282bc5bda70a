"""A four-hour meeting of eight tracks stays small on the server: large data goes by reference."""

from __future__ import annotations

import json

import pytest

from reflector_migrate.conductor.client import connected
from reflector_migrate.conductor.domain import identity
from reflector_migrate.conductor.start import start_request
from reflector_migrate.conductor.workers.meta import META, meta_of
from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from reflector_migrate.store.artifacts import Artifacts
from tests.pipeline_world import local_s3, make_world

pytestmark = pytest.mark.live

TRACKS, WORDS_PER_TRACK, LENGTH_S = 8, 4500, 4 * 3600
TASK_BYTES, EXECUTION_BYTES = 64 * 1024, 1024 * 1024
SAID = ("budget", "we", "should", "move", "the", "release", "to", "Friday,", "because", "tests.")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What the real steps give for 36,000 words, by task reference name; the run; how it went."""
    folder = tmp_path_factory.mktemp("four-hours")
    with (
        local_s3() as s3_url,
        running_standins(folder) as url,
        StandinControl(url) as control,
    ):
        world = make_world(folder, s3_url, control, is_brief=True)
        control.reset(keep=["daily"])
        yield _whole(world), world.run


def _whole(world):
    tracks = [{"track_index": i, "s3_key": f"{_key(world)}-{i}"} for i in range(TRACKS)]
    for name in ("get_recording",):
        world.do(name)
    session_id = world.outputs["get_recording"]["mtg_session_id"]
    world.step("get_participants", mtg_session_id=session_id, tracks=tracks)
    plans = {"plan_padding": _plan(world, "pad_track", tracks=tracks)}
    padded = {f"pad_track_{i}": _padded(i) for i in range(TRACKS)}
    plans["plan_transcription"] = _plan(world, "transcribe_track", padded=padded)
    heard = {f"transcribe_track_{i}": _heard(world, i) for i in range(TRACKS)}
    world.step("merge_transcripts", transcripts=heard)
    for name in ("detect_topics", "generate_title", "generate_summary", "finalize"):
        world.do(name)
    for name in ("cleanup_consent", "post_zulip", "send_webhook"):
        world.do(name)
    mixed = {"audio_key": "x/audio.mp3", "duration": LENGTH_S * 1000.0, "size": 2**28}
    drawn = {"waveform": [0.25] * 280}
    own = {n: o for n, o in world.outputs.items() if n != "generate_dynamic_fork_tasks"}
    return {**own, **plans, **padded, **heard, "mixdown_tracks": mixed, "generate_waveform": drawn}


def _key(world):
    return world.scenario["keys"][0]


def _plan(world, task_type, **about):
    return dict(world.step("generate_dynamic_fork_tasks", task_type=task_type, **about).output)


def _padded(index):
    return {
        "track_index": index,
        "padded_url": f"s3://shadow-media/file_pipeline/{'t' * 36}/tracks/padded_{index}.webm",
        "size": 2**28,
        "padded": True,
        "start_s": 12.345,
        "sha256": "0" * 64,
    }


def _heard(world, index):
    step_s = LENGTH_S / WORDS_PER_TRACK
    words = [
        {
            "text": f"{SAID[n % len(SAID)]} ",
            "start": n * step_s + index * 0.3,
            "end": n * step_s + 1,
        }
        for n in range(WORDS_PER_TRACK)
    ]
    store = Artifacts(world.settings.store_url)
    stored = store.put(world.run.run_id, "transcribe_track", f"track_{index}", words)
    return {"track_index": index, "words": stored._asdict()}


def test_no_payload_is_large_and_neither_is_the_execution(outputs, conductor_server):
    """Every task's input and output is under 64 KB and the whole execution under 1 MB."""
    made, run = outputs
    assert made["merge_transcripts"]["word_count"] == TRACKS * WORDS_PER_TRACK
    assert made["detect_topics"]["topics"]["count"] >= 100
    tracks = [Track(track_index=i, s3_key="k" * 150) for i in range(TRACKS)]
    who = identity()
    answers = {
        name: [{"status": "COMPLETED", "output": {**out, META: _meta(who, name)}}]
        for name, out in made.items()
    }
    request = {
        "name": PIPELINE,
        "version": 1,
        "workflowDef": workflow_definition(PIPELINE, conductor_server),
        "input": start_request(conductor_server, run, tracks)["input"],
        "taskRefToMockOutput": answers,
    }
    with connected(conductor_server) as client:
        executed = client.test_workflow(request)
    assert executed["status"] == "COMPLETED", executed.get("reasonForIncompletion")
    sizes = {
        f"{task['referenceTaskName']}.{part}": len(json.dumps(task[part]).encode())
        for task in executed["tasks"]
        for part in ("inputData", "outputData")
    }
    assert max(sizes.values()) <= TASK_BYTES, max(sizes, key=lambda name: sizes[name])
    assert len(json.dumps(executed).encode()) <= EXECUTION_BYTES


def _meta(who, reference):
    used = Usage(gpu_seconds=1.5, llm_calls=240, llm_tokens_in=10**6, llm_tokens_out=10**5)
    step = {"plan_padding": "finalize", "plan_transcription": "finalize"}.get(reference, reference)
    step = step.rsplit("_", 1)[0] if step[-1].isdigit() else step
    digests = {"input_digest": "0" * 64, "output_digest": "0" * 64}
    return {**meta_of(who, 1, step, used), **digests}
