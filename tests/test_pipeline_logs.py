"""What a whole run of the steps logs: no secret, no presigned address, nothing that was said."""

from __future__ import annotations

import ast
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflector_migrate.conductor.runtime.run import log_to_stderr
from reflector_migrate.errors import ConfigurationError
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.log_context import FORMAT, About, about
from tests.pipeline_world import make_world

PRODUCT = Path(__file__).parents[1] / "reflector_migrate"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
FOR_PEOPLE = {"ConfigurationError", "InputError", "MigrateError", "RefusedError",
              "ServerUnreachableError"}  # fmt: skip

KEYS = re.compile(r"Signature=|AWSAccessKeyId|X-Amz-|Bearer |Basic [A-Za-z0-9]|v1=[0-9a-f]{16}")
SECRETS = ("gpu-key", "llm-key", "daily-key", "zulip-key")


@pytest.mark.heavy
def test_no_log_of_a_run_has_secrets_or_words(s3_url, control, tmp_path, caplog):
    """Of all loggers, libraries included, as verbose as a worker's process has them."""
    log_to_stderr()
    caplog.set_level(logging.INFO)
    world = make_world(tmp_path, s3_url, control, is_brief=True)
    world.whole()
    row = world.row
    words = [word["text"].strip() for topic in row.topics for word in topic["words"]]
    said = {" ".join(words[n : n + 4]) for n in range(len(words) - 4)}
    said |= {row.title, row.short_summary, *(topic["summary"] for topic in row.topics)}
    ours = [record for record in caplog.records if record.name != "werkzeug"]  # the S3 of the test
    text = "\n".join(logging.Formatter().format(record) for record in ours)
    assert len(said) > 20
    assert KEYS.search(text) is None
    assert not [one for one in (*said, *SECRETS) if one in text]


def test_a_line_of_a_step_names_step_transcript_and_run() -> None:
    """A step says what happened; whose it was, the worker adds. Outside a step nothing is added."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(About())
    handler.setFormatter(logging.Formatter(FORMAT))
    run = Run.model_construct(transcript_id="t-1", run_id="r-1")
    record = logging.makeLogRecord({"msg": "padded tracks stay behind"})
    with about("finalize", run):
        handler.handle(record)
    handler.handle(record)
    inside, outside = stream.getvalue().splitlines()
    assert inside.endswith("padded tracks stay behind step=finalize transcript=t-1 run=r-1")
    assert outside.endswith("padded tracks stay behind")


def test_an_error_in_a_log_has_its_way_out() -> None:
    """Message and hint in one line, and a message alone where there is no hint."""
    assert ConfigurationError("a", hint="b").in_full == "a (b)"
    assert ConfigurationError("a").in_full == "a"


def _nodes(word: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node of each module that has this word, with the module's path."""
    for path in sorted(PRODUCT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if re.search(word, text):
            place = path.relative_to(PRODUCT).as_posix()
            yield from ((place, node) for node in ast.walk(ast.parse(text)))


def test_every_line_of_the_log_names_something() -> None:
    """A run, a file, a setting or a reason; and never an error without its hint."""
    lines = {
        f"{place}:{node.lineno}": node
        for place, node in _nodes(r"\b_?log(ger)?\.")
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and ast.unparse(node.func.value) in {"log", "logger", "_log"}
    }
    assert len(lines) > 60
    mute = {place for place, node in lines.items() if len(node.args) < 2}
    assert {place.partition(":")[0] for place in mute} == {"shadow/nightly/job.py"}
    assert not {p for p, node in lines.items() if "error.message" in ast.unparse(node)}


def test_an_error_that_names_no_value_has_a_hint() -> None:
    """What is raised for a person and is always the same text says what to do about it."""
    bare = {
        f"{place}: {node.exc.args[0].value}"
        for place, node in _nodes(r"raise (" + "|".join(FOR_PEOPLE) + r")\(\s*[\"']")
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and ast.unparse(node.exc.func) in FOR_PEOPLE
        and node.exc.args
        and isinstance(node.exc.args[0], ast.Constant)
        and isinstance(node.exc.args[0].value, str)
        and not node.exc.keywords
    }
    assert bare == {"experiments/run_defects.py: interrupted"}
