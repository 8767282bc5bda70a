"""Switches seeded defects on, so that the harness can be seen to find them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from reflector_migrate.errors import TerminalStepError

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "defects"

Step = Callable[[Any, Any], Any]


def with_defects(
    steps: Mapping[str, Step], names: Sequence[str], folder: Path = FOLDER
) -> Mapping[str, Step]:
    """The steps, each named defect applied to the step it says; TerminalStepError if unknown."""
    broken = dict(steps)
    for name in names:
        module = _load(name, folder)
        broken[module.STEP] = module.apply(broken[module.STEP])
    return broken


def _load(name: str, folder: Path) -> ModuleType:
    path = folder / f"{name}.py"
    known = sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))
    if name not in known:
        raise TerminalStepError(f"unknown defect {name!r}; known: {', '.join(known) or 'none'}")
    spec = importlib.util.spec_from_file_location(f"reflector_migrate_defect_{name}", path)
    if spec is None or spec.loader is None:
        raise TerminalStepError(f"defect {name!r} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
