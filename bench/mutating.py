"""Makes mutants of a module: each is its source with one small thing done otherwise.

Left alone: docstrings, log lines, the text of errors, annotations and imports, which nobody
who reads a transcript can see.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
REPLACED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
UNSEEN = {"warning", "info", "debug", "error", "getLogger"}

Change = Callable[[ast.AST], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: `name` is stable while the function's shape is; `source` the whole module."""

    step: str
    name: str
    line: int
    before: str
    after: str
    source: str


def mutants_of(step: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    sites = list(_sites(tree))
    seen: dict[str, int] = {}
    for path, kind, change in sites:
        changed = copy.deepcopy(tree)
        node = _at(changed, path)
        line = _line(changed, path)
        where = _function(tree, line)
        change(node)
        label = f"{where}/{kind}"
        seen[label] = seen.get(label, -1) + 1
        text = ast.unparse(ast.fix_missing_locations(changed))
        before, after = _difference(ast.unparse(tree), text)
        if before != after:
            yield Mutant(step, f"{step}/{label}/{seen[label]}", line, before, after, text)


Path = tuple[tuple[str, int | None], ...]


def _sites(tree: ast.AST) -> Iterator[tuple[Path, str, Change]]:
    for path, node in _walk(tree, ()):
        for kind, change in _changes(node):
            yield path, kind, change


def _walk(node: ast.AST, path: Path) -> Iterator[tuple[Path, ast.AST]]:
    """Every node that may be changed, with the way to it."""
    yield path, node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_unseen(child):
                yield from _walk(child, (*path, (name, place)))


def _is_unseen(node: ast.AST) -> bool:
    """A docstring, an import, a log call, an error's text, a type's name."""
    if isinstance(node, ast.Expr):
        value = node.value
        if isinstance(value, ast.Constant):
            return True
        is_call = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
        return is_call and value.func.attr in UNSEEN  # type: ignore[attr-defined]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in UNSEEN
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id.istitle()
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Raise)


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            yield "compare", lambda n: n.ops.__setitem__(0, COMPARED[type(n.ops[0])]())
        case ast.BoolOp():
            yield "and-or", _other_bool
        case ast.BinOp() if type(node.op) in REPLACED:
            yield "arithmetic", lambda n: setattr(n, "op", REPLACED[type(n.op)]())
        case ast.If() | ast.IfExp():
            yield "condition", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
        case ast.Constant(value=bool()):
            yield "constant", lambda n: setattr(n, "value", not n.value)
        case ast.Constant(value=int() | float()):
            yield "constant", lambda n: setattr(n, "value", n.value + 1)
        case ast.Constant(value=str()):
            yield "text", lambda n: setattr(n, "value", f"{n.value}x")
        case ast.Expr(value=ast.Call()):
            yield "call-left-out", lambda n: setattr(n, "value", ast.Constant(None))
        case ast.Call(keywords=[_, *_]):
            yield "argument-left-out", lambda n: n.keywords.pop()
        case ast.Slice(upper=ast.AST()):
            yield "slice", lambda n: setattr(n, "upper", None)
        case ast.comprehension(ifs=[_, *_]):
            yield "filter-left-out", lambda n: n.ifs.pop()
        case ast.Return(value=ast.AST()):
            yield "nothing-returned", lambda n: setattr(n, "value", ast.Constant(None))


def _other_bool(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _at(tree: ast.AST, path: Path) -> ast.AST:
    node = tree
    for name, place in path:
        found = getattr(node, name)
        node = found if place is None else found[place]
    return node


def _line(tree: ast.AST, path: Path) -> int:
    """That of the innermost node on the way that has one: a comprehension's parts have none."""
    nodes = (_at(tree, path[:depth]) for depth in range(len(path), -1, -1))
    return next((node.lineno for node in nodes if hasattr(node, "lineno")), 0)


def _function(tree: ast.AST, line: int) -> str:
    """The innermost function a line is in; `module` outside of any."""
    inside = [
        n for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef) and n.lineno <= line <= (n.end_lineno or 0)
    ]  # fmt: skip
    return max(inside, key=lambda n: n.lineno).name if inside else "module"


def _difference(before: str, after: str) -> tuple[str, str]:
    """The first line that differs, on both sides."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    return next(((a.strip(), b.strip()) for a, b in pairs if a != b), ("", ""))
