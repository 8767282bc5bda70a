"""No step, and nothing a step is written with, has a way out but `Effects`."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from reflector_migrate.model import STEP_NAMES
from reflector_migrate.pipeline import steps as package
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import CONTRACTS
from reflector_migrate.pipeline.steps import STEPS

STEPS_FOLDER = Path(package.__file__).parent
PIPELINE = STEPS_FOLDER.parent
HELPERS = (
    "publish", "topics", "summary", "artifacts", "zulip_text", "webhook_payload",
    "heartbeat_pool", "llm_tasks", "prompts", "digests", "webvtt", "fork_inputs", "work_dir",
    "topic_rows",
)  # fmt: skip
FILES = [
    *(STEPS_FOLDER / f"{name}.py" for name in STEP_NAMES),
    *(PIPELINE / f"{name}.py" for name in HELPERS),
]

STANDARD = {
    "__future__", "collections", "concurrent", "contextlib", "dataclasses", "datetime",
    "functools", "hashlib", "itertools", "json", "logging", "pathlib", "pydantic", "re",
    "tempfile", "time", "typing", "urllib", "uuid",
}  # fmt: skip
# of the services a step may use names that only describe; the clients come by the context
SERVICES = {
    "daily": {"DailyRecording"},
    "llm": {"LanguageModel", "Message", "Request"},  # for Questions, which the context makes
    "storage": {"SCHEME", "Stored", "address"},
    "webhook": {"EVENT", "Delivery", "Told", "headers_for", "is_taken"},
}
ROOMS = {"audio", "cache", "context", "contracts", "rows", "steps", *HELPERS}
STORE = {"canonical_json": {"sha256_of"}, "artifacts": {"Artifacts"}}
STORAGE_READS = {"get_file", "checksum", "size", "presign", "list"}
EFFECTFUL = {
    "post", "put", "patch", "publish", "send", "sendall", "request", "urlopen", "unlink", "rmdir",
    "rmtree", "system", "popen", "run", "delete", "delete_object", "copy", "put_file",
}  # fmt: skip
ALLOWED = {("ctx", "artifacts", "put")}
HARMLESS_PRIVATE = {"_asdict", "_replace", "__name__"}


def tree_of(path):
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def names(node):
    """A dotted attribute as a tuple, () for anything else."""
    if isinstance(node, ast.Name):
        return (node.id,)
    inner = names(node.value) if isinstance(node, ast.Attribute) else ()
    return (*inner, node.attr) if inner else ()


def offences(tree):
    """Every import, call or attribute by which code could get out."""
    for node in ast.walk(tree):
        is_offence = (
            (isinstance(node, ast.Import) and not {a.name for a in node.names} <= STANDARD)
            or (isinstance(node, ast.ImportFrom) and not is_harmless(node))
            or (isinstance(node, ast.Call) and acts(node.func))
            or (isinstance(node, ast.Attribute) and is_back_door(node))
        )
        if is_offence:
            yield ast.unparse(node)


def is_harmless(node):
    """Whether an import's names describe and do not act."""
    module, imported = node.module or "", {a.name for a in node.names}
    if node.level or module == "urllib.request":
        return False
    if not module.startswith("reflector_migrate"):
        return module.split(".")[0] in STANDARD
    parts = module.split(".")
    if parts[1:3] == ["pipeline", "services"]:
        return len(parts) == 4 and imported <= SERVICES.get(parts[3], set())
    if parts[1] == "store":
        return imported <= STORE.get(parts[2], set())
    if parts[1:3] == ["pipeline", "effects"]:
        return imported <= {"Post"}
    if module == "reflector_migrate.pipeline":
        return imported <= {"audio"}
    return parts[1] in {"errors", "model"} or (parts[1] == "pipeline" and parts[2] in ROOMS)


def acts(called):
    """Whether a call acts on the world other than through effects or a read of storage."""
    if isinstance(called, ast.Name):
        return called.id in {"exec", "eval", "__import__", "open", "globals", "vars", "setattr"}
    if not isinstance(called, ast.Attribute):
        return False
    path = names(called)
    if path[:2] == ("ctx", "storage"):
        return path[2] not in STORAGE_READS
    return path[:2] != ("ctx", "effects") and path not in ALLOWED and called.attr in EFFECTFUL


def is_back_door(node):
    """Whether another object's private attribute is touched, or a client is carried off."""
    is_private = node.attr.startswith("_") and node.attr not in HARMLESS_PRIVATE
    return is_private and names(node.value) != ("self",)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_no_step_has_another_way_out(path):
    """Imports from a short list, calls on effects, no private attributes."""
    assert list(offences(tree_of(path))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import httpx",
        "import socket",
        "from urllib.request import urlopen",
        "from reflector_migrate.pipeline.services.zulip import Zulip",
        "from reflector_migrate.pipeline.services.events import Bus",
        "from reflector_migrate.pipeline.effects import LiveEffects",
        "from reflector_migrate.clients import connections",
        "from reflector_migrate.clients import conductor",
        "ctx.storage.delete(where)",
        "ctx.storage._client.put_object(Bucket='b')",
        "ctx.effects._record('x')",
        "path.unlink()",
        "session.post(url)",
        "__import__('socket')",
    ],
)
def test_a_way_out_would_be_seen(code):
    """The walk finds what it is there to find."""
    assert list(offences(ast.parse(code)))


def test_the_context_itself_holds_no_client_that_acts():
    """Zulip, webhook and bus are held by the effects alone."""
    assert {f.name for f in fields(StepContext)} == {
        "run", "settings", "place", "rows", "storage", "daily", "recogniser", "questions",
        "effects", "artifacts", "cache", "meter", "heartbeat", "is_retried",
        "bridge",  # to a child whose calls leave with the step's question, as the model's do
    }  # fmt: skip


def test_there_is_one_step_for_each_contract_in_a_file_of_its_name():
    """The requirements' fifteen, in their order."""
    assert tuple(STEPS) == STEP_NAMES == tuple(CONTRACTS)
    for name, step in STEPS.items():
        assert (step.__name__, step.__module__) == (name, f"{package.__name__}.{name}")
