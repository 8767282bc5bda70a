"""The table of requirements: each line once, and whatever shows it exists."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from click import Context, Group

from reflector_migrate.cli.main import cli

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in TEXT.splitlines()
        if re.match(r"\| [A-Z$]+\d+[a-z]? \|", line)]  # fmt: skip
FAMILIES = {
    "V": 26, "C": 3, "T": 7, "M": 7, "W": 18, "F": 12, "R": 5, "D": 15, "E": 10, "S": 6, "K": 11,
    "X": 10, "$": 3, "I": 15, "P": 15, "Q": 5, "N": 5, "A": 5, "G": 14, "Y": 5,
}  # fmt: skip
"""How many lines each part of the requirements has."""


@cache
def known_tests() -> frozenset[str]:
    """Every test function."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    return frozenset(name for text in texts for name in re.findall(r"def (test_\w+)\(", text))


def exists(shown: str) -> bool:
    """A test by name or file, a page, or a command that parses."""
    if not shown.startswith("migrate "):
        return (ROOT / shown).is_file() if "/" in shown else shown in known_tests()
    group, context = cli, Context(cli, obj={"config": None, "verbose": 0})
    for word in shlex.split(shown)[1:]:
        command = group.get_command(context, word)
        if not isinstance(command, Group):
            return command is not None
        group = command
    return True


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_shows_a_requirement_exists(row: list[str]) -> None:
    """At least one test, command or page, and each of them is there."""
    shown = re.findall(r"`([^`]+)`", row[2])
    assert shown, row
    assert [one for one in shown if not exists(one)] == []


def test_no_requirement_is_left_out_or_twice() -> None:
    """As many lines of each part as the requirements have, each id once."""
    ids = [row[0] for row in ROWS]
    assert len(ids) == len(set(ids))
    assert {f: sum(re.sub(r"\d.*", "", i) == f for i in ids) for f in FAMILIES} == FAMILIES


def test_a_name_that_does_not_exist_is_noticed() -> None:
    """Of each kind."""
    wrong = ("test_nobody_wrote", "tests/test_nobody.py", "docs/none.md", "migrate nothing")
    assert not any(map(exists, wrong))
