"""Shadow's decisions without servers: routing, settling, isolation, the night's coverage."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reflector_migrate.cli.web import build
from reflector_migrate.errors import ConfigurationError, InputError
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings, ShadowSettings
from reflector_migrate.shadow.announcement import parse
from reflector_migrate.shadow.nightly.night import day_of, gather, write_report
from reflector_migrate.shadow.observe.quiescence import is_settled, patience_s
from reflector_migrate.shadow.routing import sample_point, why_skipped
from reflector_migrate.shadow.snapshot import require_separate
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import Dispatches
from tests.new_stores import new_store

ON = ShadowSettings(enabled=True)


@pytest.mark.parametrize(
    ("shadow", "is_killed", "reason"),
    [
        pytest.param(ON, False, None, id="on"),
        pytest.param(ShadowSettings(), False, "shadow is off", id="off by default"),
        pytest.param(ON, True, "kill switch", id="the kill switch only turns off"),
        pytest.param(
            ShadowSettings(enabled=True, rooms=("other",)), False,
            "room not in shadow.rooms", id="another room",
        ),
        pytest.param(ShadowSettings(enabled=True, rate=0), False, "not sampled", id="rate 0"),
    ],
)  # fmt: skip
def test_routing(shadow, is_killed, reason) -> None:
    """Every reason not to shadow has its name."""
    assert why_skipped(shadow, "rec", "room", is_killed=is_killed) == reason


def test_the_sample_is_stable_and_fair() -> None:
    """The same recording is in or out everywhere, and a tenth is about a tenth."""
    points = [sample_point(f"recording-{n}") for n in range(10_000)]
    assert points[:3] == [sample_point(f"recording-{n}") for n in range(3)]
    assert 0.09 < sum(point < 0.1 for point in points) / len(points) < 0.11


PIPELINE, CONSENT = "task_pipeline_multitrack_process", "task_cleanup_consent"
ZULIP, WEBHOOK = "task_pipeline_post_to_zulip", "task_send_webhook_if_needed"
DELIVERY = "send_transcript_webhook"
CHAIN = [(PIPELINE, "SUCCESS"), (CONSENT, "SUCCESS"), (ZULIP, "SUCCESS"), (WEBHOOK, "SUCCESS")]


@pytest.mark.parametrize(
    ("status", "seen", "has_webhook", "settled"),
    [
        pytest.param("processing", [], False, False, id="still running"),
        pytest.param("ended", CHAIN[:1], False, False, id="the chain is to come"),
        pytest.param("ended", CHAIN, False, True, id="chain done, no webhook wanted"),
        pytest.param("ended", CHAIN, True, False, id="a delivery is to come"),
        pytest.param("ended", [*CHAIN, (DELIVERY, "RETRY")], True, False, id="it is tried again"),
        pytest.param("ended", [*CHAIN, (DELIVERY, "SUCCESS")], True, True, id="delivered"),
        pytest.param("ended", [*CHAIN, (DELIVERY, "FAILURE")], True, True, id="given up"),
        pytest.param(
            "ended", [*CHAIN[:2], (ZULIP, "FAILURE")], True, True, id="Zulip broke the chain"
        ),
        pytest.param("error", [(PIPELINE, "FAILURE")], True, True, id="failed: no chain"),
        pytest.param("error", [], True, False, id="failed, its task not yet ended"),
    ],
)
def test_settling(status, seen, has_webhook, settled) -> None:
    """Nothing is compared while something may still follow."""
    spans = [{"task": f"reflector.x.{task}", "state": state} for task, state in seen]
    assert is_settled(status, spans, has_webhook=has_webhook) is settled


@pytest.mark.parametrize(
    ("seen", "waits_s"),
    [
        pytest.param([], 90, id="a plugin that is silent"),
        pytest.param([(CONSENT, "SUCCESS")], 90, id="one that lost the pipeline's end"),
        pytest.param([(PIPELINE, "SUCCESS")], 2700, id="a busy worker comes to the rest later"),
        pytest.param(
            [*CHAIN, (DELIVERY, "RETRY")], 2700, id="a receiver that is down for half an hour"
        ),
    ],
)
def test_patience(seen, waits_s) -> None:
    """Late side effects are not missing ones."""
    spans = [{"task": f"reflector.x.{task}", "state": state} for task, state in seen]
    assert patience_s(spans, settle_s=90, chain_s=2700) == waits_s


def _settings(folder: Path, **candidate: object) -> Settings:
    apart = {"database_url": f"sqlite:///{folder}/c.db", "data_dir": "c", **candidate}
    return Settings.model_validate(
        {
            "state_dir": folder,
            "store": {"url": f"sqlite:///{folder}/s.db"},
            "reflector": {"database_url": f"sqlite:///{folder}/p.db", "data_dir": "p"},
            "candidate": apart,
        }
    )


def test_worlds_apart_are_accepted(tmp_path: Path) -> None:
    """Nothing shared, nothing said."""
    require_separate(_settings(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("database_url", "sqlite:///{folder}/p.db"),
        ("database_url", None),
        ("media_bucket", "reflector-media"),
        ("tracks_bucket", "daily-tracks"),
        ("data_dir", "p"),
        ("media_bucket", "/reflector-media//"),
        ("media_bucket", "daily-tracks"),
        ("data_dir", "."),
        ("channel_prefix", ""),  # the other Redis database is on the same server
    ],
)
def test_a_shared_place_is_refused(tmp_path: Path, key: str, value: str | None) -> None:
    """The setting that would let the candidate touch production is named."""
    told = value.format(folder=tmp_path) if value else value
    with pytest.raises(ConfigurationError) as refused:
        require_separate(_settings(tmp_path, **{key: told}))
    assert f"candidate.{key}" in refused.value.message


def test_our_store_is_not_in_the_primarys_database(tmp_path: Path) -> None:
    """Two histories of migrations in one database would break both; no password is said."""
    url = "postgresql+psycopg://u:secret@h/reflector"
    both = {"store": {"url": url}, "reflector": {"database_url": url}}
    apart = _settings(tmp_path).model_dump() | both
    with pytest.raises(ConfigurationError, match=r"store\.url") as refused:
        require_separate(Settings.model_validate(apart))
    assert "secret" not in refused.value.message + refused.value.hint


def test_a_message_without_a_field_names_it() -> None:
    """Whatever is on the queue, the reason is clear."""
    with pytest.raises(InputError, match="bucket_name"):
        parse({"transcript_id": "t", "track_keys": [], "task_id": "x"})


def test_an_empty_night_is_inconclusive_and_still_a_page(tmp_path: Path) -> None:
    """Nothing compared is never a match, and the page says that nothing was."""
    settings = _settings(tmp_path)
    new_store(settings.store_url)
    night = now().date().isoformat()
    assert gather(Harness.of(settings), night).verdict == "INCONCLUSIVE"
    page = write_report(Harness.of(settings), night).read_text(encoding="utf-8")
    assert "INCONCLUSIVE" in page
    assert list((tmp_path / "reports").iterdir()) == [tmp_path / f"reports/shadow-{night}.html"]


def test_coverage_has_every_reason(tmp_path: Path) -> None:
    """Skipped and failed recordings are counted by why; the last word about one counts."""
    settings = _settings(tmp_path)
    new_store(settings.store_url)
    log = Dispatches(settings.store_url)
    log.add("a", "skipped", reason="not sampled")
    log.add("b", "started", run_id="run-b")
    log.add("b", "failed", run_id="run-b", reason="track is gone")
    found = gather(Harness.of(settings), now().date().isoformat()).coverage
    assert (found.eligible, found.compared, found.missing) == (2, 0, 0)
    assert (found.skipped, found.failed) == ({"not sampled": 1}, {"track is gone": 1})


@pytest.mark.parametrize("night", ["tonight", "2026-13-01", ""])
def test_a_night_is_a_date(night: str) -> None:
    """Anything else is refused by its own words."""
    with pytest.raises(InputError):
        day_of(night)


def test_serve_reads_and_never_writes(tmp_path: Path) -> None:
    """Reports, health and metrics by GET; other methods, names and paths are refused."""
    settings = _settings(tmp_path)
    client = TestClient(build(Harness.of(settings)), base_url="http://127.0.0.1:8180")
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"Host": "localhost:8180"}).status_code == 200
    assert client.get("/readyz").status_code == 503
    unready = client.get("/metrics")
    assert (unready.status_code, "the store is not initialised" in unready.text) == (503, True)
    new_store(settings.store_url)
    night = now().date().isoformat()
    write_report(Harness.of(settings), night)
    (tmp_path / "reports/secret.txt").write_text("no")
    assert f"shadow-{night}.html" in client.get("/").text
    assert client.get(f"/reports/shadow-{night}.html").status_code == 200
    assert client.get("/reports/secret.txt").status_code == 404
    assert client.get("/reports/..%2Fs.db").status_code == 404
    assert client.post("/").status_code == 405
    assert client.get("/readyz").text == "ok\n"
    assert "shadow_in_flight 0.0" in client.get("/metrics").text
