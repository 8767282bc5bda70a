"""Every synthetic recording, on PostgreSQL: what the two engines leave is equal field by field.

All of them at once, as a deployment would have them; on SQLite the same is asked in
test_e2e_recordings.py. The answers of the services are fixed: with noise off a stand-in
gives the same answer to the same question.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflector_migrate.model import Verdict
from reflector_migrate.sandbox.recordings import load_recordings
from reflector_migrate.sandbox.servers.postgres import PostgresServer
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
from tests.parity_world import Ran, differences, run_all

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[1] / "fixtures/recordings"
NAMES = sorted(load_recordings(ROOT), key=lambda name: (name != "long", name))
PRICE = {
    "since": "2026-01-01",
    "gpu_second": 306,
    "llm_tokens_in_million": 70_000,
    "llm_tokens_out_million": 140_000,
    "s3_gib": 90_000,
    "s3_requests_million": 400_000,
}
BASE = Settings.model_validate({"sandbox": {"start_timeout_s": 240.0}, "prices": [PRICE]})


@pytest.fixture(scope="module")
def on_postgres(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """The whole sandbox with its store and both sides' rows on PostgreSQL."""
    create = postgres_server.create_database
    changes = {
        "store": {"url": create()},
        "reflector": {"database_url": create()},
        "candidate": {"database_url": create()},
    }
    folder = tmp_path_factory.mktemp("on-postgres")
    with Sandbox(BASE, folder, shadow=True, changes=changes) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def ran(on_postgres: Sandbox) -> dict[str, Ran | Exception]:
    """Every recording, once."""
    return run_all(on_postgres.settings, NAMES, timeout_s=600)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_differs(ran: dict[str, Ran | Exception], name: str) -> None:
    """Row, events, captions, media, objects, Zulip, webhook, broadcasts; the verdict agrees."""
    found = ran[name]
    assert isinstance(found, Ran), found
    assert differences(found) == []
    assert found.comparison.verdict is Verdict.MATCHED


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_are_priced(ran: dict[str, Ran | Exception], name: str) -> None:
    """The collector fills in what each cost, at the configured price; the cache explains less."""
    found = ran[name]
    assert isinstance(found, Ran), found
    sides = found.comparison.primary, found.comparison.candidate
    assert all(side.cost_microdollars is not None for side in sides)
