"""What a rehearsal is made of: recordings in a share, and rules that a sandbox can answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflector_migrate.cutover.canary import STEPS
from reflector_migrate.experiments.failover import Streamed, copies
from reflector_migrate.experiments.rehearsal_terms import LEFT_OUT, in_share, rehearsal_rules
from reflector_migrate.plugin.reflector_route_table import CONDUCTOR_FALLBACK, Table, decide
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.shadow.gate_rules import rules_of

ROOT = Path(__file__).parents[1] / "fixtures" / "recordings"


@pytest.mark.parametrize("share", STEPS)
def test_a_recording_of_a_step_is_in_no_smaller_one(share):
    """So each step serves one that the step before left with legacy."""
    found = in_share(load_recording(ROOT, "solo"), share)
    assert found.prior is not None
    for step in STEPS:
        table = Table(1, CONDUCTOR_FALLBACK, step)
        decided = decide(table, found.prior.id, "", is_back=False)
        assert decided.is_for_conductor is (step >= share)


def test_copies_share_nothing_but_their_sound():
    """Each has ids, keys and a room of its own, and hears of its transcript."""
    solo = load_recording(ROOT, "solo")
    made = copies(solo, 3, "stream")
    for of in (
        lambda r: r.recording_id, lambda r: r.room.id, lambda r: r.room.name,
        lambda r: r.meeting.id, lambda r: r.all_keys, lambda r: r.daily_room_name,
    ):  # fmt: skip
        assert len({of(one) for one in (solo, *made)}) == 4
    assert {one.path(one.tracks[0]) for one in made} == {solo.path(solo.tracks[0])}
    assert all(one.room.webhook_path and one.room.zulip_auto_post for one in made)


def test_the_rules_of_a_rehearsal_let_times_decide_nothing(tmp_path):
    """Every gate of the shipped rules is there, and all others decide."""
    rules, shipped = rules_of(rehearsal_rules(tmp_path)), rules_of(None)
    assert [gate.measures for gate in rules.gates] == [gate.measures for gate in shipped.gates]
    deciding = {gate.layer for gate in rules.gates if not gate.report_only}
    assert deciding == {gate.layer for gate in shipped.gates} - LEFT_OUT


@pytest.mark.parametrize(
    ("lost", "twice", "wrong", "says"),
    [
        pytest.param((), (), (), "all right, none twice, none lost", id="right"),
        pytest.param(("a",), (), (), "lost: a", id="lost"),
        pytest.param((), ("b",), ("c",), "twice: b; wrong: c", id="twice, and wrong"),
    ],
)
def test_what_a_stream_says_of_itself(lost, twice, wrong, says):
    """One line, with who served how many and the time to recover."""
    found = Streamed(3, {"celery": 1, "conductor": 2}, lost, twice, wrong, 41.6)
    assert found.is_right is (not lost + twice + wrong)
    assert says in str(found)
    assert "1 by celery, 2 by conductor" in str(found)
    assert "42 s" in str(found)
