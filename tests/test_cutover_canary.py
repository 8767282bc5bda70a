"""The canary: what a step shows, what the next one lacks, and the commands that take it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover import canary, checklist, routes
from reflector_migrate.cutover.canary import PROPOSAL, Position, Served, what_misses
from reflector_migrate.cutover.handover import KEPT_BACK, SERVED
from reflector_migrate.cutover.items import Item, passed, pending
from reflector_migrate.cutover.tripwire import regression, watch
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Gist, Phase
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.plugin.reflector_route_table import Room, Table
from reflector_migrate.settings import load_settings
from reflector_migrate.settings.sections import CutoverSettings
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.clock import now
from reflector_migrate.store.migrate import upgrade
from reflector_migrate.store.runs import Dispatches

AT = datetime(2026, 11, 29, tzinfo=UTC)
WHO = ("--who", "ana", "--reason", "a quiet week", "--yes")
CANARY = Table(3, "conductor+fallback", 0.01)


@pytest.fixture
def settings(tmp_path, redis_server):
    """A store, Reflector's database, an empty broker; two recordings make a step."""
    broker = f"{redis_server}/7"
    redis.Redis.from_url(broker).flushdb()
    text = f"""
        [store]
        url = "sqlite:///{tmp_path}/store.db"
        [reflector]
        broker_url = "{broker}"
        database_url = "sqlite:///{tmp_path}/theirs.db"
        [route]
        back_file = "{tmp_path}/back"
        [cutover]
        served_at_least = 2
        hours_at_least = 0
    """
    (tmp_path / "migrate.toml").write_text(text)
    made = load_settings(tmp_path / "migrate.toml", environ={})
    upgrade(made.store_url)
    create_all(made.reflector.database_url)
    return made


@pytest.fixture
def items(monkeypatch):
    """The cutover's checklist has one item, which answers what this list ends with."""
    answers = [passed("yes")]
    item = Item(Phase.CUTOVER, "evidence", "a", "f", "s", lambda _settings: answers[-1])
    monkeypatch.setattr(checklist, "ITEMS", (item,))
    return answers


def serve(settings, name, status="ended", reason=None):
    """A recording that Conductor was to serve, and what became of it."""
    rows = Rows.at(settings.reflector.database_url)
    rows.insert_recording(id=name, bucket_name="b", object_key="o", recorded_at=now())
    rows.insert_transcript(id=f"t-{name}", recording_id=name, status=status, created_at=now())
    reason = reason or SERVED + build_hash()
    Dispatches(settings.store_url).add(name, "skipped", run_id="w", reason=reason)


def run(tmp_path, *words):
    """What `migrate cutover` answers."""
    return CliRunner().invoke(cli, ["--config", f"{tmp_path}/migrate.toml", "cutover", *words])


@pytest.mark.parametrize(
    ("fields", "age_h", "items", "says"),
    [
        pytest.param({"table": Table(0)}, 0, (), "", id="the first step needs the checklist alone"),
        pytest.param({"table": Table(0)}, 0, ("sign-off",), "lacks sign-off", id="an item misses"),
        pytest.param({"served": Served(20)}, 25, (), "", id="all that a step asks for"),
        pytest.param({"served": Served(19)}, 25, (), "19 of 20 recordings", id="too few"),
        pytest.param({"served": Served(20)}, 23, (), "has not lasted 24 h yet", id="too early"),
        pytest.param({"served": Served(20, ("r",))}, 25, (), "failed r", id="one failed"),
        pytest.param({"served": Served(20, fell_back=1)}, 25, (), "", id="one of 21 fell back"),
        pytest.param({"served": Served(20, fell_back=2)}, 25, (), "2 of 22", id="too many did"),
        pytest.param({"served": Served(20), "is_back": True}, 25, (), "back file", id="sent back"),
        pytest.param({"served": Served(20), "proposal": "r"}, 25, (), "proposed: r", id="proposal"),
        pytest.param({}, 25, (), "0 of 20", id="nothing served never opens a step"),
    ],
)
def test_what_the_next_step_lacks(fields, age_h, items, says):
    """One sentence for each; an empty answer opens the step."""
    at = Position(**{"table": CANARY, "since": AT, "served": Served(), **fields})
    found = what_misses(at, CutoverSettings(), AT + timedelta(hours=age_h), items)
    assert (says in " ".join(found)) if says else found == ()


@pytest.mark.parametrize(
    ("share", "following"),
    [(0.0, 0.01), (0.01, 0.1), (0.05, 0.1), (0.1, 0.5), (0.5, 1.0), (1.0, None)],
)
def test_the_steps_follow_one_another(share, following):
    """A share that was set otherwise goes on with the next larger step."""
    at = Position(Table(1, "conductor+fallback", share), AT, Served())
    assert at.next_share == following
    assert Position(Table(1, "celery", share), AT, Served()).next_share == 0.01


def test_a_step_counts_what_this_build_served_since_it_was_taken(settings):
    """Of a recording the last word counts; another build's and earlier ones do not."""
    serve(settings, "earlier")
    since = now()
    serve(settings, "good")
    serve(settings, "bad", "error")
    serve(settings, "runs", "processing")
    serve(settings, "other", reason=f"{SERVED}another")
    serve(settings, "not-started", reason=f"{KEPT_BACK}no answer")
    serve(settings, "taken-over")
    Dispatches(settings.store_url).add("taken-over", "skipped", reason=f"{KEPT_BACK}it failed")
    assert canary.served_since(Harness.of(settings), since) == Served(1, ("bad",), 1, 2)


