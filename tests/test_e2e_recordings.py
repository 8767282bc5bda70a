"""Every synthetic recording through a real Celery pipeline and a real Conductor workflow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from reflector_migrate.cutover.checklist import exit_code, run
from reflector_migrate.cutover.items import State
from reflector_migrate.errors import ExitCode
from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, Phase, Role, Side, Verdict
from reflector_migrate.sandbox.recordings import load_recordings
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.shadow.nightly.night import write_report
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Runs
from tests.parity_live import Judged, assert_gates_hear, run_all
from tests.parity_world import differences

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[1] / "fixtures/recordings"
RECORDINGS = load_recordings(ROOT)
NAMES = sorted(RECORDINGS, key=lambda name: (name != "long", name))
STATUS = {"ended": "completed", "error": "failed"}


@pytest.fixture(scope="module")
def ran(stack: Sandbox) -> dict[str, Judged | Exception]:
    """Every recording, all at once: the ten minutes of one pass beside the others."""
    return run_all(stack.settings, NAMES, timeout_s=600)


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_matches(ran: dict[str, Judged | Exception], name: str) -> None:
    """With noise off both engines agree on everything, and both end as the fixture says."""
    run_ = ran[name]
    assert isinstance(run_, Judged), run_
    found = run_.comparison
    against = {
        c.name: c.measure and c.measure.findings for c in found.checks if c.verdict != "MATCHED"
    }
    assert found.verdict is Verdict.MATCHED, against
    expected = STATUS[RECORDINGS[name].expect.status]
    assert (found.primary.status, found.candidate.status) == (expected, expected)
    if step := RECORDINGS[name].expect.failed_step:
        assert _failed(found.primary) == _failed(found.candidate) == {step}


@pytest.mark.parametrize("name", NAMES)
def test_no_field_of_any_recording_differs(ran: dict[str, Judged | Exception], name: str) -> None:
    """No comparator between: rows, captions, media, objects, Zulip, webhook, broadcasts."""
    run_ = ran[name]
    assert isinstance(run_, Judged), run_
    is_cut_short = RECORDINGS[name].expect.failed_step == "pad_track"
    assert differences(run_, is_cut_short=is_cut_short) == []


def test_the_server_shows_the_executed_workflow(stack: Sandbox) -> None:
    """Conductor's own API has fifteen task types, dynamic forks and the recording's id."""
    compare_in_sandbox(Harness.of(stack.settings), "three-voices", timeout_s=240)
    recording_id = RECORDINGS["three-voices"].recording_id
    known = Runs(stack.settings.store_url).latest(recording_id)
    assert known is not None
    url = f"{stack.settings.conductor.server_url}/workflow/{known.workflow_id}"
    workflow = httpx.get(url, params={"includeTasks": True}, timeout=30).json()
    types = {task["taskDefName"] for task in workflow["tasks"]}
    assert set(STEP_NAMES) <= types
    assert sum(t["taskType"] == "FORK" for t in workflow["tasks"]) >= 3
    assert workflow["correlationId"] == recording_id
    assert sum(t["taskDefName"] == "transcribe_track" for t in workflow["tasks"]) == 3


def test_in_shadow_the_world_hears_once(stack: Sandbox) -> None:
    """Zulip and the webhook receiver hear of a recording from the primary alone."""
    found = compare_in_sandbox(Harness.of(stack.settings), "zero-start", timeout_s=240)
    primary = Evidence(stack.settings.store_url).observation(found.run_id, Role.PRIMARY)
    candidate = Evidence(stack.settings.store_url).observation(found.run_id, Role.CANDIDATE)
    assert primary is not None
    assert candidate is not None
    run_ = Runs(stack.settings.store_url).by_id(found.run_id)
    assert run_ is not None
    with StandinControl(stack.settings.sandbox.control_url or "") as control:
        told = [w for w in control.webhooks() if run_.transcript_id in w["body"]]
        posted = [m for m in control.zulip_messages() if run_.transcript_id in m["content"]]
    assert (len(told), len(posted)) == (1, 1)
    kinds = {effect.kind for effect in candidate.effects if effect.suppressed}
    assert {"webhook", "zulip_message"} <= kinds


def test_what_is_stored_makes_a_page_and_a_checklist(stack: Sandbox) -> None:
    """Ten recordings give ten comparisons, a page, and a list of what is missing."""
    settings = stack.settings
    for name in NAMES[1 : 1 + max(0, 10 - _compared(settings.store_url))]:
        compare_in_sandbox(Harness.of(settings), name, timeout_s=240)
    assert _compared(settings.store_url) >= 10
    night = datetime.now(UTC).date().isoformat()
    page = write_report(Harness.of(settings), night).read_text(encoding="utf-8")
    assert "MATCHED" in page
    lines = run(Harness.of(settings), Phase.SHADOW)
    by_name = {line.item.name: line.answer for line in lines}
    announced = by_name["pairs compared / eligible"]
    assert announced.n is not None
    assert announced.n >= 10
    exact = by_name["structure and side effects"]  # this store has no placebo: no gate counts
    assert exact.state is State.PENDING
    assert "migrate placebo run" in exact.why
    assert exit_code(lines) is not ExitCode.OK


def test_the_gates_hear_of_it(stack: Sandbox) -> None:
    """What ran on 3.32.3 is evidence; so is it on 3.15.0, see test_e2e_versions.py."""
    names = ("three-voices", "broken-track")
    known = Evidence(stack.settings.store_url)
    for name in names:
        if known.latest(RECORDINGS[name].recording_id) is None:
            compare_in_sandbox(Harness.of(stack.settings), name, timeout_s=240)
    assert_gates_hear(stack.settings, *names)


def test_infrastructure_is_answered_by_the_servers(stack: Sandbox) -> None:
    """Everything automatic passes; the drill alone is pending until it is made."""
    lines = run(Harness.of(stack.settings), Phase.INFRASTRUCTURE)
    answers = {line.item.name: line.answer for line in lines}
    assert answers.pop("kill switch drilled").state in {State.PENDING, State.PASS}
    assert not [(name, a) for name, a in answers.items() if a.state is not State.PASS]


def test_observations_can_be_judged_again_from_files(stack: Sandbox, tmp_path: Path) -> None:
    """Stored observations, written to files and compared offline, give the stored verdict."""
    from click.testing import CliRunner

    from reflector_migrate.cli.main import cli

    found = compare_in_sandbox(Harness.of(stack.settings), "solo", timeout_s=240)
    evidence = Evidence(stack.settings.store_url)
    for role, name in ((Role.PRIMARY, "a"), (Role.CANDIDATE, "b")):
        seen = evidence.observation(found.run_id, role)
        assert seen is not None
        (tmp_path / f"{name}.json").write_text(seen.model_dump_json(by_alias=True))
    files = ["--reference", f"{tmp_path}/a.json", "--candidate", f"{tmp_path}/b.json"]
    result = CliRunner().invoke(cli, ["compare", *files, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["verdict"] == found.verdict.value


def _failed(side: Side) -> set[str]:
    """Steps that failed, but for one that was cancelled because of another's failure."""
    return {step.name for step in side.steps if step.status == "failed"}


def _compared(url: str) -> int:
    return sum(number for *_, number in Evidence(url).nights())
