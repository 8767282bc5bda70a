"""Drills of the way back and of the fallback, on a real broker."""

from __future__ import annotations

import pytest
import redis

from reflector_migrate.cutover import routes
from reflector_migrate.cutover.drills import drilled
from reflector_migrate.cutover.handover import Asked, hand_over, parse
from reflector_migrate.cutover.items import State
from reflector_migrate.cutover.route_drills import WHO, drill_failover, drill_rollback
from reflector_migrate.errors import MigrateError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.plugin.reflector_route_table import KEY, Room, Table
from reflector_migrate.settings import Settings
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.migrate import upgrade

TABLE = Table(0, "conductor+fallback", 0.5, rooms={"a": Room("conductor")}, deny=("t",))


@pytest.fixture
def settings(tmp_path, redis_server):
    """A deployment whose routes send half of the recordings to Conductor."""
    broker = f"{redis_server}/10"
    redis.Redis.from_url(broker).flushdb()
    made = Settings.model_validate({
        "store": {"url": f"sqlite:///{tmp_path}/store.db"},
        "reflector": {"broker_url": broker, "database_url": f"sqlite:///{tmp_path}/theirs.db"},
        "route": {"back_file": tmp_path / "back"},
    })  # fmt: skip
    upgrade(made.store_url)
    create_all(str(made.reflector.database_url))
    routes.change(Harness.of(made), TABLE, "ana", "half")
    return made


def refusing(harness, message):
    """A starter that does what ours does with a transcript that does not exist."""
    with pytest.raises(MigrateError):
        hand_over(harness, parse(message, Asked))


def test_the_way_back_is_drilled_and_the_routes_restored(settings):
    """File and table each suffice; afterwards the same share goes to Conductor."""
    assert drilled("rollback")(Harness.of(settings)).state is State.PENDING
    found = drill_rollback(Harness.of(settings))
    assert (found.is_passed, settings.route.back_file.exists()) == (True, False), found.seen
    held = routes.published(Harness.of(settings)).table
    assert (held.route, held.share, held.rooms, held.deny) == (
        TABLE.route, TABLE.share, TABLE.rooms, TABLE.deny,
    )  # fmt: skip
    assert [e["body"]["who"] for e in Audit(settings.store_url).all("route")] == ["ana", WHO, WHO]
    assert drilled("rollback")(Harness.of(settings)).state is State.PASS


def test_a_way_back_that_does_not_work_fails_the_drill(settings, monkeypatch):
    """A table that still has Conductor is named; the file is taken away all the same."""
    monkeypatch.setattr(routes, "_all_back", lambda *_known: Table(9, "conductor"))
    found = drill_rollback(Harness.of(settings))
    assert (found.is_passed, found.seen) == (False, "not by table")
    assert not settings.route.back_file.exists()
    assert drilled("rollback")(Harness.of(settings)).state is State.FAIL


def test_a_deployment_that_is_sent_back_is_not_drilled(settings):
    """Its file would be taken away by the drill's end."""
    settings.route.back_file.touch()
    with pytest.raises(RefusedError, match="is there already"):
        drill_rollback(Harness.of(settings))
    assert settings.route.back_file.exists()


def test_a_refused_start_goes_to_legacy(settings):
    """The starter's own reason is what the claim says; nothing of the drill is left."""
    found = drill_failover(Harness.of(settings), refusing, timeout_s=5)
    assert found.is_passed, found.seen
    assert drilled("failover")(Harness.of(settings)).state is State.PASS
    assert redis.Redis.from_url(settings.reflector.broker_url).keys("*") == [KEY.encode()]


def test_without_a_starter_the_drill_fails(settings):
    """Every recording would wait for the whole time."""
    found = drill_failover(Harness.of(settings), lambda _settings, _message: None, timeout_s=0.2)
    assert (found.is_passed, found.seen) == (False, "no starter refused it within 0.2 s")
    assert drilled("failover")(Harness.of(settings)).state is State.FAIL
