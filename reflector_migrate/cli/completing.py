"""What a shell completes after a command: recordings, checks and defects by their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

RECORDINGS = Path("fixtures/recordings")


def recordings(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Names of a sandbox's recordings in this folder; a deployment's ids are not listed."""
    found = sorted(file.parent.name for file in RECORDINGS.glob("*/recording.json"))
    return [name for name in found if name.startswith(begun)]


def checks(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Names of the checks, as `migrate explain` takes them."""
    from comparators.registry import MEASURES

    return [measure.name for measure in MEASURES if measure.name.startswith(begun)]


def defects(_ctx: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Names of the seeded defects."""
    from reflector_migrate.pipeline.defects.registry import all_defects

    return [defect.name for defect in all_defects() if defect.name.startswith(begun)]
