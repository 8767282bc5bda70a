"""The candidate's step on the primary's input: confirmed, not reproduced, or why not.

The primary is the stand-in monolith, the candidate the steps as workers run them; S3
and the services are real servers. Redis is not needed: nobody listens to a scratch run.
"""

from __future__ import annotations

import json

import pytest
from sqlalchemy import inspect, text

from reflector_migrate.harness import Harness
from reflector_migrate.model import Blame
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.shadow.confirm.confirmation import confirm
from reflector_migrate.store.artifacts import Artifacts
from tests.defects_world import RECORDINGS

pytestmark = pytest.mark.heavy


def _with(defects_world, *defects):
    workers = defects_world.settings.workers.model_copy(update={"defects": defects})
    return defects_world.settings.model_copy(update={"workers": workers})


def _primary(defects_world, name):
    return defects_world.primary(load_recording(RECORDINGS, name))[0]


def _digests_hidden(seen):
    hidden = {"input_digest": None, "output_digest": None, "input_ref": None}
    steps = tuple(step.model_copy(update=hidden) for step in seen.steps)
    return seen.model_copy(update={"steps": steps})


CASES = (
    ("tracks_joined_in_string_order", "twelve-tracks", "merge_transcripts", None, "output"),
    ("padding_not_applied", "three-voices", "pad_track", 1, "output"),
    ("last_span_lost", "three-voices", "transcribe_track", 0, "output"),
    ("waveform_of_256_values", "three-voices", "generate_waveform", None, "WAVEFORM"),
    ("title_not_stored", "three-voices", "generate_title", None, "title"),
    ("summary_number_altered", "solo", "generate_summary", None, "short_summary"),
    ("participants_by_join_order", "three-voices", "get_participants", None, "participants"),
)


@pytest.mark.parametrize(
    ("defect", "recording", "step", "track", "differs"), CASES, ids=[c[0] for c in CASES]
)
def test_a_defect_is_confirmed_and_one_put_right_is_not_reproduced(
    defects_world, defect, recording, step, track, differs
):
    """By the output, or by what the step wrote; with the defect off, the primary's own output."""
    seen, blame = _primary(defects_world, recording), Blame(step=step, why="", track_index=track)
    found = confirm(Harness.of(_with(defects_world, defect)), seen, blame)
    assert (found.outcome, found.input_from) == ("confirmed", "recorded"), found
    assert differs in found.differs
    assert found.defects == (defect,)
    assert found.input_ref.startswith("artifact:")
    sound = confirm(Harness.of(_with(defects_world)), seen, blame)
    assert sound.outcome == "not reproduced", sound
    assert sound.hypothesis_digest == sound.reference_digest


STEPS = (
    "get_recording", "get_participants", "pad_track", "mixdown_tracks", "generate_waveform",
    "transcribe_track", "merge_transcripts", "detect_topics", "generate_title",
    "generate_summary", "finalize", "cleanup_consent", "post_zulip", "send_webhook",
)  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_sound_step_gives_the_primarys_output(defects_world, step):
    """All fourteen, padded tracks made again where they were deleted."""
    track = 1 if step in ("pad_track", "transcribe_track") else None
    found = confirm(
        Harness.of(_with(defects_world)),
        _primary(defects_world, "three-voices"),
        Blame(step=step, why="", track_index=track),
    )
    assert found.outcome == "not reproduced", found


DERIVED = ("merge_transcripts", "detect_topics", "generate_title", "generate_summary",
           "generate_waveform", "pad_track", "post_zulip")  # fmt: skip


@pytest.mark.parametrize("step", DERIVED)
def test_a_real_deployments_input_is_derived(defects_world, step):
    """Nothing recorded: rows and objects give the input, or the answer is `cannot tell`."""
    track = 1 if step == "pad_track" else None
    seen = _digests_hidden(_primary(defects_world, "three-voices"))
    found = confirm(
        Harness.of(_with(defects_world)), seen, Blame(step=step, why="", track_index=track)
    )
    expected = "cannot tell" if step == "pad_track" else "not reproduced"
    assert (found.outcome, found.input_from) == (expected, "derived"), found


