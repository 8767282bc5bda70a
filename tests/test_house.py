"""The house keeps its shape: imports point one way, whatever their kind."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("reflector_migrate", "comparators", "reports")
BELOW = "temporary model errors settings store clients entrance harness"
MAY_IMPORT: dict[str, str] = {
    "model": "",
    "errors": "",
    "temporary": "",
    "plugin": "",
    "settings": "errors",
    "store": "model errors settings",
    "clients": "errors settings",
    "entrance": "errors settings",
    "harness": "errors settings store clients entrance",
    "comparators": "model",
    "reports": "model",
    "pricing": "model errors settings",
    "judge": "model errors comparators.registry",
    "frames": "model pricing reflector_migrate.judge.word_rates",
    "pipeline": BELOW,
    "conductor": f"{BELOW} pipeline plugin",
    "shadow": f"{BELOW} pipeline conductor comparators judge pricing frames reports",
    "cutover": f"{BELOW} pipeline conductor plugin judge pricing shadow",
    "sandbox": f"{BELOW} pipeline conductor plugin",
    "experiments": f"{BELOW} pipeline conductor plugin judge pricing shadow cutover sandbox",
    "cli": f"{BELOW} pipeline conductor plugin comparators judge"
    " pricing frames shadow cutover reports sandbox experiments",
    "__main__": "cli",
}
"""Each room and what it may look into, rooms or one module of a room; in the order of building."""


def _modules() -> dict[str, Path]:
    """Each of our modules by its dotted name; a package is the module of its `__init__`."""
    found = {}
    for path in (path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _imports(source: str) -> set[str]:
    """What is imported anywhere in it: at the top, in functions, for types, by a literal name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute, so that a search finds them"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {n if n in MODULES else str(node.module) for n in names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return {name for name in found if name in MODULES}


def _room(module: str) -> str:
    """The folder or file at the top that a module is in; the package itself is its docstring."""
    first, *rest = module.split(".")
    return rest[0] if first == "reflector_migrate" and rest else first


IMPORTS = {
    name: _imports(path.read_text(encoding="utf-8")) - {name} for name, path in MODULES.items()
}


def test_every_room_has_its_place() -> None:
    """A new room is put into the table before anything is put into the room."""
    assert {_room(module) for module in MODULES} == {*MAY_IMPORT, "reflector_migrate"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_one_way(module: str) -> None:
    """A room imports only from rooms below it: no exception, be the import lazy or for types."""
    room = _room(module)
    allowed = {room, "reflector_migrate", *MAY_IMPORT.get(room, "").split()}
    strays = {name for name in IMPORTS[module] if not {name, _room(name)} & allowed}
    assert not strays, f"{module} imports {sorted(strays)}"


def test_the_rooms_can_be_built_one_after_the_other() -> None:
    """The table itself goes one way: each room looks only into rooms above it in the table."""
    order = [*MAY_IMPORT]
    for room, below in MAY_IMPORT.items():
        others = [_room(name) for name in below.split()]
        assert all(order.index(other) < order.index(room) for other in others), room


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Lazy imports and those for types counted too."""
    assert list(TopologicalSorter(IMPORTS).static_order())


DIALECT = re.compile(
    r"\b(?:whoever|(?<!`)nobody(?!`)|somebody|anybody|anew|of ours|by hand|once more|laid to)\b",
    re.I,
)
"""Words by which a sentence has no subject, or another meaning than a reader expects."""


def _documents(source: str) -> Iterator[str]:
    """The docstrings of a module, its classes, functions and constants."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for one in body if isinstance(body, list) else ():
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                yield str(one.value.value)


def test_docstrings_say_who_acts() -> None:
    """Plain English: no whoever, nobody, anew, by hand or of ours in the product's docstrings."""
    sources = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
    found = {
        f"{name}: {' '.join(said.split())[:90]}"
        for name, source in sources.items()
        if DIALECT.search(source)
        for said in _documents(source)
        if DIALECT.search(said)
    }
    assert found == set()


def test_nothing_of_the_product_imports_the_sandbox() -> None:
    """What runs in production stands without the stand-ins."""
    apart = {"sandbox", "experiments", "cli", "__main__"}
    strays = {
        (module, name)
        for module, names in IMPORTS.items()
        for name in names
        if _room(module) not in apart and _room(name) in apart
    }
    assert not strays


@pytest.mark.parametrize(
    "source",
    [
        "import reflector_migrate.sandbox.stack",
        "from reflector_migrate.sandbox import stack",
        "from reflector_migrate.sandbox.stack import Sandbox",
        "def lazily():\n    from reflector_migrate.sandbox.stack import Sandbox",
        "if TYPE_CHECKING:\n    from reflector_migrate.sandbox.stack import Sandbox",
        "stack = importlib.import_module('reflector_migrate.sandbox.stack')",
    ],
)
def test_no_kind_of_import_is_overlooked(source: str) -> None:
    """Wherever it stands and however it is written."""
    assert _imports(source) == {"reflector_migrate.sandbox.stack"}


@pytest.mark.parametrize("engine", ["celery", "conductor", "kombu"])
def test_the_pipeline_knows_no_engine(engine: str) -> None:
    """No step, service or contract imports an engine."""
    for path in (ROOT / "reflector_migrate/pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            assert not any(name.split(".")[0] == engine for name in names), path


def test_only_settings_reads_the_environment() -> None:
    """No other module asks os.environ for one of our settings."""
    rooms = {"settings", "cli", "sandbox"}
    for path in (ROOT / "reflector_migrate").rglob("*.py"):
        if path.parent.name == "plugin" or rooms & set(path.relative_to(ROOT).parts):
            continue
        source = path.read_text(encoding="utf-8")
        assert 'environ.get("MIGRATE' not in source, path
        assert 'environ["MIGRATE' not in source, path
