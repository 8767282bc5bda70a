"""Switches seeded defects on, so that the harness can be seen to find them.

A defect is a file: its docstring's first line says what is wrong, `STEP` which step
`apply(step)` breaks (`ALSO` maps further steps to such functions), `EXPECTED_STEP`
which one a comparison must name (else STEP), `LAYER` the gate's layer and the check that
must catch it (several with commas between: each must), `RECORDINGS` the synthetic recordings
that show it and `SPARED` those on which it must not. `BEFORE` are recordings to run first,
`INJECT` the faults of outside services under which it shows.

Switched on by name, for every recording, or as `NAME@RECORDING_ID` for one alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from reflector_migrate.errors import InputError, TerminalStepError

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "defects"

Step = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Defect:
    """What a defect's file says of itself; `inject` are answers of the webhook's receiver.

    `layer` reads `G0 side effects`: G0 exact, G1 against the noise floor, G2 catastrophes.
    """

    name: str
    says: str
    steps: tuple[str, ...]
    expected_step: str
    layer: str
    recordings: tuple[str, ...]
    before: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    inject: Mapping[str, int] | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """Each layer and check that must catch it."""
        return tuple(self.layer.split(", "))

    @property
    def all_recordings(self) -> tuple[str, ...]:
        """Everything that is run with it, in order, each once."""
        return tuple(dict.fromkeys((*self.before, *self.recordings, *self.spared)))


def all_defects(folder: Path = FOLDER) -> tuple[Defect, ...]:
    """Every defect there is, by name."""
    return tuple(describe(name, folder) for name in _known(folder))


def describe(name: str, folder: Path = FOLDER) -> Defect:
    """What the defect of that name says of itself; InputError if there is none."""
    known = _known(folder)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"unknown defect {name!r}", hint=f"{hint}see `migrate defects list`")
    module = _load(name, folder)
    says = (module.__doc__ or "").strip().partition("\n")[0]
    return Defect(
        name=name,
        says=says,
        steps=(module.STEP, *getattr(module, "ALSO", {})),
        expected_step=getattr(module, "EXPECTED_STEP", module.STEP),
        layer=module.LAYER,
        recordings=tuple(module.RECORDINGS),
        before=tuple(getattr(module, "BEFORE", ())),
        spared=tuple(getattr(module, "SPARED", ())),
        inject=getattr(module, "INJECT", None),
    )


def switched_on(entries: Sequence[str], recording_id: str) -> tuple[str, ...]:
    """The names among `entries` (NAME or NAME@RECORDING_ID) that concern a recording."""
    split = [entry.partition("@") for entry in entries]
    return tuple(name for name, _, only in split if only in {"", recording_id})


def with_defects(
    steps: Mapping[str, Step], names: Sequence[str], folder: Path = FOLDER
) -> Mapping[str, Step]:
    """The steps, each named defect applied to those it says; TerminalStepError if unknown."""
    broken = dict(steps)
    for name in names:
        module = _load(name, folder)
        wrappers = {module.STEP: module.apply, **getattr(module, "ALSO", {})}
        for step, wrap in wrappers.items():
            broken[step] = wrap(broken[step])
    return broken


def _known(folder: Path) -> list[str]:
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))


def _load(name: str, folder: Path) -> ModuleType:
    path, known = folder / f"{name}.py", _known(folder)
    if name not in known:
        raise TerminalStepError(f"unknown defect {name!r}; known: {', '.join(known) or 'none'}")
    spec = importlib.util.spec_from_file_location(f"reflector_migrate_defect_{name}", path)
    if spec is None or spec.loader is None:
        raise TerminalStepError(f"defect {name!r} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
