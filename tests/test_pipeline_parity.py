"""The two sides leave the same on every recording, field by field, on either database.

Every one but `long`, whose ten minutes are for test_e2e_recordings.py. The primary is the monolith,
the candidate the steps through JSON and contracts, as workers run them; a real Redis carries
what each tells its listeners. The services' answers are fixed: with noise off a stand-in gives
the same answer to the same question. That an engine between the steps changes nothing is
asked in test_e2e_recordings.py.
"""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Verdict
from reflector_migrate.pipeline.rows import create_all, write_mark
from reflector_migrate.sandbox.recordings import load_recording, load_recordings
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from tests.defects_world import RECORDINGS, DefectsWorld
from tests.new_stores import new_store
from tests.parity_world import Ear, Ran, differences

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]

NAMES = sorted(name for name in load_recordings(RECORDINGS) if name != "long")
CASES = [(kind, name) for kind in ("sqlite", "postgresql") for name in NAMES]
STATUS = {"ended": "completed", "error": "failed"}


@pytest.fixture(scope="module")
def control():
    """One process of stand-ins that know the recordings."""
    with running_standins(RECORDINGS) as url, StandinControl(url) as control:
        yield control


@pytest.fixture(scope="module")
def world(request, s3_url, control, redis_server, tmp_path_factory, sounds):
    """Both sides on one kind of database; the services know nothing of the other kind's runs."""
    control.reset()
    made = DefectsWorld.made(tmp_path_factory.mktemp(request.param), s3_url, control, sounds)
    reflector, candidate = made.settings.reflector, made.settings.candidate
    theirs, ours = {"bus_url": f"{redis_server}/0"}, {"bus_url": f"{redis_server}/2"}
    store = made.settings.store
    if request.param == "postgresql":
        create = request.getfixturevalue("postgres_server").create_database
        theirs |= {"database_url": create()}
        ours |= {"database_url": create()}
        store = store.model_copy(update={"url": create()})
        new_store(store.url)
        write_mark(theirs["database_url"], "stand-in")
        create_all(theirs["database_url"])
        write_mark(ours["database_url"])
    made.settings = made.settings.model_copy(
        update={
            "reflector": reflector.model_copy(update=theirs),
            "candidate": candidate.model_copy(update=ours),
            "store": store,
        }
    )
    return made


@pytest.mark.parametrize(("world", "name"), CASES, indirect=["world"], scope="module")
def test_no_field_of_any_recording_differs(world, control, name):
    """Row, events, captions, media, objects, Zulip, webhook, broadcasts, digests of all steps.

    And the language model is asked the same questions, word for word.
    """
    ran, asked = ran_by_both(world, control, name)
    expected = load_recording(RECORDINGS, name).expect
    assert asked[0] == asked[1]
    is_cut_short, wanted = expected.failed_step == "pad_track", expected.status
    assert differences(ran, is_cut_short=is_cut_short) == []
    assert [row.status for row in ran.rows()] == [wanted, wanted]
    assert ran.candidate.status == STATUS[wanted]
    assert is_cut_short or compare(ran.primary, ran.candidate).verdict is Verdict.MATCHED
    told = [[m["data"]["value"] for _, m in ran.messages[side] if m["event"] == "STATUS"]
            for side in (False, True)]  # fmt: skip
    assert told == [["processing", wanted]] * 2


def ran_by_both(world, control, name):
    """The monolith, then the candidate from the same start; and what each asked the model."""
    ear = Ear(world.settings.candidate.bus_url)
    with asking(control) as by_primary:
        primary, announcement, taken = world.primary(load_recording(RECORDINGS, name))
    with asking(control) as by_candidate:
        candidate = world.candidate(announcement, taken, ())
    heard = ear.told(taken.transcript_id)
    ear.close()
    ran = Ran(world.settings, taken.transcript_id, primary, candidate, heard)
    return ran, (by_primary, by_candidate)


@contextmanager
def asking(control):
    """Every question put to the language model meanwhile; sorted, as some are put in parallel."""
    asked, before = [], len(control.requests("llm"))
    yield asked
    bodies = [json.loads(request["body"]) for request in control.requests("llm")[before:]]
    asked += sorted(json.dumps([b["messages"], b.get("max_tokens")]) for b in bodies)
