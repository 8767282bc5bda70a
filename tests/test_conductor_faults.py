"""Outside services hang, refuse and dawdle: what is tried again, what waits, what is lost."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.pipeline.prompts import ASK_TOPIC
from tests.restart_left import assert_as_if_undisturbed, differences, left_by
from tests.restart_servers import timed
from tests.restart_world import LIMIT_S, SILENT_S, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(LIMIT_S)]

HUNG = re.compile(r"attempt (\d) of 4: recogniser did not answer within 2 s")


def statuses(found):
    """How the attempts at every step ended."""
    return {s.status for s in found.step_runs}


def by_track(it, step):
    """Status of each attempt of a track's step that ended by itself, by track.

    A JOIN that looks just when a branch has failed cancels the others (docs/decisions/0017);
    they are tried again, and that is what these tests are not about.
    """
    found = {}
    for attempt in it.end().step_runs:
        if attempt.name == step and attempt.status != "cancelled":
            found.setdefault(attempt.track_index, []).append(attempt.status)
    return found


def asked_again(it, found, undisturbed, times):
    """What an undisturbed run leaves, with `times` calls more; and one for a cancelled attempt."""
    usual = undisturbed["shadow"]["recogniser"]
    more = len(it.world.control.requests("recogniser")) - usual
    cancelled = [s for s in found.step_runs if s.status == "cancelled"]
    assert times <= more <= times + len(cancelled)
    return {**undisturbed["shadow"], "recogniser": usual + more}


def test_a_hung_recogniser_is_timed_out_alone(drama, undisturbed):
    """One track's call hangs twice; that track alone is tried again, and one can read how often."""
    it = drama(services={"transcript_timeout_s": 2.0})
    it.world.control.set_fault("recogniser", "timeout", times=2, match="padded_1")
    it.begin()
    found = it.end()
    assert by_track(it, "transcribe_track") == {
        0: ["completed"],
        1: ["failed", "failed", "completed"],
    }
    reasons = [reason for status, reason in it.attempts("transcribe_track") if status == "failed"]
    told = [HUNG.fullmatch(reason) for reason in reasons]
    numbers = [int(one[1]) for one in told]
    assert numbers == [1, 2] or (numbers[0] == 1 < numbers[1] and "cancelled" in statuses(found))
    assert {s.attempt for s in found.step_runs if s.name == "pad_track"} == {1}
    assert_as_if_undisturbed(it, found, asked_again(it, found, undisturbed, 2))


def test_a_worker_that_hangs_is_timed_out_by_the_server_alone(drama, undisturbed, stage):
    """A step that gives no sign of life goes to another worker, though the call never ends."""
    it = drama(services={"transcript_timeout_s": 1500.0})  # longer than the table lets it be silent
    it.world.control.set_fault("recogniser", "timeout", times=1, match="padded_1")
    with timed(stage.servers, "transcribe_track", responseTimeoutSeconds=SILENT_S):
        it.begin()
        until(lambda: any(r["fault"] for r in it.world.control.requests("recogniser")), "one hangs")
        it.host()  # its own host has one slot for recognition, and that one is taken
        found = it.end()
    assert by_track(it, "transcribe_track") == {0: ["completed"], 1: ["timed_out", "completed"]}
    assert_as_if_undisturbed(it, found, asked_again(it, found, undisturbed, 1))


