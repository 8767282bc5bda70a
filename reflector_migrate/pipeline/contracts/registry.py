"""Each step with its two models, and the hash that distinguishes builds' contracts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline.contracts.base import StepContract

CONTRACT_VERSION = 1


def _declared() -> Iterator[tuple[str, StepContract]]:
    """The `CONTRACTS` of every module beside this one."""
    package = __name__.rpartition(".")[0]
    for module in iter_modules([str(Path(__file__).parent)]):
        if f"{package}.{module.name}" != __name__:
            yield from getattr(import_module(f"{package}.{module.name}"), "CONTRACTS", {}).items()


_DECLARED = dict(_declared())
CONTRACTS: Mapping[str, StepContract] = {step: _DECLARED[step] for step in STEP_NAMES}


def contract_hash() -> str:
    """Twelve hex digits that change when any step's JSON Schema does."""
    schemas = {
        name: [c.input.model_json_schema(), c.output.model_json_schema()]
        for name, c in CONTRACTS.items()
    }
    text = json.dumps([CONTRACT_VERSION, schemas], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
