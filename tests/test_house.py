"""The house keeps its shape: imports point one way, and every command is told of."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("reflector_migrate", "comparators", "reports")

# Each room and the rooms it may look into; itself always.
NOUNS = {"reflector_migrate.model"}
GROUND = NOUNS | {"reflector_migrate.errors", "reflector_migrate.settings"}
STORE = GROUND | {"reflector_migrate.store"}
PIPELINE = STORE | {"reflector_migrate.pipeline"}
JUDGE = NOUNS | {"reflector_migrate.errors", "comparators.registry", "reflector_migrate.judge"}
SHADOW = PIPELINE | JUDGE | {
    "reflector_migrate.conductor", "reflector_migrate.shadow", "reflector_migrate.pricing",
    "reflector_migrate.frames",
}  # fmt: skip
MAY_IMPORT: dict[str, set[str]] = {
    "reflector_migrate.model": set(),
    "reflector_migrate.errors": set(),
    "reflector_migrate.settings": {"reflector_migrate.errors"},
    "comparators": NOUNS,
    "reports": NOUNS,
    "reflector_migrate.judge": JUDGE,
    "reflector_migrate.store": STORE,
    "reflector_migrate.pipeline": PIPELINE,
    "reflector_migrate.pricing": GROUND,
    "reflector_migrate.frames": GROUND | {"reflector_migrate.pricing"},
    "reflector_migrate.plugin": set(),
    "reflector_migrate.conductor": PIPELINE,
    "reflector_migrate.sandbox": PIPELINE
    | {"reflector_migrate.conductor", "reflector_migrate.plugin"},
    "reflector_migrate.experiments": SHADOW | {"reflector_migrate.sandbox"},
    # the sandbox is read, never run, by a shadow that lives in one
    "reflector_migrate.shadow": SHADOW | {"reflector_migrate.sandbox.standins.client", "reports"},
    # the checklist asks which synthetic recordings there are
    "reflector_migrate.cutover": STORE | JUDGE | SHADOW | {"reflector_migrate.sandbox.recordings"},
}


def _room(module: str) -> str | None:
    return next((r for r in sorted(MAY_IMPORT, key=len, reverse=True) if _inside(module, r)), None)


def _inside(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {n for n in found if n.split(".")[0] in OURS and n != "reflector_migrate"}


def _modules() -> list[Path]:
    return sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", _modules(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    """A room imports only from rooms below it."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    room = _room(module)
    if room is None:  # the door (cli) and the package's own docstring may look everywhere
        assert module.startswith(("reflector_migrate.cli", "reflector_migrate.__init__"))
        return
    allowed = MAY_IMPORT[room] | {room}
    strays = {i for i in _imports(path) if not any(_inside(i, a) for a in allowed)}
    assert not strays, f"{module} imports {sorted(strays)}"


@pytest.mark.parametrize("engine", ["celery", "conductor", "kombu"])
def test_the_pipeline_knows_no_engine(engine: str) -> None:
    """No step, service or contract imports an engine."""
    for path in (ROOT / "reflector_migrate/pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            assert not any(_inside(name, engine) for name in names), path


def test_only_settings_reads_the_environment() -> None:
    """Nobody else asks os.environ for a setting of ours."""
    rooms = {"settings", "cli", "sandbox"}
    for path in (ROOT / "reflector_migrate").rglob("*.py"):
        if path.name == "reflector_shadow.py" or rooms & set(path.relative_to(ROOT).parts):
            continue
        source = path.read_text(encoding="utf-8")
        assert 'environ.get("MIGRATE' not in source, path
        assert 'environ["MIGRATE' not in source, path
