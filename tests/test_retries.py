"""What is tried again, how often, and after which pauses: the growth and the bound of each."""

from __future__ import annotations

import pytest
from conductor.client.http.models.task_result import TaskResult
from conductor.client.http.rest import ApiException
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from reflector_migrate.clients.conductor_http import ConductorHttp
from reflector_migrate.conductor.runtime.task_client import TaskClient
from reflector_migrate.conductor.server_version import ServerVersion
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows.transactions import write
from reflector_migrate.settings import Settings
from tests.harness_world import WHO

NOBODY = Settings.model_validate({"conductor": {"server_url": "http://127.0.0.1:9/api"}})


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that are made, without making them."""
    made = []
    monkeypatch.setattr("time.sleep", made.append)
    return made


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_server_that_takes_no_connection_is_asked_three_times(pauses, method):
    """Nothing was sent, so that even what is not safe to repeat is repeated."""
    with pytest.raises(ServerUnreachableError):
        ConductorHttp(NOBODY.conductor).send(method, "/x")
    assert pauses == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(503, [0.25, 0.5, 1, 2, 4, *[8] * 8], id="a server that restarts"),
        pytest.param(0, [0.25, 0.5, 1, 2, 4, *[8] * 8], id="no answer"),
        pytest.param(404, [], id="refused"),
    ],
)
def test_a_result_is_handed_in_for_over_a_minute(pauses, monkeypatch, status, expected):
    """Until the server took it, refused it, or the bound is reached; never an exception."""
    client = TaskClient(Harness.of(NOBODY), ServerVersion((3, 32, 3), is_told=True), WHO)
    tried = []

    def refuse(body):
        tried.append(body)
        raise ApiException(status=status)

    monkeypatch.setattr(client._api, "update_task", refuse)
    client.hand_in(TaskResult(task_id="t", workflow_instance_id="w", worker_id="x"))
    assert pauses == pytest.approx(expected)
    assert len(tried) == len(expected) + 1


class CollisionError(Exception):
    """What psycopg raises, by its code."""

    def __init__(self, sqlstate):
        super().__init__("no")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        pytest.param("40001", [0.04, 0.08, 0.16, 0.32], id="serialisation failure"),
        pytest.param("40P01", [0.04, 0.08, 0.16, 0.32], id="deadlock"),
        pytest.param("23505", [], id="a duplicate stays one"),
    ],
)
def test_a_transaction_that_collides_is_tried_five_times(pauses, sqlstate, expected):
    """And one that fails otherwise only once."""
    tried = []

    def work(_connection):
        tried.append(1)
        raise DBAPIError("UPDATE", {}, CollisionError(sqlstate))

    with pytest.raises(DBAPIError):
        write(create_engine("sqlite://"), work)
    assert pauses == pytest.approx(expected)
    assert len(tried) == len(expected) + 1


def test_a_transaction_that_succeeds_at_last_has_its_value(pauses):
    """One collision costs one pause."""
    tried = []

    def work(_connection):
        tried.append(1)
        if len(tried) == 1:
            raise DBAPIError("UPDATE", {}, CollisionError("40001"))
        return 7

    assert write(create_engine("sqlite://"), work) == 7
    assert pauses == pytest.approx([0.04])
