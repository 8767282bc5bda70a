"""The store: written once, read back whole, on SQLite and PostgreSQL, from nothing by alembic."""

from __future__ import annotations

import gc
import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from reflector_migrate.errors import MigrateError, ServerUnreachableError, TerminalStepError
from reflector_migrate.model import Comparison, Engine, Observation, Role, Side, Verdict, gist_of
from reflector_migrate.store.aa_pairs import LegacyPair, LegacyPairs, Secondaries, SecondaryRun
from reflector_migrate.store.artifacts import Artifacts
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import engine_for, writing
from reflector_migrate.store.cache import TaskCache
from reflector_migrate.store.canonical_json import canonical_json, sha256_of
from reflector_migrate.store.clock import now
from reflector_migrate.store.effects import EffectLog
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.evidence import Evidence, Spans
from reflector_migrate.store.migrate import current, head, upgrade
from reflector_migrate.store.nights import Nights
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs
from reflector_migrate.store.tables import audit, metadata
from tests.run_states import brought

pytestmark = pytest.mark.heavy


@pytest.fixture
def url(any_store: str) -> str:
    """An empty store brought to the newest schema, on each database."""
    return any_store


def _run(number: int = 1) -> RunRecord:
    return RunRecord(
        run_id=f"run-{number}", claim="one", recording_id="rec", transcript_id="t",
        namespace="shadow", build="b", state="claimed", reason=None, workflow_id=None,
        primary_task_id="task", request={"root_id": "r"}, created_at=now(), updated_at=now(),
    )  # fmt: skip


def _comparison(run_id: str) -> Comparison:
    return Comparison(
        recording="rec", run_id=run_id, verdict=Verdict.MATCHED,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR),
    )  # fmt: skip


