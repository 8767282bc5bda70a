"""A question only looks: no function named is_, has_, can_ or needs_ writes, sends or retries."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("reflector_migrate", "comparators", "reports")
QUESTIONS = ("is_", "has_", "can_", "needs_")

ACTS = frozenset({
    "apply_async", "commit", "delay", "delete_object", "executemany", "give_back", "hand_in",
    "mkdir", "move", "publish", "put_object", "record", "record_next", "rename", "rerun", "retry",
    "rmtree", "send", "send_task", "terminate", "touch", "unlink", "update_task", "write_bytes",
    "write_text", "writing", "insert_once", "set_status", "update_transcript", "start_workflow",
    "decide", "kill",
})  # fmt: skip
"""Names of what acts on the world, in the libraries and at the bottom of our own rooms."""

PURE = frozenset({"reflector_migrate.shadow.decision.decide"})
"""Functions of ours that bear such a name and only look."""


class Function(NamedTuple):
    """A function: its full name, and the calls in it by the names they are made by."""

    name: str
    calls: frozenset[str]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _functions(path: Path) -> Iterator[Function]:
    tree, module = ast.parse(path.read_text(encoding="utf-8")), _module(path)
    names = _names(tree, module)

    def walk(node: ast.AST, place: str, owner: str) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from walk(child, f"{place}.{child.name}", f"{place}.{child.name}")
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                name = f"{place}.{child.name}"
                calls = (one.func for one in ast.walk(child) if isinstance(one, ast.Call))
                found = (_called(func, names, owner) for func in calls)
                yield Function(name, frozenset(one for one in found if one))
                yield from walk(child, name, owner)
            else:
                yield from walk(child, place, owner)

    return walk(tree, module, module)


def _names(tree: ast.Module, module: str) -> Mapping[str, str]:
    """What each name of a module stands for: imports, lazy ones too, and its own functions."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.setdefault(node.name, f"{module}.{node.name}")
    return found


def _called(func: ast.expr, names: Mapping[str, str], owner: str) -> str | None:
    if isinstance(func, ast.Name):
        return names.get(func.id, func.id)
    if not isinstance(func, ast.Attribute):
        return None
    if isinstance(func.value, ast.Name):
        if func.value.id == "self":
            return f"{owner}.{func.attr}"
        if func.value.id in names:
            return f"{names[func.value.id]}.{func.attr}"
    return f"?.{func.attr}"


@cache
def _all() -> Mapping[str, Function]:
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {one.name: one for path in paths for one in _functions(path)}


def _acts(name: str, known: Mapping[str, Function], seen: frozenset[str] = frozenset()) -> str:
    """The way from a function to something that acts, or nothing."""
    for call in sorted(known[name].calls):
        if call in PURE or call in seen:
            continue
        if call in known:
            if way := _acts(call, known, seen | {name, call}):
                return f"{call} -> {way}"
        elif call.rpartition(".")[2] in ACTS:
            return call
    return ""


def _is_question(name: str) -> bool:
    return name.rpartition(".")[2].lstrip("_").startswith(QUESTIONS)


def test_no_question_acts() -> None:
    """Neither itself nor by what it calls, as far as names can be followed."""
    known = _all()
    questions = [name for name in known if _is_question(name)]
    assert len(questions) > 100
    guilty = {name: way for name in questions if (way := _acts(name, known))}
    assert guilty == {}


@pytest.mark.parametrize(
    ("body", "is_found"),
    [
        pytest.param("return self.state == 'x'", False, id="looks"),
        pytest.param("client.retry(1)\n        return True", True, id="retries"),
        pytest.param("return self._mend()", True, id="by a helper"),
        pytest.param("return helper()", True, id="by a function of the module"),
    ],
)
def test_a_question_that_acts_is_found(tmp_path: Path, monkeypatch, body: str, is_found: bool):
    """The walk sees a planted one, at any depth."""
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "planted.py"
    path.write_text(
        "def helper():\n    return deeper()\n\n\ndef deeper():\n    log.record('x')\n\n\n"
        f"class Run:\n    def is_over(self):\n        {body}\n\n"
        "    def _mend(self):\n        helper()\n"
    )
    known = {one.name: one for one in _functions(path)}
    assert bool(_acts("planted.Run.is_over", known)) is is_found
