"""What comes from outside is checked, and its words never stand in an error or a log."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

import comparators
import reflector_migrate
import reports
from reflector_migrate.clients.conductor import connected
from reflector_migrate.errors import InputError, ServerUnreachableError
from reflector_migrate.settings import Settings, without_user
from reflector_migrate.shadow.announcement import parse

GOOD = {"transcript_id": "t", "bucket_name": "daily-tracks", "track_keys": ["a/b c-ä.webm"],
        "task_id": "task"}  # fmt: skip
LEFT_OUT = ("reflector_migrate.plugin.", "reflector_migrate.sandbox.", "reflector_migrate.store.m")
"""The plugin runs elsewhere; the sandbox reads its own fixtures; migrations run in Alembic."""


def _models(model: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for found in model.__subclasses__():
        yield found
        yield from _models(found)


def test_no_model_quotes_its_input() -> None:
    """Of each of our models, those in functions aside: a word of a meeting may stand in it."""
    for top in (reflector_migrate, comparators, reports):
        for module in pkgutil.walk_packages(top.__path__, f"{top.__name__}."):
            if not f"{module.name}.".startswith(LEFT_OUT):
                importlib.import_module(module.name)
    ours = [
        model for model in _models()
        if model.__module__.split(".")[0] in ("reflector_migrate", "comparators", "reports")
        and not f"{model.__module__}.".startswith(LEFT_OUT)
    ]  # fmt: skip
    assert len(ours) > 60
    assert [m.__name__ for m in ours if not m.model_config.get("hide_input_in_errors")] == []


def test_an_announcement_is_read() -> None:
    """Keys are what a person's meeting is called, blanks and umlauts included."""
    assert parse(GOOD).track_keys == ("a/b c-ä.webm",)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("bucket_name", "", "bucket_name"),
        ("bucket_name", "other/prefix", "bucket_name"),
        ("bucket_name", "b" * 64, "bucket_name"),
        ("bucket_name", "b\n", "bucket_name"),
        ("track_keys", ["ok", ""], "track_keys.1"),
        ("track_keys", ["x" * 1025], "track_keys.0"),
        ("track_keys", ["ä" * 513], "track_keys.0"),
        ("track_keys", ["a/../../secret"], "track_keys.0"),
        ("track_keys", ["/secret"], "track_keys.0"),
        ("track_keys", ["a\x00secret"], "track_keys.0"),
        ("track_keys", ["k"] * 1001, "track_keys"),
        ("track_keys", "secret", "track_keys"),
        ("transcript_id", "t" * 65, "transcript_id"),
        ("task_id", "", "task_id"),
    ],
)
def test_an_announcement_that_is_not_one_is_refused(field: str, value: object, says: str) -> None:
    """The field is named, what stood in it is not quoted."""
    with pytest.raises(InputError) as refused:
        parse({**GOOD, field: value})
    assert f"shadow message: {says}: " in refused.value.message
    assert "secret" not in refused.value.message


def test_a_password_in_the_servers_address_is_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message still says where the server was looked for."""
    address = {"server_url": "http://me:pass-word@127.0.0.1:9/api"}
    settings = Settings.model_validate({"conductor": address})
    with connected(settings) as client, pytest.raises(ServerUnreachableError) as away:
        client.workflow("w")
    assert "127.0.0.1:9/api" in away.value.message
    for text in (away.value.message, caplog.text, without_user(address["server_url"])):
        assert "pass-word" not in text
