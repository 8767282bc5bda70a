"""docker-compose.yml: valid, and every command, module and port in it exists in the code."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click import Context, Group

from reflector_migrate.cli.main import cli
from reflector_migrate.sandbox.servers.conductor import _COMMON, _on_redis
from reflector_migrate.settings import Settings, load_settings

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: s for name, s in SERVICES.items() if s.get("image") == "reflector-migrate:local"}
WANTED = {
    "redis", "postgres", "s3", "conductor", "conductor-seed", "migrations", "legacy-worker",
    "conductor-workers", "dispatcher", "collector", "beat", "serve",
    "live-workers", "starter",
}  # fmt: skip


SCHEMA = json.loads(
    files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
)


def test_it_is_valid_by_the_specification() -> None:
    """The file satisfies the Compose specification's own schema."""
    jsonschema.validate(COMPOSE, SCHEMA, cls=jsonschema.validators.validator_for(SCHEMA))


def test_the_schema_can_fail() -> None:
    """A mistyped key is refused, so that validity above means something."""
    broken = {"services": {"a": {"image": "b", "comand": ["c"]}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.validate(broken, SCHEMA, cls=jsonschema.validators.validator_for(SCHEMA))


def test_every_wanted_service_is_there() -> None:
    """Servers, workers, dispatcher, collector, beat, migrations and serve."""
    assert set(SERVICES) == WANTED


def test_images_and_profile() -> None:
    """The current server by default, the seed's under a profile, both with the UI on 8127."""
    assert SERVICES["conductor"]["image"] == "conductoross/conductor:3.32.3"
    seed = SERVICES["conductor-seed"]
    assert (seed["image"], seed["profiles"]) == (
        "conductoross/conductor-standalone:3.15.0", ["seed"],
    )  # fmt: skip
    for name in ("conductor", "conductor-seed"):
        assert "127.0.0.1:8127:5000" in SERVICES[name]["ports"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_everything_is_published_on_loopback_only(name: str) -> None:
    """No port is open to a network: Conductor has no authentication of its own."""
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrations"}))
def test_every_long_running_service_has_a_health_check(name: str) -> None:
    """depends_on conditions mean something only with a check."""
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", ["legacy-worker", "dispatcher", "collector", "starter"])
def test_a_celery_worker_is_asked_by_its_own_name(name: str) -> None:
    """A ping to all would be answered by any worker of the broker."""
    argv: list[str] = SERVICES[name]["command"]
    node = argv[argv.index("-n") + 1] if "-n" in argv else "celery@%h"
    asked = shlex.split(SERVICES[name]["healthcheck"]["test"][1])
    assert asked[asked.index("-d") + 1] == node.replace("%h", "$$HOSTNAME")
    assert asked[asked.index("-A") + 1] == argv[argv.index("-A") + 1]


@pytest.mark.parametrize(
    ("service", "file"),
    [("conductor", "conductor.properties"), ("conductor-seed", "conductor-seed.properties")],
)
def test_the_server_reads_our_properties(service: str, file: str) -> None:
    """Mounted where CONFIG_PROP looks; what it says is what the sandbox's server gets."""
    found = SERVICES[service]
    mounted = f"./docker/{file}:/app/config/{found['environment']['CONFIG_PROP']}:ro"
    assert mounted in found["volumes"]
    lines = (ROOT / "docker" / file).read_text().splitlines()
    said = {line for line in lines if not line.startswith("#")}
    told = {option.removeprefix("--") for option in _COMMON}
    assert {line for line in said if ".app." in line} == {line for line in told if ".app." in line}
    if service == "conductor-seed":
        told = {option.removeprefix("--") for option in (*_COMMON, *_on_redis(6379))}
        ours = {line.replace("127.0.0.1:6379", "redis:6379") for line in told}
        assert said == ours - {"conductor.integrations.ai.enabled=false"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_dependencies_name_services_and_conditions(name: str) -> None:
    """No service waits for one that does not exist, or without a condition."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        assert how["condition"] in {"service_healthy", "service_completed_successfully"}
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_exists(name: str) -> None:
    """migrate subcommands with these options, importable modules, Celery apps and queues."""
    command: list[str] = OURS[name]["command"]
    if command[0] == "migrate":
        _parses(cli, command[1:])
    elif command[0] == "celery":
        module, _, attribute = command[command.index("-A") + 1].partition(":")
        assert hasattr(importlib.import_module(module), attribute)
    else:
        assert command[:2] == ["python", "-m"]
        assert importlib.util.find_spec(command[2]) is not None
        assert command[3:] == ["--group", "all"]


def _parses(group: Group, argv: list[str]) -> None:
    context = Context(group, obj={"config": None, "verbose": 0})
    command = group.get_command(context, argv[0])
    assert command is not None, argv
    if isinstance(command, Group):
        _parses(command, argv[1:])
    else:
        command.make_context(argv[0], argv[1:], parent=context)


def test_every_variable_is_a_setting_or_in_the_example() -> None:
    """MIGRATE_* names settings that exist; every ${VARIABLE} is in .env.example."""
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()
    for variable in set(re.findall(r"\$\{(\w+)", text)):
        assert re.search(rf"^{variable}=", example, flags=re.M), variable
    environ: dict[str, str] = {}
    for service in OURS.values():
        environ |= {k: v for k, v in service["environment"].items() if k.startswith("MIGRATE_")}
    numbers = {k: "true" if k == "MIGRATE_SHADOW" else v for k, v in environ.items()}
    loaded = load_settings(environ=numbers)
    assert loaded != Settings()
    assert loaded.conductor.server_url == "http://conductor:8080/api"


def test_no_secret_has_a_default() -> None:
    """Passwords and keys come from the env file or compose refuses to start."""
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"\$\{\w*(PASSWORD|SECRET_ACCESS_KEY)\w*:-[^}]", text)


def test_the_dockerfile_copies_what_exists() -> None:
    """Every file named in the Dockerfile is in the repository."""
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


@pytest.mark.heavy
def test_the_image_has_all_that_its_package_is_built_from(tmp_path: Path) -> None:
    """The wheel is built from what the Dockerfile copies, and from nothing else."""
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            *sources, target = line.split()[1:]
            for source in map(ROOT.joinpath, sources):
                _copied(source, tmp_path / target)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=tmp_path, check=True, timeout=120, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "reflector_migrate/judge/known_legacy_defects.toml",
        "reflector_migrate/plugin/reflector_route.py",
        "reflector_migrate/plugin/reflector_shadow.py",
        "reflector_migrate/conductor/workflows/diarization_pipeline.json",
        "comparators/registry.py", "reports/page.py",
    } <= names  # fmt: skip


IMPORTS_OF_THE_LOCK_ALONE = """
import importlib, importlib.abc, importlib.metadata, pathlib, re, sys
lock = pathlib.Path("requirements.lock").read_text()
locked = {re.sub("[-_.]+", "-", n).lower() for n in re.findall(r"(?m)^([\\w.-]+)==", lock)}
theirs = importlib.metadata.packages_distributions()
class OnlyLocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        owners = {re.sub("[-_.]+", "-", o).lower() for o in theirs.get(name.split(".")[0], ())}
        if owners and not owners & (locked | {"reflector-migrate"}):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, OnlyLocked())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.heavy
def test_the_images_lock_has_all_that_its_processes_import() -> None:
    """Workers, commands and Celery's way to Redis, with whatever only tests need out of reach."""
    root = ROOT / "reflector_migrate"
    rooms = ("cli", "conductor", "cutover", "judge", "pipeline", "plugin", "shadow", "store")
    files = [path for room in rooms for path in sorted((root / room).rglob("*.py"))]
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in files]
    ours = [n.removesuffix(".__init__") for n in names if ".versions." not in n and "env" not in n]
    theirs = {f"reflector_migrate.plugin.reflector_{name}" for name in ("shadow", "route")}
    wanted = [n for n in ours if n not in theirs]
    argv = [sys.executable, "-c", IMPORTS_OF_THE_LOCK_ALONE, *wanted, "kombu.transport.redis"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _copied(source: Path, target: Path) -> None:
    """As COPY does: a folder's content, or a file into a folder or under another name."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif target.is_dir():
        shutil.copy(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def test_every_volume_is_mounted_where_the_user_may_write() -> None:
    """A named volume takes over the owner of the image's folder, or else is root's."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    owned = re.search(r"install -d -o migrate (.*)", dockerfile)
    assert owned
    for service in OURS.values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[1] in owned[1].split(), volume
