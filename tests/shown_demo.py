"""The demo that the README shows: its comparisons, the block of output, and who prints it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bench.pictures import PICTURES
from reflector_migrate.experiments.demo import DemoResult
from reflector_migrate.model import Comparison

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@cache
def demo() -> DemoResult:
    """The comparisons that the pictures were taken of."""
    lines = gzip.decompress((PICTURES / "demo.jsonl.gz").read_bytes()).splitlines()
    return DemoResult(*map(Comparison.model_validate_json, lines))


def block() -> list[str]:
    """Its lines; those that are not empty."""
    found = re.search(r"^```\n(sandbox .*?)^```", README, flags=re.S | re.M)
    assert found is not None
    return [line for line in found[1].splitlines() if line.strip()]


def missing_lines(printed: str, lines: Iterable[str]) -> list[str]:
    """Those that the text does not have: blanks do not count, and a line may be cut off at `…`."""
    whole = " ".join(printed.split())
    wanted = {line: " ".join(line.split()).removesuffix("…").strip() for line in lines}
    return [line for line, words in wanted.items() if words not in whole]
