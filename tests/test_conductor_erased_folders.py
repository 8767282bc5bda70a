"""What a run left on one worker host goes there, though it was erased from another."""

import threading
import time

import pytest

from reflector_migrate.conductor.runtime.erased_folders import (
    keep_removing,
    remove_erased_folders,
)
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord
from tests.new_stores import new_store
from tests.run_states import brought


@pytest.fixture
def host(tmp_path):
    """A worker host with folders of an erased run, of one that is kept, and of none we know."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    new_store(url)
    raw = {"store": {"url": url}, "candidate": {"data_dir": str(tmp_path / "data")}}
    harness = Harness.of(Settings.model_validate(raw))
    for run_id, values in {"erased": {"erased_at": now()}, "kept": {}}.items():
        harness.runs.claim(RunRecord(run_id, run_id, run_id, run_id, "shadow"))
        brought(harness.runs, run_id, "compared", **values)
    for name in ("erased", "kept", "unknown"):
        (tmp_path / "data" / name / "tracks").mkdir(parents=True)
    return harness


def folders(host):
    """Those that the host still has."""
    return sorted(path.name for path in host.settings.candidate.data_dir.iterdir())


def test_folders_of_erased_runs_go(host):
    """Those of other runs stay, and so does what is not a run's at all."""
    assert remove_erased_folders(host) == ("erased",)
    assert folders(host) == ["kept", "unknown"]
    assert remove_erased_folders(host) == ()


def test_a_worker_host_does_so_by_itself(host):
    """As soon as its workers start."""
    stop = threading.Event()
    keep_removing(host, stop)
    deadline = time.monotonic() + 10
    while "erased" in folders(host):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop.set()


def test_a_host_without_a_data_folder_has_nothing_to_remove(host, tmp_path):
    """As before its first step."""
    elsewhere = host.settings.candidate.model_copy(update={"data_dir": tmp_path / "none"})
    harness = host.under(host.settings.model_copy(update={"candidate": elsewhere}))
    assert remove_erased_folders(harness) == ()
