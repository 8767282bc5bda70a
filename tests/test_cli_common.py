"""What subcommands share: whose settings are in force, and logs a machine can read."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import psutil
import pytest

from reflector_migrate.cli.common import JsonLines, settings_of
from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.sandbox.process_table import ProcessRecord, Records
from reflector_migrate.settings import Settings


def _context() -> click.Context:
    return click.Context(click.Command("migrate"), obj={"config": None, "verbose": 0})


def test_a_sandbox_that_lost_a_server_is_named_and_nothing_else_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the default settings instead: those may name another team's Conductor."""
    monkeypatch.setenv("MIGRATE_SANDBOX__DIR", str(tmp_path))
    me = psutil.Process(os.getpid())
    living = ProcessRecord("s3", me.pid, me.create_time(), (sys.executable,), "s3.log")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = replace(living, name="redis", pid=gone.pid, started=1.0)
    records = Records.of(tmp_path)
    records.add(living)
    records.add(dead)
    with pytest.raises(ServerUnreachableError, match="has lost redis") as error:
        settings_of(_context())
    assert error.value.hint == "migrate sandbox up"


def test_without_a_sandbox_the_settings_are_the_deployments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing recorded, nothing lost."""
    monkeypatch.setenv("MIGRATE_SANDBOX__DIR", str(tmp_path))
    found = settings_of(_context())
    assert isinstance(found, Settings)
    assert found.is_sandbox is False


@pytest.mark.parametrize("message", ['he said "yes"', "two\nlines", "C:\\dir", "naïve \x1b[31m"])
def test_a_json_log_line_is_json_whatever_it_says(message: str) -> None:
    """Quotes, newlines, backslashes and control characters are escaped; one line each."""
    record = logging.LogRecord("room", logging.INFO, "", 0, "%s", (message,), None)
    line = JsonLines().format(record)
    assert json.loads(line)["message"] == message
    assert "\n" not in line
    assert "\x1b" not in line