def test_a_defect_is_confirmed_on_derived_input(defects_world):
    """The defect of the demonstration, on a primary that recorded nothing."""
    seen = _digests_hidden(_primary(defects_world, "twelve-tracks"))
    found = confirm(Harness.of(_with(defects_world, "tracks_joined_in_string_order")), seen,
                    Blame(step="merge_transcripts", why=""))  # fmt: skip
    assert (found.outcome, found.differs) == ("confirmed", ("words",))


@pytest.mark.parametrize(
    ("blame", "says"),
    [
        (Blame(step="generate_dynamic_fork_tasks", why=""), "did not complete it"),
        (Blame(step="pad_track", why="", track_index=7), "did not complete it"),
    ],
)
def test_what_the_primary_lacks_is_cannot_tell(defects_world, blame, says):
    """No input, no answer."""
    found = confirm(
        Harness.of(_with(defects_world)), _primary(defects_world, "three-voices"), blame
    )
    assert found.outcome == "cannot tell"
    assert says in found.why


def test_settings_that_let_no_step_run_are_not_a_failure_of_the_step(defects_world):
    """A defect outside of a sandbox is refused; that confirms nothing."""
    outside = _with(defects_world, "title_not_stored").model_copy(update={"is_sandbox": False})
    found = confirm(
        Harness.of(outside),
        _primary(defects_world, "three-voices"),
        Blame(step="generate_title", why=""),
    )
    assert found.outcome == "cannot tell"
    assert "in the sandbox only" in found.why


def test_an_erased_input_is_cannot_tell(defects_world):
    """References are subject to erasure; the answer says which one is gone."""
    seen = _primary(defects_world, "solo")
    artifacts, kept = Artifacts(defects_world.settings.store_url), {}
    for step in seen.steps:
        kept[step.input_ref] = artifacts.get(step.input_ref)
    run_id = next(iter(kept)).removeprefix("artifact:").partition("/")[0]
    artifacts.erase(run_id)
    found = confirm(Harness.of(_with(defects_world)), seen, Blame(step="merge_transcripts", why=""))
    assert found.outcome == "cannot tell"
    assert "nothing is stored at artifact:" in found.why


def test_noise_is_not_confirmed(defects_world):
    """A step whose two runs differ from each other says nothing about a fault."""
    seen = _primary(defects_world, "three-voices")
    changed = {"output_digest": "0" * 64}
    steps = tuple(
        s.model_copy(update=changed) if s.name == "generate_title" else s for s in seen.steps
    )
    blame = Blame(step="generate_title", why="")
    defects_world.control.set_noise("llm", rate=1.0)
    try:
        found = confirm(
            Harness.of(_with(defects_world)), seen.model_copy(update={"steps": steps}), blame
        )
    finally:
        defects_world.control.clear_noise("llm")
    assert found.outcome == "cannot tell"
    assert "noise" in found.why


def test_neither_side_is_touched(defects_world):
    """Rows, objects, effects, events and answers of both sides before and after."""
    seen = _primary(defects_world, "three-voices")
    before = _everything(defects_world, seen)
    for step in ("merge_transcripts", "detect_topics", "post_zulip", "send_webhook", "finalize"):
        confirm(Harness.of(_with(defects_world)), seen, Blame(step=step, why=""))
    assert _everything(defects_world, seen) == before


def _everything(defects_world, seen) -> str:
    settings = defects_world.settings
    from reflector_migrate.clients.connections import connections

    s3 = connections(settings).s3
    objects = {
        bucket["Name"]: sorted(
            (o["Key"], o["ETag"])
            for o in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
        )
        for bucket in s3.list_buckets()["Buckets"]
    }
    rows = [
        _all_rows(url)
        for url in (
            settings.reflector.database_url,
            place_of_run(settings, "taken").database_url,
        )
    ]
    services = defects_world.control.zulip_messages(), defects_world.control.webhooks()
    return json.dumps([objects, rows, services], default=str, sort_keys=True)


def _all_rows(url) -> dict[str, list[str]]:
    """Every row of every table that stands there."""
    engine = Rows.at(str(url)).engine
    with engine.connect() as connection:
        return {
            name: sorted(
                str(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{name}"'))
            )
            for name in inspect(engine).get_table_names()
        }
