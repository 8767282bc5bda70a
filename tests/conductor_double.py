"""Steps that do nothing but answer to the contract, for the tests of the worker host.

Run as a program it is a worker host like the real one. `CONDUCTOR_DOUBLE` names
a JSON file: {"sleep": {step: [seconds, beats, times]}, "fail": {step: [kind, times]},
"calls": path}; each call of a step is appended to the calls file, and once it is over
with its times to the one beside it that ends in `.spans`. The file is read at each
call, so that orders can change while the host runs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from reflector_migrate.conductor.runtime import run
from reflector_migrate.conductor.runtime.worker_process import serve
from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.contracts import CONTRACTS
from reflector_migrate.pipeline.runner import StepResult

REF = {"ref": "artifact:x", "sha256": "0" * 64, "count": 3}


def outputs(step, task):
    """A contract-valid output for any step."""
    return {
        "get_recording": lambda: {"id": task.recording_id, "mtg_session_id": None},
        "get_participants": lambda: {"participants": []},
        "generate_dynamic_fork_tasks": lambda: fork(task),
        "pad_track": lambda: {
            "track_index": task.track_index,
            "padded_url": f"s3://b/{task.track_index}.webm",
            "size": 10,
            "padded": True,
            "start_s": 0.5,
        },
        "mixdown_tracks": lambda: {"audio_key": "t/audio.mp3", "duration": 1000.0, "size": 5},
        "generate_waveform": lambda: {"waveform": [0.1, 0.2]},
        "transcribe_track": lambda: {"track_index": task.track_index, "words": REF},
        "merge_transcripts": lambda: {"all_words": REF, "word_count": len(task.transcripts)},
        "detect_topics": lambda: {"topics": REF},
        "generate_title": lambda: {"title": "A title"},
        "generate_summary": lambda: {"summary": "Long", "short_summary": "Short"},
        "finalize": lambda: {"transcript_status": task.outcome},
        "cleanup_consent": lambda: {"audio_deleted": False, "reason": "no denial"},
        "post_zulip": lambda: {"posted": False},
        "send_webhook": lambda: {"sent": False},
    }[step]()


def fork(task):
    """Branches named so that their string order is not their number order from 11 on."""
    run_fields = task.run.model_dump(mode="json")
    if task.task_type == "pad_track":
        inputs = {
            f"pad_{t.track_index}": {
                "run": run_fields,
                "track_index": t.track_index,
                "s3_key": t.s3_key,
                "bucket_name": task.run.bucket_name,
            }
            for t in task.tracks
        }
    else:
        assert [p.track_index for p in task.padded] == sorted(p.track_index for p in task.padded)
        inputs = {
            f"t_{p.track_index}": {
                "run": run_fields,
                "track_index": p.track_index,
                "audio_url": p.padded_url,
                "language": task.language,
            }
            for p in task.padded
        }
    names = [{"name": task.task_type, "taskReferenceName": name} for name in inputs]
    return {"tasks": names, "inputs": inputs}


def execute(step, raw_input, harness, heartbeat, meter):
    """What run_step does, over the table above."""
    orders = json.loads(Path(os.environ["CONDUCTOR_DOUBLE"]).read_text())
    task = CONTRACTS[step].input.model_validate(raw_input)
    began = time.time()
    try:
        misbehave(step, orders, heartbeat)
    finally:
        with Path(f"{orders['calls']}.spans").open("a", encoding="utf-8") as file:
            file.write(f"{step} {began} {time.time()}\n")
    meter.add(external_calls=1)
    output = CONTRACTS[step].output.model_validate(outputs(step, task))
    usage = Usage(external_calls=1)
    return StepResult(output.model_dump(mode="json"), usage, "1" * 64, "2" * 64)


def misbehave(step, orders, heartbeat):
    """Count the call, then sleep or fail as ordered."""
    calls = Path(orders["calls"])
    with calls.open("a", encoding="utf-8") as file:
        file.write(f"{step} {os.getpid()}\n")
    kind, times = orders.get("fail", {}).get(step, ("", 0))
    made = calls.read_text().split().count(step)
    if made <= times:
        raise (TerminalStepError if kind == "terminal" else TransientStepError)(f"{step} is {kind}")
    seconds, beats, times = orders.get("sleep", {}).get(step, (0, False, 0))
    until = time.monotonic() + (seconds if made <= times else 0)
    while time.monotonic() < until:
        time.sleep(min(0.1, seconds))
        if beats:
            heartbeat()


def serve_double(harness, member, stop, on_ready):
    """One worker process over the doubles."""
    serve(harness, member, stop, on_ready, execute)


if __name__ == "__main__":
    sys.exit(run.main(serve=serve_double, command=(sys.executable, __file__)))
