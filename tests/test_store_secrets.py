"""No error of a database or of a model quotes what a recording or a room holds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from reflector_migrate.model import Topic
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.rows import Rows, create_all, snapshot
from reflector_migrate.store.clock import now


def test_a_row_that_the_database_refuses_is_not_quoted(tmp_path) -> None:
    """A room whose name is taken: neither its secret nor its owner is in the error."""
    url = f"sqlite:///{tmp_path}/rows.db"
    create_all(url)
    rows = Rows.at(url)
    rows.insert_room(id="old", name="standup", user_id="u")
    rows.insert_room(id="new", name="retro", user_id="alice", webhook_secret="hush")
    with pytest.raises(IntegrityError) as refused, rows.engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into room (id, name, user_id, created_at, platform, webhook_secret) "
            "values (?, ?, ?, ?, ?, ?)",
            ("third", "standup", "alice", str(now()), "daily", "hush"),
        )
    assert "hush" not in str(refused.value)
    assert "alice" not in str(refused.value)


@pytest.mark.parametrize("model", [Topic, Run])
def test_a_value_that_a_model_refuses_is_not_quoted(model) -> None:
    """The field is named, what stood there is not."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate({"title": "Ana will be dismissed", "run_id": ["dismissed"]})
    assert "dismissed" not in str(refused.value)
    assert "Field required" in str(refused.value)


def test_the_address_of_a_rooms_calendar_is_not_copied(tmp_path) -> None:
    """It opens the calendar to everyone who has it, and no step reads it."""
    url = f"sqlite:///{tmp_path}/rows.db"
    create_all(url)
    rows = Rows.at(url)
    rows.insert_room(id="room", name="standup", user_id="u", ics_url="https://cal/private")
    rows.insert_recording(id="r", bucket_name="b", object_key="o", recorded_at=now())
    rows.insert_transcript(id="t", recording_id="r", room_id="room")
    [room] = snapshot(rows, "r")["room"]
    assert room["ics_url"] is None
    assert room["name"] == "standup"
