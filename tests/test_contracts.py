"""The examples in fixtures/contracts/ are valid, complete and what the code makes today."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.judge.explanation import Explanation
from reflector_migrate.judge.gates.evidence import ENTRIES, EvidenceLine
from reflector_migrate.model import Comparison, Frozen, Observation

CONTRACTS = Path(__file__).parents[1] / "fixtures" / "contracts"
FILES = {
    "observation": (CONTRACTS / "observation-1.json", Observation),
    "comparison": (CONTRACTS / "comparison-1.json", Comparison),
    "explain": (CONTRACTS / "explain-1.json", Explanation),
    "evidence": (CONTRACTS / "evidence-1.jsonl", EvidenceLine),
}


def _documents(name: str) -> list[str]:
    path, _ = FILES[name]
    text = path.read_text(encoding="utf-8")
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def _schema(name: str) -> Any:
    return json.loads(CliRunner().invoke(cli, ["schema", name]).stdout)


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Every field that has a value, list positions left out."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, f"{path}/{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
    if value is not None:
        yield path


def _fields(schema: Any, part: Any, path: str = "", seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Every field a schema declares, as the same paths."""
    for option in part.get("anyOf", [part]):
        name = option.get("$ref", "").rsplit("/", 1)[-1]
        if name in seen:
            continue
        found = schema["$defs"][name] if name else option
        below = (*seen, name) if name else seen
        for items in [found["items"]] if isinstance(found.get("items"), dict) else []:
            yield from _fields(schema, items, path, below)
        for key, value in found.get("properties", {}).items():
            yield f"{path}/{key}"
            yield from _fields(schema, value, f"{path}/{key}", below)


@pytest.mark.parametrize("name", FILES)
def test_the_example_is_valid_and_survives_the_model(name: str) -> None:
    """By `migrate schema` and by the model that reads it; nothing is lost on the way."""
    validator = jsonschema.Draft202012Validator(_schema(name))
    model: type[Frozen] = FILES[name][1]
    for text in _documents(name):
        assert not [error.message for error in validator.iter_errors(json.loads(text))]
        again = model.model_validate_json(text).model_dump(mode="json", by_alias=True)
        assert again == json.loads(text)


UNSEEN = {
    # nothing failed, no comparator broke, the candidate ran once, prices are put in by the store
    "observation": {"/error"},
    "comparison": {
        "/checks/traceback",
        "/checks/shift",
        "/checks/between_candidates",
        "/first_divergent_step/track_index",
        "/primary/cost_microdollars",
        "/candidate/cost_microdollars",
        "/secondary/cost_microdollars",
    },
    "explain": {
        "/checks/traceback",
        "/checks/shift",
        "/checks/between_candidates",
        "/first_divergent_step/track_index",
        "/confirmation/track_index",
    },
    "evidence": set[str](),
}


@pytest.mark.parametrize("name", FILES)
def test_the_example_is_complete(name: str) -> None:
    """Every field of the contract has a value in it, but for those named here."""
    schema = _schema(name)
    told = {path for text in _documents(name) for path in _paths(json.loads(text))}
    missing = set(_fields(schema, schema)) - told
    left_out = ("/error", "/cause", "/processors")
    assert {path for path in missing if not path.endswith(left_out)} <= UNSEEN[name]


def _made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_contracts", CONTRACTS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_examples_are_what_the_code_makes_today() -> None:
    """An example that cannot be made any more misleads."""
    made = _made()
    observation = made.observations()[0].model_dump(mode="json", by_alias=True)
    assert json.loads(_documents("observation")[0]) == observation
    comparison = json.loads(made.comparison_json())
    assert json.loads(_documents("comparison")[0]) == comparison
    assert json.loads(_documents("explain")[0]) == json.loads(made.explanation_json())
    lines = [line.model_dump(mode="json", by_alias=True) for line in made.evidence()]
    assert [json.loads(text) for text in _documents("evidence")] == lines


@pytest.mark.parametrize(
    "said", [{}, {"x_pp": 0.1, "exact_findings": 0}], ids=["nothing", "two things"]
)
def test_evidence_says_exactly_one_thing(said: dict[str, Any]) -> None:
    """A line that says nothing is not evidence; one that says two cannot be gated."""
    line = json.loads(_documents("evidence")[0])
    for key in ENTRIES:
        line[key] = said.get(key)
    with pytest.raises(ValueError, match="exactly one of x_pp"):
        EvidenceLine.model_validate(line)
