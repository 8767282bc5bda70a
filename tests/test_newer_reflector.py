"""A newer Reflector: what it has and nothing compares is named, in doctor and in a comparison."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from reflector_migrate.cutover.rights import newer_than_known
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.plugin import FOLDER
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe import reader
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Spans
from tests.new_stores import new_store

TASK = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
NAMED = (
    "column transcript.change_seq, transcript.workflow_run_id",
    "event ACTION_ITEMS",
    "class reflector.db.transcripts.TranscriptActionItems",
)


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plugin's file as a worker imports it, switched off."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("MIGRATE_SHADOW", "false")
    yield importlib.import_module("reflector_shadow")
    sys.modules.pop("reflector_shadow")


def their_module(name: str, *classes: str) -> ModuleType:
    """A module of theirs with these classes, and one that it only imports."""
    made = ModuleType(name)
    for one in classes:
        setattr(made, one, type(one, (), {"__module__": name}))
    made.Path = Path  # type: ignore[attr-defined]
    return made


def test_the_plugin_names_the_classes_that_it_does_not_know(
    plugin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the modules that say what a run leaves, where the worker has loaded them; no others'."""
    for name in plugin.KNOWN_CLASSES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert plugin.unknown_classes() == []
    name = "reflector.db.transcripts"
    theirs = their_module(name, "TranscriptActionItems", "TranscriptTopic")
    monkeypatch.setitem(sys.modules, name, theirs)
    assert plugin.unknown_classes() == [f"{name}.TranscriptActionItems"]


def test_they_travel_with_the_pipelines_own_message_alone(
    plugin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its spans; the tasks behind it repeat nothing."""
    sent: list[dict[str, Any]] = []
    sender = SimpleNamespace(put=lambda _task, message: sent.append(message))
    monkeypatch.setattr(plugin, "_sender_for", lambda _app: sender)
    monkeypatch.setattr(plugin, "unknown_classes", lambda: ["m.New"])
    request = SimpleNamespace(root_id="r", parent_id=None, hostname="h", retries=0)
    for name in (TASK, "reflector.pipelines.main_live_pipeline.task_cleanup_consent"):
        task = SimpleNamespace(name=name, request=request, app=None)
        plugin._buffers["t"] = plugin.Buffer()
        plugin.on_postrun(task_id="t", task=task, kwargs={"transcript_id": "x"})
    assert [message.get("classes") for message in sent] == [["m.New"], None]


@pytest.fixture
def newer(tmp_path: Path) -> Settings:
    """A Reflector with two columns, an event and a class more; a run that the plugin timed."""
    urls = {name: f"sqlite:///{tmp_path}/{name}.db" for name in ("store", "reflector")}
    new_store(urls["store"])
    create_all(urls["reflector"])
    with writing(urls["reflector"]) as connection:
        connection.execute(text("ALTER TABLE transcript ADD COLUMN change_seq bigint"))
        connection.execute(text("ALTER TABLE transcript ADD COLUMN workflow_run_id varchar"))
    rows = Rows.at(urls["reflector"])
    rows.insert_recording(id="rec", bucket_name="b", object_key="k", recorded_at=now())
    rows.insert_transcript(id="t-1", recording_id="rec")
    rows.append_event("t-1", "ACTION_ITEMS", {"action_items": []})
    rows.set_status("t-1", "ended")
    return Settings.model_validate(
        {"store": {"url": urls["store"]}, "reflector": {"database_url": urls["reflector"]}}
    )


def _span() -> dict[str, Any]:
    name = "reflector.db.transcripts.TranscriptActionItems"
    times = {"started": 1.0, "duration_s": 1.0}
    ids = {"task_id": "task", "transcript_id": "t-1", "task": TASK}
    return {**ids, **times, "spans": [], "state": "SUCCESS", "classes": [name]}


def test_doctor_names_them(newer: Settings) -> None:
    """By kind; that there are any is no fault."""
    Spans(newer.store_url).add(_span())
    found = newer_than_known(Harness.of(newer))
    assert (found.state, found.why) == ("pass", "; ".join(NAMED))


def test_each_comparison_names_them(newer: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its notes, once each: the candidate has none of them."""
    monkeypatch.setattr(reader, "effects_of", lambda *_about: ((), ()))
    harness, place = Harness.of(newer), reader.primary_of(newer)
    primary = reader.observe(harness, place, "rec", spans=[_span()])
    found = compare(primary, primary.model_copy(update={"notes": ()}))
    assert [note for note in found.notes if "newer" in note] == [
        f"not compared, of a newer Reflector: {part}" for part in NAMED
    ]