def test_migrations_make_exactly_the_tables(url: str) -> None:
    """Going from nothing to head leaves no difference to the code's tables."""
    assert current(url) == head()
    with engine_for(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrading_twice_changes_nothing(url: str) -> None:
    """A deployment may run the migrations each time."""
    assert upgrade(url) == head()


def test_exactly_one_claim_wins(url: str) -> None:
    """However many dispatchers claim a run at once, one of them starts it."""
    won: list[bool] = []
    threads = [
        threading.Thread(target=lambda n=n: won.append(Runs(url).claim(_run(n)))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(won) == [False] * 7 + [True]


def test_a_workflow_id_once_known_stays(url: str) -> None:
    """Moving a run on without naming the workflow forgets nothing."""
    runs = Runs(url)
    runs.claim(_run())
    brought(runs, "run-1", "started", workflow_id="w")
    brought(runs, "run-1", "compared")
    found = runs.by_id("run-1")
    assert found is not None
    assert (found.state, found.workflow_id) == ("compared", "w")
    assert found.created_at.tzinfo is not None


def test_artifacts_are_the_same_wherever_they_are_written(url: str) -> None:
    """Equal values have one hash; a missing reference is hopeless."""
    artifacts = Artifacts(url)
    first = artifacts.put("run", "step", "words", [{"b": 2.0, "a": "ü"}])
    again = artifacts.put("run", "step", "words", [{"a": "ü", "b": 2}])
    assert first == again
    assert artifacts.get(first.ref) == [{"a": "ü", "b": 2}]
    with pytest.raises(TerminalStepError):
        artifacts.get("artifact:run/step/none")
    assert artifacts.erase("run") == 1
    assert artifacts.find("run", "step", "words") is None


def test_the_cache_forgets_by_age_and_by_number(url: str) -> None:
    """An entry past its time is never served, and the oldest go first."""
    clock = [100.0]
    cache = TaskCache(url, ttl_s=10, max_entries=2, clock=lambda: clock[0])
    for key in ("a", "b", "c"):
        cache.set(key, {"is": key})
        clock[0] += 1
    assert (cache.get("a"), cache.get("c")) == (None, {"is": "c"})
    clock[0] += 10
    assert cache.get("c") is None


@pytest.mark.parametrize("times", [1, 3])
def test_effects_and_events_are_kept_once(url: str, times: int) -> None:
    """A retried step records nothing twice."""
    news = []
    for _ in range(times):
        EffectLog(url).record("run", "webhook", "e", {"body": "{}"}, size_bytes=2)
        news.append(EventLog(url).record("run", "k", "ts:1", {"event": "STATUS", "data": {}}))
    assert len(EffectLog(url).of("run")) == 1
    assert [e.event for e in EventLog(url).of("run")] == ["STATUS"]
    assert news == [True] + [False] * (times - 1)


def test_evidence_is_written_once_and_whole(url: str) -> None:
    """A comparison and its observations come back as they went in; a second one is refused."""
    seen = Observation(
        recording="rec", run_id="run", role=Role.PRIMARY, engine=Engine.CELERY, status="completed"
    )
    evidence = Evidence(url)
    assert evidence.add([seen], _comparison("run"), "2026-11-23")
    assert not evidence.add([seen], _comparison("run"), "2026-11-24")
    assert evidence.observation("run", Role.PRIMARY) == seen
    assert evidence.latest("rec") == _comparison("run")
    assert evidence.nights() == (("2026-11-23", "MATCHED", 1),)
    assert Nights(url).of("2026-11-23") == (gist_of(_comparison("run")),)
    assert Nights(url).of("2026-11-24") == ()


def test_a_run_that_has_moved_on_is_not_compared(url: str) -> None:
    """Run again while its earlier result is judged: nothing of that is kept, the next one is."""
    runs, evidence = Runs(url), Evidence(url)
    runs.claim(_run())
    begun = brought(runs, "run-1", "observed")
    brought(runs, "run-1", "started")  # by `migrate retry`
    assert not evidence.add([], _comparison("run-1"), "2026-11-23", closing=begun)
    assert runs.move(begun, "failed") is None
    assert (_found(runs).state, evidence.comparison("run-1")) == ("started", None)
    assert evidence.add([], _comparison("run-1"), "2026-11-23", closing=_found(runs))
    assert _found(runs).state == "compared"
    assert evidence.comparison("run-1") == _comparison("run-1")


def test_what_is_run_again_is_compared_again_and_its_night_stays(url: str) -> None:
    """The newest for a reader; the first in its night, which says so."""
    runs, evidence = Runs(url), Evidence(url)
    runs.claim(_run())
    brought(runs, "run-1", "observed")
    seen = Observation(
        recording="rec", run_id="run-1", role=Role.CANDIDATE, engine=Engine.CONDUCTOR,
        status="failed",
    )  # fmt: skip
    whole = seen.model_copy(update={"status": "completed"})
    first = _comparison("run-1").model_copy(update={"verdict": Verdict.DIVERGED})
    assert evidence.add([seen], first, "2026-11-23", closing=_found(runs))
    assert not evidence.add([whole], _comparison("run-1"), "2026-11-24"), "of no run by hand"
    for night in ("2026-11-24", "2026-11-25"):
        brought(runs, "run-1", "started")
        assert evidence.add([whole], _comparison("run-1"), night, closing=_found(runs))
    assert _found(runs).state == "compared"
    assert evidence.comparison("run-1") == evidence.latest("rec") == _comparison("run-1")
    assert evidence.first("run-1") == first
    assert evidence.observation("run-1", Role.CANDIDATE) == whole
    (shown,) = Nights(url).documents(["run-1"])
    assert Nights(url).of("2026-11-23") == (gist_of(first),)
    assert shown.verdict is Verdict.DIVERGED
    assert shown.notes[-1].startswith("run again manually since, and then MATCHED")
    assert evidence.nights() == (("2026-11-23", "DIVERGED", 1),)


def _found(runs: Runs) -> RunRecord:
    found = runs.by_id("run-1")
    assert found is not None
    return found


def test_garbage_is_looked_for_again_after_a_night_is_read(url: str) -> None:
    """Also where reading fails; and where it was off already it stays off."""
    for was_on in (True, False):
        (gc.enable if was_on else gc.disable)()
        try:
            Nights(url).of("2026-11-23")
            with pytest.raises(MigrateError):
                Nights("sqlite:////nowhere/at/all.db").of("2026-11-23")
            assert gc.isenabled() is was_on
        finally:
            gc.enable()


def test_spans_of_an_attempt_are_kept_once(url: str) -> None:
    """The plugin may send a message twice; a retried task is another attempt."""
    message = {"task_id": "t1", "transcript_id": "t", "retries": 0}
    spans = Spans(url)
    assert spans.add(message)
    assert not spans.add(message)
    assert spans.add({**message, "retries": 1})
    assert len(spans.of("t")) == 2


def test_dispatches_count_what_was_announced(url: str) -> None:
    """The coverage's denominator: every outcome with its reason, by time."""
    dispatches = Dispatches(url)
    dispatches.add("rec", "skipped", reason="not sampled")
    since = now() - timedelta(minutes=1)
    assert [o["reason"] for o in dispatches.between(since, now())] == ["not sampled"]
    assert dispatches.between(since - timedelta(days=2), since) == ()


def test_a_changed_audit_entry_is_found(url: str) -> None:
    """The chain breaks at the first entry that was touched."""
    log = _log_of_three(url)
    assert log.fault() == ""
    with writing(url) as connection:
        connection.execute(update(audit).where(audit.c.seq == 2).values(body={"who": "mallory"}))
    assert log.fault() == "entry 2 (sign:margins) does not fit its digest: it was changed"


def test_a_removed_audit_entry_is_found(url: str) -> None:
    """A gap is named by the entry that is missing."""
    log = _log_of_three(url)
    with writing(url) as connection:
        connection.execute(audit.delete().where(audit.c.seq == 2))
    assert log.fault() == "entry 2 is missing: entry 3 follows entry 1"


def test_reordered_audit_entries_are_found(url: str) -> None:
    """Two entries that change places no longer fit their digests."""
    log = _log_of_three(url)
    with writing(url) as connection:
        for old, new in ((1, 9), (2, 1), (9, 2)):
            connection.execute(update(audit).where(audit.c.seq == old).values(seq=new))
    assert log.fault().startswith("entry 1 (sign:margins) does not fit its digest")


def test_a_truncated_audit_log_is_found_by_its_exported_head(url: str) -> None:
    """The chain of what is left is whole; the head that was exported is not in it."""
    log = _log_of_three(url)
    head = log.head()
    with writing(url) as connection:
        connection.execute(audit.delete().where(audit.c.seq == 3))
    assert log.fault() == ""
    assert log.fault([head]) == "the log ends at entry 2; entry 3 was exported and is gone"
    log.append("sign:margins", {"who": "dora"})
    assert log.fault([head]).startswith("entry 3 is not the one that was exported")


def _log_of_three(url: str) -> Audit:
    log = Audit(url)
    for who in ("ana", "ben", "cleo"):
        log.append("sign:margins", {"who": who})
    return log


def test_an_unreachable_database_is_one_clear_error() -> None:
    """Host and database are named, the password is not."""
    with pytest.raises(ServerUnreachableError) as error:
        Runs("postgresql+psycopg://u:hunter2@127.0.0.1:9/nothing").count_in_flight()
    assert "127.0.0.1:9" in error.value.message
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_store_without_tables_says_how_to_make_them(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What a newcomer meets first: one clear line on both databases, and the way out."""
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    url = empty if database == "sqlite" else request.getfixturevalue("postgres_url")
    with pytest.raises(MigrateError, match="the store is not initialised") as error:
        Runs(url).count_in_flight()
    assert "migrate sandbox up" in error.value.hint
    assert error.value.exit_code == 4


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of keys"),
        pytest.param([1.0], [1], id="integral floats"),
        pytest.param({"t": (1, 2)}, {"t": [1, 2]}, id="tuples"),
    ],
)
def test_equal_values_have_equal_digests(left: object, right: object) -> None:
    """Whatever engine carried them."""
    assert sha256_of(left) == sha256_of(right)


@pytest.mark.parametrize("beside", ["plain", "é"])
def test_canonical_json_refuses_what_json_has_not(beside: str) -> None:
    """NaN in a digest would compare unequal to itself."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": float("nan"), beside: 1})


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.0, "0"), (-0.0, "0"), (5e-324, "5e-324"), (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"), (-9007199254740992.0, "-9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"), (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (999999999999999700000.0, "999999999999999700000"),
        (999999999999999900000.0, "999999999999999900000"), (1e21, "1e+21"),
        (9.999999999999997e-07, "9.999999999999997e-7"), (1e-06, "0.000001"),
        (333333333.3333332, "333333333.3333332"), (333333333.33333325, "333333333.33333325"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"), (0.00005, "0.00005"), (7, "7"),
        (2**53 + 1, "9007199254740992"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_rfc_8785_says(number: float, written: str) -> None:
    """Its appendix B, and a word that starts 50 microseconds into the meeting."""
    assert canonical_json([number]) == f"[{written}]"


def test_keys_are_sorted_as_rfc_8785_says() -> None:
    """By UTF-16 code units, its section 3.2.3; texts as they are."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    order = list(json.loads(canonical_json(dict.fromkeys(keys, "\u2028"))))
    assert order == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param({1: 2, None: 3}, '{"1":2,"None":3}', id="keys not text"),
        pytest.param({"a": "\ud800"}, '{"a":"\ud800"}', id="half a surrogate pair"),
        pytest.param({"\ud800": 1.0}, '{"\ud800":1}', id="as a key, beside an integral double"),
        pytest.param([2**60 + 1, -(2**70)], "[1152921504606847000,-1.1805916207174113e+21]",
                     id="beyond 2^53"),
    ],
)  # fmt: skip
def test_what_rfc_8785_refuses_has_a_digest_too(value: object, written: str) -> None:
    """Models and services send it, and what they sent must be found equal again."""
    assert canonical_json(value) == written
    assert sha256_of(value) == sha256_of(json.loads(canonical_json(value)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
@settings(deadline=None, max_examples=200)
def test_a_digest_survives_a_trip_through_json(value: object) -> None:
    """Any JSON value, half surrogate pairs and large numbers too: read back, it has the digest."""
    assert sha256_of(json.loads(json.dumps(value))) == sha256_of(value)
    assert sha256_of(json.loads(canonical_json(value))) == sha256_of(value)


def _pair(run_id: str, value: float | None) -> LegacyPair:
    return LegacyPair(
        run_id=run_id, recording_id="rec", stratum="s", came_first="primary",
        told={"legacy_build": "b", "standins": {"noise": {}}},
        divergences={"words": value, "title": None},
        candidate_build="c", exchanged={"words": [value or 0.0, -0.1]},
    )  # fmt: skip


def test_pairs_are_added_once_and_found_by_their_conditions(url: str) -> None:
    """Another build or other noise starts again; a run's own pair can be left out."""
    pairs = LegacyPairs(url)
    assert (pairs.add(_pair("one", 0.1)), pairs.add(_pair("two", 0.2))) == (True, True)
    assert pairs.add(_pair("one", 0.9)) is False
    told = _pair("one", 0.1).told
    assert pairs.of(told) == (_pair("one", 0.1), _pair("two", 0.2))
    assert pairs.of(told, but="two") == (_pair("one", 0.1),)
    assert pairs.of({**told, "legacy_build": "c"}) == ()
    assert pairs.of({**told, "standins": {"noise": {"llm": {"rate": 0.3}}}}) == ()


def test_a_comparison_keeps_its_pair_all_or_nothing(url: str) -> None:
    """The pair of a comparison is there with it, and once."""
    evidence = Evidence(url)
    seen = Observation(
        recording="rec", run_id="one", role=Role.CANDIDATE, engine=Engine.CONDUCTOR,
        build="b", status="completed",
    )  # fmt: skip
    assert evidence.add([seen], _comparison("one"), "2026-11-24", _pair("one", 0.1))
    assert not evidence.add([seen], _comparison("one"), "2026-11-24", _pair("one", 0.3))
    assert LegacyPairs(url).of(_pair("", None).told) == (_pair("one", 0.1),)
    later = seen.model_copy(update={"run_id": "two"})
    assert evidence.earlier_candidate(later) == seen
    assert evidence.earlier_candidate(seen) is None
    assert evidence.earlier_candidate(later.model_copy(update={"build": "c"})) is None


def test_a_primary_has_one_secondary(url: str) -> None:
    """Announced once, before either begins, with the order that was drawn."""
    secondaries = Secondaries(url)
    run = SecondaryRun("root-1", "root-2", "rec", Role.SECONDARY)
    assert secondaries.add(run)
    assert not secondaries.add(SecondaryRun("root-1", "root-3", "rec", Role.PRIMARY))
    assert secondaries.of("root-1") == run
    assert secondaries.of("root-2") is None
