"""What a run really publishes is what the event dictionary says."""

from __future__ import annotations

import json
import re
import time

import jsonschema
import pytest
import redis

from reflector_migrate.conductor.event_dictionary import UNPUBLISHED, event_dictionary
from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_SPECS, VISIBLE_STEPS, Role
from reflector_migrate.store.evidence import Evidence

pytestmark = pytest.mark.live

DICTIONARY = event_dictionary()
SCHEMAS = {entry.event: entry.data_schema for entry in DICTIONARY}
LEGACY = {event for spec in STEP_SPECS for event in spec.events}
QUIET_S = 1.0


@pytest.fixture(scope="module")
def told(stack):
    """Every message of one comparison, as (channel, event, data); the comparison; the stack."""
    with redis.Redis.from_url(stack.settings.candidate.bus_url, socket_timeout=5) as client:
        ear = client.pubsub(ignore_subscribe_messages=True)
        ear.psubscribe("*ts:*", "*user:*")
        found = compare_in_sandbox(Harness.of(stack.settings), "zero-start", timeout_s=240)
        yield list(_heard(ear)), found, stack


def _heard(ear):
    until = time.monotonic() + QUIET_S
    while time.monotonic() < until:
        message = ear.get_message(timeout=0.2)
        if message:
            until = time.monotonic() + QUIET_S
            body = json.loads(message["data"])
            yield message["channel"].decode(), body["event"], body["data"]


def _own(event, data):
    """The event as its own channel has it: a user's channel adds the transcript's id."""
    if event.startswith("TRANSCRIPT_"):
        return event.removeprefix("TRANSCRIPT_"), {k: v for k, v in data.items() if k != "id"}
    return event, data


def test_every_message_fits_its_schema_and_its_channel(told):
    """On both engines' channels; nothing is said that the dictionary does not know."""
    channels = {entry.event: {c.partition(":")[0] for c in entry.channels} for entry in DICTIONARY}
    assert len(told[0]) > 2 * len(VISIBLE_STEPS)
    for channel, event, data in told[0]:
        name, own = _own(event, data)
        jsonschema.validate(own, SCHEMAS[name])
        assert re.sub("^shadow:[^:]+:", "", channel).partition(":")[0] in channels[name]


def test_every_event_that_may_be_published_is_published(told):
    """Both sides publish all legacy events; the candidate every step, in its own channels."""
    by_side = {True: set(), False: set()}
    for channel, event, data in told[0]:
        by_side[channel.startswith("shadow:")].add(_own(event, data)[0])
    assert by_side[True] == (LEGACY - UNPUBLISHED) | {"PIPELINE_PROGRESS"}
    assert by_side[False] == LEGACY - UNPUBLISHED
    steps = {d["current_step"] for _, e, d in told[0] if e == "PIPELINE_PROGRESS"}
    assert steps == set(VISIBLE_STEPS)


def test_each_state_is_published_once(told):
    """No progress id comes twice, and each step's states come in their order."""
    news = [data for _, event, data in told[0] if event == "PIPELINE_PROGRESS"]
    assert len({data["id"] for data in news}) == len(news)
    order = ("pending", "in_progress", "completed")
    for step in VISIBLE_STEPS:
        for index in {d.get("track_index") for d in news if d["current_step"] == step}:
            states = [
                d["step_status"]
                for d in news
                if (d["current_step"], d.get("track_index")) == (step, index)
            ]
            assert states == [state for state in order if state in states]


def test_what_the_rows_keep_fits_as_well(told):
    """Events in either side's row, WAVEFORM among them, are to the same schemas."""
    _, found, stack = told
    for role in (Role.PRIMARY, Role.CANDIDATE):
        seen = Evidence(stack.settings.store_url).observation(found.run_id, role)
        assert {event.event for event in seen.events if event.stored} == LEGACY
        for event in seen.events:
            if event.stored:
                jsonschema.validate(json.loads(json.dumps(dict(event.data))), SCHEMAS[event.event])


LOOKING_ONLY = {
    "get_recording", "get_participants", "cleanup_consent", "post_zulip", "send_webhook",
}  # fmt: skip
"""Their input says only where to look, so it has no digest."""


def test_equal_contents_have_equal_digests(told):
    """Step by step, input and output of both engines hash alike, topics with fresh ids too."""
    _, found, stack = told
    evidence = Evidence(stack.settings.store_url)
    sides = [evidence.observation(found.run_id, r) for r in (Role.PRIMARY, Role.CANDIDATE)]
    mine, theirs = (
        {(s.name, s.track_index): (s.input_digest, s.output_digest) for s in side.steps}
        for side in sides
    )
    assert set(mine) <= set(theirs)
    assert {key: theirs[key] for key in mine} == mine
    assert all(output for _, output in mine.values())
    assert {name for (name, _), (given, _) in mine.items() if not given} <= LOOKING_ONLY
