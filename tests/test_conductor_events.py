"""The event dictionary says what the real pipeline really sends."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from reflector_migrate.conductor.event_dictionary import (
    as_json,
    as_markdown,
    as_page,
    event_dictionary,
)
from reflector_migrate.model import STEP_NAMES, VISIBLE_STEPS

RUNS = Path(__file__).parents[1] / "fixtures" / "runs"
NAMES = ("good", "zero-start", "denied-consent", "recogniser-error")
EIGHT = {
    "STATUS": {"get_recording", "finalize"},
    "DURATION": {"mixdown_tracks"},
    "WAVEFORM": {"generate_waveform"},
    "TRANSCRIPT": {"merge_transcripts"},
    "TOPIC": {"detect_topics"},
    "FINAL_TITLE": {"generate_title"},
    "FINAL_LONG_SUMMARY": {"generate_summary"},
    "FINAL_SHORT_SUMMARY": {"generate_summary"},
}


def published(run):
    """Messages of a recorded run on the transcript's own channel."""
    lines = (RUNS / run / "pubsub.jsonl").read_text().splitlines()
    messages = [json.loads(line) for line in lines]
    return [m["message"] for m in messages if m["channel"].startswith("ts:")]


def kept(run):
    """Events that a recorded run left in its row."""
    rows = json.loads((RUNS / run / "rows.json").read_text())
    return rows["transcript"][0]["events"]


def schemas():
    """The data's schema by event."""
    return {entry.event: entry.data_schema for entry in event_dictionary()}


def test_the_requirements_table_of_events_is_the_dictionarys():
    """Eight legacy events, each by the task that the requirements name."""
    made = {}
    for entry in event_dictionary():
        made.setdefault(entry.event, set()).add(entry.task)
    progress = made.pop("PIPELINE_PROGRESS")
    assert made == EIGHT
    assert progress == set(VISIBLE_STEPS)


@pytest.mark.parametrize("run", NAMES)
def test_what_the_real_pipeline_sent_fits_the_dictionary(run):
    """Every recorded message and every kept event is known and valid."""
    seen = [*published(run), *kept(run)]
    assert seen
    for message in seen:
        jsonschema.validate(message["data"], schemas()[message["event"]])


def test_an_event_with_another_field_does_not_fit():
    """The schemas are strict: a typo in a payload is found."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"title": "x", "titel": "y"}, schemas()["FINAL_TITLE"])


def test_only_what_was_really_published_has_a_channel():
    """WAVEFORM is kept in the row and never published."""
    heard = {m["event"] for run in NAMES for m in published(run)}
    with_channel = {e.event for e in event_dictionary() if e.channels}
    assert with_channel - heard == {"PIPELINE_PROGRESS"}
    assert heard <= with_channel


def test_the_dictionary_is_one_document():
    """Every task is listed, also those without events of their own; JSON all the way."""
    document = json.loads(json.dumps(as_json()))
    assert tuple(document["tasks"]) == STEP_NAMES
    assert document["tasks"]["generate_dynamic_fork_tasks"]["events"] == {}
    assert "PIPELINE_PROGRESS" in document["tasks"]["post_zulip"]["events"]


def test_the_table_names_every_event():
    """The rendering for the documentation leaves nothing out."""
    table = as_markdown()
    assert table.count("\n") == 2 + len(event_dictionary())
    assert all(f"| {event} |" in table for event in EIGHT)


def test_the_documentation_is_what_the_command_prints():
    """docs/events.md is up to date; else: migrate events > docs/events.md."""
    page = (RUNS.parents[1] / "docs" / "events.md").read_text(encoding="utf-8")
    assert page == as_page()