def test_the_whole_way_step_by_step_and_back(settings, items, tmp_path):
    """Refused until the evidence is there; the log has every step with who, why and evidence."""
    items.append(pending("no evidence"))
    with pytest.raises(RefusedError, match="the checklist lacks evidence"):
        canary.advance(Harness.of(settings), "ana", "early")
    assert run(tmp_path, "status").exit_code == 3
    items.append(passed("yes"))
    seen = []
    for number in range(4):
        assert run(tmp_path, "status").exit_code == 0
        assert run(tmp_path, "advance", *WHO).exit_code == 0
        seen.append(routes.published(Harness.of(settings)).table.share)
        assert "0 of 2 recordings served" in run(tmp_path, "status").stdout
        serve(settings, f"a{number}")
        serve(settings, f"b{number}")
    assert seen == [0.01, 0.1, 0.5, 1.0]
    assert "the last step is taken" in run(tmp_path, "status").stdout
    with pytest.raises(RefusedError, match="every recording already"):
        canary.advance(Harness.of(settings), "ana", "more")
    back = run(tmp_path, "rollback", "--who", "ben", "--reason", "doubts")
    assert (back.exit_code, routes.published(Harness.of(settings)).table.route) == (0, "celery")
    assert "back file" in run(tmp_path, "status").stdout
    bodies = [entry["body"] for entry in Audit(settings.store_url).all("route")]
    assert [body["who"] for body in bodies] == ["ana"] * 4 + ["ben"]
    assert "2 served, 0 failed" in bodies[1]["grounds"]


def test_a_step_keeps_rooms_lists_and_a_route_without_fallback(settings, items):
    """Only the share changes."""
    table = Table(0, "conductor", 0.1, "celery+shadow", {"a": Room("celery")}, (), ("t",))
    routes.change(Harness.of(settings), table, "ana", "by hand")
    serve(settings, "a")
    serve(settings, "b")
    taken = canary.advance(Harness.of(settings), "ana", "on")
    assert (taken.route, taken.share, taken.otherwise) == ("conductor", 0.5, "celery+shadow")
    assert (taken.rooms, taken.deny) == (table.rooms, table.deny)


def test_a_proposal_closes_the_way_until_the_routes_change(settings, items):
    """It is answered by going back, or by setting the routes again on purpose."""
    routes.change(Harness.of(settings), CANARY, "ana", "canary")
    Audit(settings.store_url).append(PROPOSAL, {"why": "r-1 diverged"})
    assert canary.position(Harness.of(settings)).proposal == "r-1 diverged"
    routes.change(Harness.of(settings), CANARY, "ana", "looked at it")
    assert canary.position(Harness.of(settings)).proposal == ""


def gist(name, primary, verdict):
    """A comparison as the night counts it."""
    fields = dict.fromkeys(Gist._fields)
    return Gist(**fields | {"recording": name, "primary_engine": primary, "verdict": verdict})


@pytest.mark.parametrize(
    ("served", "gists", "says"),
    [
        pytest.param(Served(20), (), "", id="nothing speaks against it"),
        pytest.param(Served(20, ("r",)), (), "failed r", id="a recording failed"),
        pytest.param(Served(20), (("a", "conductor", "DIVERGED"),), "diverged on a", id="shadow"),
        pytest.param(Served(20), (("a", "celery", "DIVERGED"),), "", id="another shadow's"),
        pytest.param(Served(20), (("a", "conductor", "MATCHED"),), "", id="it matched"),
    ],
)
def test_what_is_a_regression(served, gists, says):
    """Only while Conductor serves recordings."""
    found = regression(Position(CANARY, AT, served), [gist(*one) for one in gists])
    assert (says in found) if says else found == ""
    assert regression(Position(Table(9), AT, served), [gist(*one) for one in gists]) == ""


@pytest.mark.parametrize(
    ("auto", "is_proposed", "is_back"),
    [("off", False, False), ("propose", True, False), ("on", True, True)],
)
def test_a_regression_proposes_the_way_back_or_takes_it(settings, auto, is_proposed, is_back):
    """Once; the log says what it was, and the next step is closed."""
    asked = settings.cutover.model_copy(update={"auto_rollback": auto})
    settings = settings.model_copy(update={"cutover": asked})
    routes.change(Harness.of(settings), CANARY, "ana", "canary")
    assert watch(Harness.of(settings)) == ""
    serve(settings, "bad", "error")
    assert [watch(Harness.of(settings)), watch(Harness.of(settings))] == [
        "Conductor failed bad" if is_proposed else "", "",
    ]  # fmt: skip
    assert len(Audit(settings.store_url).all(PROPOSAL)) == int(is_proposed)
    assert (routes.published(Harness.of(settings)).table.route == "celery") is is_back
    if is_proposed and not is_back:
        assert "Conductor failed bad" in canary.position(Harness.of(settings)).proposal


@pytest.mark.parametrize("command", ["rollback", "kill"])
def test_the_way_back_needs_no_server(tmp_path, command):
    """Store, broker and Conductor are away: the local file is enough, and exit says so."""
    text = f"""
        [store]
        url = "sqlite:///{tmp_path}/none/store.db"
        [reflector]
        broker_url = "redis://127.0.0.1:1/0"
        [conductor]
        server_url = "http://127.0.0.1:1/api"
        [route]
        back_file = "{tmp_path}/back"
    """
    (tmp_path / "migrate.toml").write_text(text)
    done = run(tmp_path, command, "--who", "ana", "--reason", "all is down")
    assert (done.exit_code, (tmp_path / "back").exists()) == (0, True), done.output
    assert "the broker does not answer" in done.stderr
