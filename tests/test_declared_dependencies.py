"""Each declared dependency is imported, and each import is declared; lazy imports count."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PRODUCT = ("reflector_migrate", "comparators", "reports")
ROOMS_OF_SANDBOX = ("reflector_migrate/sandbox", "reflector_migrate/experiments")
KNOWN = packages_distributions()
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = DECLARED["project"]

# Requirements that no import names: what the product does instead, and a text that shows it.
EXTRAS = {
    "celery[redis]": ("reflector_migrate/sandbox/config.py", '"broker_url": f"{redis}/1"'),
    "psycopg[binary]": ("reflector_migrate/store/psycopg_timeout.py", "import psycopg"),
    "moto[server,s3]": ("reflector_migrate/sandbox/servers/s3.py", '"-m", "moto.server"'),
}
RUN_NOT_IMPORTED = {"moto"}  # by its command
LOADED_BY_NAME = {"pyarrow"}  # pandas imports it to write parquet

# Of the dev group: what tools load by themselves.
TOOLS = {
    "axe-playwright-python", "check-jsonschema", "editables", "hatchling",
    "mypy", "pytest-rerunfailures", "pytest-timeout", "pytest-xdist", "ruff", "types-pyyaml",
}  # fmt: skip
NEEDS_A_COMPILER = {"meeteval", "segeval"}  # in no lock; bench and oracles name what they left out


def _names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def _imported(paths: Iterable[Path]) -> set[str]:
    """First parts of what these files import anywhere, but for Python's own and ours."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    beside = {path.stem for path in (*ROOT.glob("bench/*.py"), *ROOT.glob("fixtures/**/*.py"))}
    plugin = {"reflector_shadow"}
    ours = {*PRODUCT, "tests", "bench", "fixtures"} | beside | plugin
    return found - ours - sys.stdlib_module_names


def _distributions(modules: Iterable[str]) -> set[str]:
    """Who publishes these modules; a module that is not installed stands for itself."""
    return {canonicalize_name(name) for module in modules for name in KNOWN.get(module, [module])}


def _files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


RUNTIME = _names(PROJECT["dependencies"])
SANDBOX = _names(PROJECT["optional-dependencies"]["sandbox"])
OPTIONAL = _names(PROJECT["optional-dependencies"]["parquet"])
DEV = _names(DECLARED["dependency-groups"]["dev"])
SANDBOX_FILES = _files(*ROOMS_OF_SANDBOX)
PRODUCT_FILES = _files(*PRODUCT)


def test_each_declared_dependency_is_imported_by_the_product():
    """What only tests or benchmarks import belongs in the group dev."""
    unused = (RUNTIME | SANDBOX | OPTIONAL) - _distributions(_imported(PRODUCT_FILES))
    assert unused == RUN_NOT_IMPORTED | LOADED_BY_NAME


def test_each_import_of_the_product_is_declared():
    """Also what another dependency would bring; the sandbox extra is for the sandbox's rooms."""
    others = sorted(set(PRODUCT_FILES) - set(SANDBOX_FILES))
    assert _distributions(_imported(others)) - RUNTIME == set()
    assert _distributions(_imported(SANDBOX_FILES)) - RUNTIME - SANDBOX == set()


@pytest.mark.parametrize("requirement", EXTRAS)
def test_each_extra_of_a_dependency_is_used(requirement):
    """No import shows it, so the text that needs it does."""
    path, text = EXTRAS[requirement]
    assert text in (ROOT / path).read_text(encoding="utf-8")


def test_each_extra_of_a_dependency_has_a_reason():
    """The requirements with extras are those of the table above."""
    extra = PROJECT["optional-dependencies"]["sandbox"]
    declared = map(Requirement, PROJECT["dependencies"] + extra)
    wanted = {(one.name, frozenset(one.extras)) for one in declared if one.extras}
    assert wanted == {(one.name, frozenset(one.extras)) for one in map(Requirement, EXTRAS)}


def test_the_group_dev_is_what_tests_and_benchmarks_import():
    """Each of it is imported or a tool, and each import of theirs is declared somewhere."""
    imported = _distributions(_imported(_files("tests", "bench", "fixtures")))
    assert DEV - imported == TOOLS
    stood_in_for = {"reflector"}  # tests/their_reflector, in an environment of its own
    assert imported - DEV - RUNTIME - SANDBOX - NEEDS_A_COMPILER == stood_in_for
