"""Each fault of upstream's own attempt has tests that would fail if we had it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.sandbox.standins.running import running_standins
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.deployment import candidate_of, primary_of
from reflector_migrate.store.base import url_of_run
from tests.pipeline_world import make_world
from tests.sources_world import local_s3

ROOT = Path(__file__).parent.parent
FAULTS = tomllib.loads((ROOT / "fixtures" / "upstream_faults.toml").read_text("utf-8"))["fault"]
NAMED = sorted({test for fault in FAULTS for test in fault["tests"]})


def test_the_table_has_all_faults_and_every_test_exists():
    """Twenty-seven, each with words of its own and at least one test that is there."""
    assert [fault["id"] for fault in FAULTS] == list(range(1, 28))
    assert all(fault["fault"] and fault["impossible"] and fault["tests"] for fault in FAULTS)
    assert [name for name in NAMED if not _exists(name)] == []


def test_every_test_that_the_readme_names_exists():
    """What is promised of the candidate, each with the tests that would fail without it."""
    text = (ROOT / "tests" / "README.md").read_text("utf-8")
    named = re.findall(r"`(test_\w+\.py::\w+)`", text)
    assert len(named) > 40
    assert [name for name in named if not _exists(f"tests/{name}")] == []


def _exists(name: str) -> bool:
    path, _, function = name.partition("::")
    if not (ROOT / path).is_file():
        return False
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    return function in names and function.startswith("test_")


@pytest.mark.live
def test_every_named_test_is_collected():
    """pytest itself finds each of them, under whatever parameters."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*words, *NAMED], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}
    assert set(NAMED) <= collected


def test_each_side_is_read_from_its_own_place(tmp_path):
    """One recording, two rows: what one side says is never taken for the other's."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("primary", "candidate")}
    for name, url in zip(urls, (urls["primary"], url_of_run(urls["candidate"], "r")), strict=True):
        create_all(url)
        Rows.at(url).insert_transcript(id="t", recording_id="r", title=name)
    settings = Settings.model_validate(
        {
            "reflector": {"database_url": urls["primary"]},
            "candidate": {"database_url": urls["candidate"]},
        }
    )
    titles = []
    for place in (primary_of(settings), candidate_of(settings, "r")):
        row = Rows.at(place.database_url).transcript_of("r")
        assert row is not None
        titles.append(row.title)
    assert titles == ["primary", "candidate"]
    mine, theirs = primary_of(settings), candidate_of(settings, "r")
    assert mine.media_bucket != theirs.media_bucket
    assert mine.tracks_bucket != theirs.tracks_bucket
    assert mine.data_dir != theirs.data_dir


def test_languages_are_the_rows():
    """Recognition and topics are asked in what get_recording found, never in a constant."""
    text = json.dumps(workflow_definition(PIPELINE, Settings()))
    assert '"language": "${get_recording.output.source_language}"' in text
    assert '"target_language": "${get_recording.output.target_language}"' in text
    assert '"en"' not in text


def test_every_call_to_the_model_carries_the_workflows_id(tmp_path):
    """All calls of a run have its workflow for session: a proxy knows whose they are."""
    with (
        local_s3() as s3_url,
        running_standins(tmp_path) as url,
        StandinControl(url) as control,
    ):
        world = make_world(tmp_path, s3_url, control, is_brief=True)
        world.whole(until="merge_transcripts")
        run = world.run.model_copy(update={"workflow_id": "workflow-7"})
        words = world.outputs["merge_transcripts"]["all_words"]
        topics = world.step("detect_topics", words=words, run=run.model_dump()).output["topics"]
        world.step("generate_title", topics=topics, run=run.model_dump())
        world.step("generate_summary", words=words, topics=topics, run=run.model_dump())
        bodies = [json.loads(request["body"]) for request in control.requests("llm")]
    assert len(bodies) >= 5
    assert {body["litellm_session_id"] for body in bodies} == {"workflow-7"}