def test_zulip_and_webhook_that_fail_neither_fail_nor_delay_the_end(drama, undisturbed):
    """`ended` is published before either is asked; one event id, its deliveries numbered."""
    it = drama("live")
    control = it.world.control
    control.set_fault("zulip", "http_500")
    control.set_webhook_status("hook", 503, times=2)
    it.begin()
    found = it.end()
    assert found.status == "completed", found.reason
    assert found.failed_steps == ("post_zulip",)
    posts = it.attempts("post_zulip")
    assert [status for status, _ in posts] == ["failed"] * 6
    assert posts[-1][1] == "attempt 6 of 6: zulip answered HTTP 500"
    ended = next(e.at for e in it.told() if e.data == {"value": "ended"})
    asked = [r["time"] for r in control.requests() if r["service"] in ("zulip", "webhook")]
    assert ended.timestamp() < min(asked)
    assert all(pause > 0.9 for pause in pauses(control.requests("zulip")))
    sent = control.webhooks()
    assert all(pause > 0.9 for pause in pauses(sent))
    assert [w["headers"]["x-webhook-retry"] for w in sent] == ["0", "1", "2"]
    assert [w["status"] for w in sent] == [503, 503, 200]
    assert len({json.loads(w["body"])["event_id"] for w in sent}) == 1
    assert it.attempts("send_webhook")[0][1] == "attempt 1 of 31: webhook answered HTTP 503"
    changed = differences(left_by(it.world), undisturbed["live"])
    assert set(changed) <= {"zulip", "zulip_message_id", "hook"}


def pauses(asked):
    """Seconds from each of these to the next."""
    times = [one["time"] for one in asked]
    return [later - earlier for earlier, later in pairwise(times)]


def test_a_webhook_that_refuses_is_asked_once(drama, undisturbed):
    """A 4xx is the receiver's last word: one delivery, one attempt, and no failure."""
    it = drama("live")
    it.world.control.set_webhook_status("hook", 410)
    it.begin()
    found = it.end()
    assert [w["status"] for w in it.world.control.webhooks()] == [410]
    assert [status for status, _ in it.attempts("send_webhook")] == ["completed"]
    assert_as_if_undisturbed(it, found, undisturbed["live"])


def test_a_recording_without_tracks_ends_at_once(drama):
    """Nothing to wait for: one attempt to mix, no backoff, and status `error` as with legacy."""
    it = drama()
    it.world.scenario = {**it.world.scenario, "keys": []}
    it.begin()
    found = it.end()
    assert found.status == "failed"
    ((_, reason),) = it.attempts("mixdown_tracks")
    assert "no tracks" in reason
    until(lambda: it.world.row.status == "error", "the failure is told")


def test_topics_of_a_long_meeting_are_found_over_several_attempts(drama, stage):
    """More topics than fit into the step's timeout: each attempt goes on where the last stopped.

    The given-up attempt stops by itself, so at most what was being asked is asked twice.
    """
    it = drama()
    words = [{"word": f"w{n} ", "start": n / 2, "end": n / 2 + 0.4} for n in range(3600)]
    heard = [{"match": ["padded_0"], "words": words}, {"match": ["padded_1"], "words": []}]
    it.world.control.replay(recogniser=heard)
    it.world.control.set_noise("llm", latency_s=1.5)
    with timed(stage.servers, "detect_topics", timeoutSeconds=5, responseTimeoutSeconds=3):
        it.begin()
        until(lambda: looked_at(it) and it.attempts("generate_title"), "topics are found")
    it.world.control.clear_noise()
    found = it.end()
    assert found.status == "completed", found.reason
    *timeouts, last = [status for status, _ in it.attempts("detect_topics")]
    assert set(timeouts) == {"timed_out"}
    assert last == "completed"
    asked = [json.loads(r["body"]) for r in it.world.control.requests("llm")]
    of_topics = [body for body in asked if body["max_tokens"] == ASK_TOPIC.max_tokens]
    topics = it.world.row.topics
    assert [t["timestamp"] for t in topics] == sorted(t["timestamp"] for t in topics)
    assert sum(len(t["words"]) for t in topics) == len(words)
    parallel = it.world.settings.llm_calls
    assert 2 * len(topics) <= len(of_topics) <= 2 * len(topics) + parallel * len(timeouts)


def looked_at(it):
    """Have the server see at once what has timed out, and not by its own slow clock."""
    with connected(it.world.settings) as client:
        client.decide(it.workflow_id)
    return True
