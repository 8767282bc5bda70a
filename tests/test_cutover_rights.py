"""What the doctor tries on real servers, and what it says is wrong with each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from reflector_migrate.cutover import rights
from reflector_migrate.cutover.infrastructure import beat_is_alive, links_lead_where_theirs_do
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.messages import SWEEP
from reflector_migrate.shadow.provision import provision
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.heartbeats import Heartbeats
from reflector_migrate.store.runs import RunRecord, Runs
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

NOWHERE = "127.0.0.1:1"


def _said(name: str, settings: Settings) -> tuple[str, str]:
    try:
        answer = rights.CHECKS[name](Harness.of(settings))
    except MigrateError as error:
        return "check could not run", error.message
    return answer.value, answer.why


def _with(settings: Settings, section: str, **values: Any) -> Settings:
    changed = getattr(settings, section).model_copy(update=values)
    return settings.model_copy(update={section: changed})


def test_a_read_only_role_is_enough_and_a_missing_right_is_named(postgres_url: str):
    """With exactly the grants that `attach rights` prints; then without one of them."""
    create_all(postgres_url)
    role, _, rest = "doctor_reads", "", postgres_url.partition("@")[2]
    grants = ", ".join(rights.READ)
    with writing(postgres_url) as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'p'"))
        connection.execute(text(f"GRANT SELECT ON {grants} TO {role}"))
    url = f"postgresql+psycopg://{role}:p@{rest}"
    settings = Settings.model_validate({"reflector": {"database_url": url}})
    assert _said("reflector database", settings) == ("readable", "")
    with writing(postgres_url) as connection:
        connection.execute(text(f"REVOKE SELECT ON meeting_consent FROM {role}"))
    value, why = _said("reflector database", settings)
    assert (value, "GRANT SELECT ON meeting_consent" in why) == ("not as needed", True)
    with writing(postgres_url) as connection:
        connection.execute(text(f"DROP OWNED BY {role}"))
        connection.execute(text(f"DROP ROLE {role}"))


def test_a_newer_reflector_is_read_and_its_columns_are_named(postgres_url: str):
    """A column that it has more is named; one that it has less, and nothing uses, is not missed."""
    create_all(postgres_url)
    with writing(postgres_url) as connection:
        connection.execute(text("ALTER TABLE transcript ADD COLUMN action_items json"))
        connection.execute(text("ALTER TABLE transcript ADD COLUMN change_seq bigint"))
        connection.execute(text("ALTER TABLE room DROP COLUMN ics_last_etag"))
    settings = Settings.model_validate({"reflector": {"database_url": postgres_url}})
    found = rights.newer_than_known(Harness.of(settings))
    assert found.why == "column transcript.action_items, transcript.change_seq"
    assert _said("reflector database", settings) == ("readable", "")
    assert Rows.at(postgres_url).get_room("nowhere") is None


@pytest.mark.parametrize(
    ("url", "value"),
    [
        pytest.param(None, "not set", id="no URL"),
        pytest.param("postgresql+asyncpg://u@127.0.0.1/r", "no driver", id="another driver"),
        pytest.param(f"postgresql+psycopg://u@{NOWHERE}/r", "refused", id="another port"),
        pytest.param("sqlite:///{folder}/empty.db", "not as needed", id="not Reflector's"),
    ],
)
def test_what_is_wrong_with_reflectors_database(url, value, tmp_path):
    """Said as what it is, and no password with it."""
    where = url and url.format(folder=tmp_path)
    settings = Settings.model_validate({"reflector": {"database_url": where}})
    assert _said("reflector database", settings)[0] == value


def test_the_candidates_database_needs_our_mark(postgres_url: str, s3_server: Settings):
    """Marked by `register --with-store`, and by nothing else."""
    settings = _with(s3_server, "candidate", database_url=postgres_url)
    assert _said("candidate database", settings)[0] == "not as needed"
    assert _said("candidate bus", _with(settings, "candidate", bus_url=f"redis://{NOWHERE}/0"))[
        0
    ] == ("unreachable")


def test_what_is_wrong_with_s3(s3_server: Settings, tmp_path):
    """Bucket, endpoint and keys, each by its name; ours are written to."""
    settings = Settings.model_validate({
        **s3_server.model_dump(),
        "store": {"url": f"sqlite:///{tmp_path}/store.db"},
        "reflector": {"tracks_bucket": "rights-tracks", "media_bucket": "rights-media"},
        "candidate": {
            "tracks_bucket": "rights-shadow-tracks", "media_bucket": "rights-shadow-media",
            "database_url": f"sqlite:///{tmp_path}/candidate.db",
            "data_dir": str(tmp_path / "data"),
        },
    })  # fmt: skip
    value, why = _said("reflector s3", settings)
    assert (value, "bucket rights-tracks" in why) == ("refused", True)
    assert _said("candidate s3", settings)[0] == "refused"
    provision(Harness.of(settings))
    assert _said("candidate s3", settings) == ("writable", "")
    away = _with(settings, "s3", endpoint_url=f"http://{NOWHERE}", connect_timeout_s=0.2)
    assert _said("reflector s3", away)[0] == "unreachable"


SERVICES = ("recogniser", "language model", "daily")


def test_services_that_answer(standins: Settings):
    """Each stand-in is asked what costs nothing."""
    assert [_said(name, standins)[0] for name in SERVICES] == ["answers"] * 3


@pytest.mark.parametrize(
    ("name", "values", "value"),
    [
        ("recogniser", {"transcript_url": f"http://{NOWHERE}"}, "unreachable"),
        ("recogniser", {"transcript_url": "{there}/elsewhere"}, "another service"),
        ("language model", {"llm_url": f"http://{NOWHERE}/v1"}, "unreachable"),
        ("language model", {"llm_url": "{there}/v9"}, "another service"),
        ("language model", {"llm_model": "gone/7b"}, "not as needed"),
        ("daily", {"daily_url": "{there}/v9"}, "another service"),
        ("daily", {"daily_api_key": None}, "key refused"),
    ],
)
def test_what_is_wrong_with_a_service(standins: Settings, name, values, value):
    """Another port, another path, another model, no key."""
    there = (standins.services.llm_url or "").removesuffix("/v1")
    changed = {k: v.format(there=there) if isinstance(v, str) else v for k, v in values.items()}
    assert _said(name, _with(standins, "services", **changed))[0] == value


@pytest.mark.parametrize(("age_s", "state"), [(None, "fail"), (600, "fail"), (5, "pass")])
def test_beat_is_missed(any_store: str, age_s: float | None, state: str):
    """By the age of its last sweep."""
    from datetime import timedelta

    from reflector_migrate.store.migrate import upgrade

    upgrade(any_store)
    if age_s is not None:
        Heartbeats(any_store).beat(SWEEP, now() - timedelta(seconds=age_s))
    assert (
        beat_is_alive(Harness.of(Settings.model_validate({"store": {"url": any_store}}))).state
        == state
    )


@pytest.mark.parametrize(
    ("told", "state"),
    [
        pytest.param(None, "pass", id="not known yet"),
        pytest.param("https://reflector.example", "pass", id="ours are theirs"),
        pytest.param("https://elsewhere.example", "fail", id="another host"),
    ],
)
def test_links_to_another_host_are_found(tmp_path: Path, told: str | None, state: str):
    """The plugin says where Reflector's own links lead."""
    settings = Settings.model_validate({
        "store": {"url": f"sqlite:///{tmp_path}/store.db"},
        "reflector": {"ui_base_url": "https://reflector.example"},
    })  # fmt: skip
    new_store(settings.store_url)
    run = RunRecord(
        run_id="r", claim="c", recording_id="rec", transcript_id="t", namespace="shadow",
        primary_task_id="task", request={"ui_base_url": told},
    )  # fmt: skip
    assert Runs(settings.store_url).claim(run)
    assert links_lead_where_theirs_do(Harness.of(settings)).state == state
