"""Importing is not starting: no module of the product reads settings or connects by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

WATCH = """
import importlib, json, pkgutil, sys

seen = []

def watch(event, args):
    if event == "open" and str(args[0]).endswith(("migrate.toml", "pyproject.toml")):
        seen.append(f"reads {args[0]}")
    elif event in ("socket.connect", "sqlite3.connect", "subprocess.Popen"):
        seen.append(event)

sys.addaudithook(watch)
import comparators, reflector_migrate, reports

count = 0
for top in (comparators, reflector_migrate, reports):
    for module in pkgutil.walk_packages(top.__path__, f"{top.__name__}."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)
            count += 1
AFTERWARDS
print(json.dumps([count, seen]))
"""
LEFT_OUT = (
    "reflector_migrate.plugin.",
    "reflector_migrate.store.migrations.",
)
"""Reflector's own worker imports the plugin, and Alembic the migrations."""


def _watched(folder: Path, afterwards: str = "") -> tuple[int, list[str]]:
    (folder / "migrate.toml").write_text("this is no TOML")
    code = WATCH.replace("LEFT_OUT", repr(LEFT_OUT)).replace("AFTERWARDS", afterwards)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    count, seen = json.loads(done.stdout)
    return count, seen


def test_no_import_reads_settings_or_connects(tmp_path: Path) -> None:
    """In a folder whose settings file is broken; what runs as a process reads it later."""
    count, seen = _watched(tmp_path)
    assert count > 300
    assert seen == []


@pytest.mark.parametrize(
    ("afterwards", "noticed"),
    [
        ("import contextlib, reflector_migrate.settings as s\n"
         "with contextlib.suppress(Exception): s.load_settings()", "reads migrate.toml"),
        ("import sqlite3; sqlite3.connect(':memory:')", "sqlite3.connect"),
        ("import contextlib, socket\n"
         "with contextlib.suppress(OSError): socket.create_connection(('127.0.0.1', 9))",
         "socket.connect"),
    ],
    ids=["settings", "a database", "a server"],
)  # fmt: skip
def test_the_watch_would_notice(tmp_path: Path, afterwards: str, noticed: str) -> None:
    """What a module must not do when it is imported."""
    assert noticed in _watched(tmp_path, afterwards)[1]
