"""The README's pictures and its block of output are of one real demo, as the code shows it now.

`make demo && python -m bench.pictures` takes them again.
"""

from __future__ import annotations

import hashlib
import json
import re
from io import StringIO

import pytest
from rich.console import Console

from bench.pictures import PICTURES, SHOWN
from reflector_migrate.experiments.demo import DEFECT, FLAWED, SOUND
from reports.terminal import render
from tests.shown_demo import README, block, demo, missing_lines


def test_the_pictures_are_of_a_demo_that_passed() -> None:
    """Two real runs: one matched, and the injected bug was found where it is."""
    found = demo()
    assert (found.sound.recording, found.flawed.recording) == (SOUND, FLAWED)
    assert found.is_as_promised
    assert (found.sound.origin, found.flawed.defects) == ("sandbox", (DEFECT,))


def test_no_picture_was_taken_otherwise() -> None:
    """Each picture that a document shows is the one that was taken of this demo."""
    taken = json.loads((PICTURES / "taken.json").read_text(encoding="utf-8"))
    assert set(taken) == set(SHOWN) == set(re.findall(r"docs/pictures/([\w.]+)", README))
    for name, record in taken.items():
        assert hashlib.sha256((PICTURES / name).read_bytes()).hexdigest() == record["sha256"], name


@pytest.mark.parametrize("line", block())
def test_the_readmes_block_is_what_the_terminal_prints(line: str) -> None:
    """Each line of it is printed for the diverged comparison by the code as it is now."""
    printed = StringIO()
    render(demo().flawed, Console(file=printed, width=120, markup=False), has_next=False)
    assert not missing_lines(printed.getvalue(), [line]), printed.getvalue()
