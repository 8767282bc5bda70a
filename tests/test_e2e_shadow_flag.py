"""The shadow flag: off, nothing differs; on, no failure behind it reaches the primary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from reflector_migrate.experiments.compare import start_primary
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.harness import Harness
from reflector_migrate.model import Verdict
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.sandbox.config import change_config
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.reconciliation import reconcile
from reflector_migrate.shadow.recover.replay import announce, announcements
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence, Spans
from reflector_migrate.store.runs import Dispatches, Runs
from tests.patience import PATIENT

pytestmark = pytest.mark.live

WITHOUT_SHADOW = ("redis", "s3", "standins", "legacy")
NAME = "zero-start"
WAIT_S = 120


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The legacy side with the flag off."""
    folder = tmp_path_factory.mktemp("plain")
    with Sandbox(PATIENT, folder, with_=WITHOUT_SHADOW) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The legacy side with the flag on, but neither dispatcher nor Conductor anywhere."""
    folder = tmp_path_factory.mktemp("alone")
    with Sandbox(PATIENT, folder, with_=WITHOUT_SHADOW, shadow=True) as sandbox:
        yield sandbox


def test_off_means_that_nothing_is_sent(plain: Sandbox) -> None:
    """The legacy run ends as ever, and none of our messages was ever published."""
    assert _run_legacy(plain.settings) == "ended"
    assert _waiting(plain.settings) == 0


def test_without_dispatcher_and_conductor_the_primary_is_untouched(
    plain: Sandbox, alone: Sandbox
) -> None:
    """Row, events and webvtt are those of a run with the flag off; the message waits."""
    assert _run_legacy(alone.settings) == "ended"
    assert _eventually(lambda: _waiting(alone.settings))
    assert _account(alone.settings) == _account(plain.settings)


def test_with_conductor_down_only_evidence_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The dispatcher runs into a dead Conductor: the primary ends, the failure has its reason."""
    folder = tmp_path_factory.mktemp("no-conductor")
    parts = (*WITHOUT_SHADOW, "shadow")
    impatient = {"shadow": {"dispatch_wait_s": 0.0}}
    with Sandbox(PATIENT, folder, with_=parts, shadow=True, changes=impatient) as sandbox:
        settings = sandbox.settings
        assert _run_legacy(settings) == "ended"
        recording = load_recording(settings.sandbox.recordings, NAME)
        last = _eventually(lambda: Dispatches(settings.store_url).last(recording.recording_id))
        assert last["outcome"] == "failed"
        assert last["reason"]
        known = Runs(settings.store_url).latest(recording.recording_id)
        assert known is not None
        assert known.state == "failed"


def test_a_message_that_comes_twice_starts_one_workflow(stack: Sandbox) -> None:
    """The same announcement dispatched again is a duplicate of the same run."""
    from reflector_migrate.experiments.compare import compare_in_sandbox
    from reflector_migrate.shadow.announcement import parse
    from reflector_migrate.shadow.dispatcher import claim
    from reflector_migrate.shadow.process import Shadow

    found = compare_in_sandbox(Harness.of(stack.settings), NAME, timeout_s=240)
    known = Runs(stack.settings.store_url).by_id(found.run_id)
    assert known is not None
    world = Shadow(Harness.of(stack.settings), lambda _run, _delay_s: None)
    assert claim(world, parse(dict(known.request))) is None
    last = Dispatches(stack.settings.store_url).last(known.recording_id)
    assert (last["outcome"], last["run_id"]) == ("duplicate", found.run_id)
    assert last["reason"] == "run is compared"
    assert len(Spans(stack.settings.store_url).of(known.transcript_id)) >= 4


def test_what_ran_unannounced_is_found_and_replayed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A run whose announcement never came is lost, by name; announced later, it matches."""
    with Sandbox(PATIENT, tmp_path_factory.mktemp("replay"), shadow=False) as sandbox:
        settings = sandbox.settings
        recording = load_recording(settings.sandbox.recordings, NAME)
        began = now()
        assert _run_legacy(settings) == "ended"
        _eventually(lambda: _posted(settings, recording.recording_id))
        ledger = reconcile(Harness.of(settings), began, now(), grace=timedelta(0))
        assert ledger.lost == (recording.recording_id,)
        change_config(sandbox.folders, {"shadow": {"enabled": True, "settle_s": 1.0}})
        (lost,) = announcements(Harness.of(settings), began, now(), grace=timedelta(0))
        announce(Harness.of(settings), lost)
        announce(Harness.of(settings), lost)
        found = _eventually(lambda: Evidence(settings.store_url).latest(recording.recording_id))
        wrong = [c.name for c in found.checks if c.verdict not in (Verdict.MATCHED,)]
        assert (found.verdict, wrong) == (Verdict.MATCHED, [])
        assert reconcile(Harness.of(settings), began, now(), grace=timedelta(0)).lost == ()
        assert sum(number for *_, number in Evidence(settings.store_url).nights()) == 1


def _posted(settings: Settings, recording_id: str) -> bool:
    """The chain behind the pipeline has ended: its last task's webhook, or its message, is out."""
    row = Rows.at(settings.reflector.database_url or "").transcript_of(recording_id)
    with StandinControl(settings.sandbox.control_url or "") as control:
        return row is not None and any(row.id in w["body"] for w in control.webhooks())


def _run_legacy(settings: Settings) -> str:
    recording = load_recording(settings.sandbox.recordings, NAME)
    set_stage(Harness.of(settings), recording)
    start_primary(settings, recording)
    rows = Rows.at(settings.reflector.database_url or "")

    def ended() -> str | None:
        row = rows.transcript_of(recording.recording_id)
        return row.status if row and row.status in ("ended", "error") else None

    return str(_eventually(ended))


def _account(settings: Settings) -> tuple[object, ...]:
    """What a reader of the row sees, but for fresh ids."""
    recording = load_recording(settings.sandbox.recordings, NAME)
    row = Rows.at(settings.reflector.database_url or "").transcript_of(recording.recording_id)
    assert row is not None
    kinds = [event["event"] for event in row.events]
    return row.status, row.title, row.long_summary, row.duration, row.webvtt, kinds


def _waiting(settings: Settings) -> int:
    client = redis.Redis.from_url(settings.reflector.broker_url, socket_timeout=5)
    with client:
        time.sleep(1)  # the plugin's sender is a thread of its own
        return int(client.llen("shadow"))  # type: ignore[arg-type]


def _eventually(look):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {WAIT_S} s")
