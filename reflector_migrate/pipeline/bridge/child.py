"""One child process: asked a question, heard line by line, ended when it hangs or talks nonsense.

Its end, its silence and its nonsense are each a TransientStepError: they cost an attempt of the
step and never the worker. What it prints is dropped, since Reflector logs what was said.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reflector_migrate.errors import (
    ConfigurationError,
    InputError,
    TerminalStepError,
    TransientStepError,
)
from reflector_migrate.pipeline.heartbeat_pool import BEAT_S, Heartbeat
from reflector_migrate.pipeline.services.http import RETRYABLE_4XX
from reflector_migrate.settings import PipelineSettings
from reflector_migrate.settings.reflector_env import read_env_file

PROTOCOL = 1
SCRIPT = Path(__file__).parents[2] / "plugin" / "reflector_steps.py"
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
MAX_LINE_BYTES = 64 << 20
READ_BYTES = 1 << 16
END_S = 2.0

Json = dict[str, Any]


class Hello(NamedTuple):
    """What a child says of itself; `lacks` names for a step what this Reflector has not."""

    build: str
    release: str
    has: frozenset[str]
    lacks: Mapping[str, str]


class Child:
    """A process of Reflector's environment. Made by `Child.start`; not for two threads at once."""

    def __init__(self, process: subprocess.Popen[bytes], questions: int, answers: int) -> None:
        self._process, self._questions, self._answers = process, questions, answers
        self._buffer = b""
        self._number = 0
        self.hello = Hello("", "", frozenset(), {})

    @classmethod
    def start(cls, settings: PipelineSettings, heartbeat: Heartbeat) -> Child:
        """Start one and hear what it has, within `child_start_s`.

        Raises ConfigurationError when it cannot be started, TransientStepError when it does not
        answer.
        """
        child_reads, questions = os.pipe()
        answers, child_writes = os.pipe()
        try:
            process = subprocess.Popen(
                _argv(settings, child_reads, child_writes),
                pass_fds=(child_reads, child_writes),
                cwd=settings.reflector_dir,
                env=environment_of(settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            for number in (questions, answers):
                os.close(number)
            raise ConfigurationError(
                f"setting pipeline.reflector_python: {error.filename}: {error.strerror}"
            ) from None
        finally:
            os.close(child_reads)
            os.close(child_writes)
        child = cls(process, questions, answers)
        try:
            (told,) = (
                v
                for what, v in child.ask("hello", {}, heartbeat, settings.child_start_s)
                if what == "done"
            )
        except ValueError:
            child.end()
            raise TransientStepError("Reflector's child process did not say what it has") from None
        child.hello = Hello(told["build"], told["release"], frozenset(told["has"]), told["lacks"])
        return child

    def ask(
        self, what: str, question: Mapping[str, Any], heartbeat: Heartbeat, silence_s: float
    ) -> Iterator[tuple[str, Any]]:
        """Each answer as (kind, value), the last one `done`.

        Raises TransientStepError or TerminalStepError; after any but its own refusal the child has
        been ended. Silent for `silence_s`, it counts as hung.
        """
        self._number += 1
        line = json.dumps({"v": PROTOCOL, "id": self._number, "ask": what, **question})
        try:
            self._tell(line.encode() + b"\n", heartbeat, silence_s)
            while True:
                kind, value = self._heard(what, heartbeat, silence_s)
                if kind == "failed":
                    break
                yield kind, value
                if kind == "done":
                    return
        except BaseException:
            self.end()
            raise
        if "MemoryError" in value["kinds"]:
            self.end()
        raise failure(what, value)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked again."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it now; twice is once."""
        if self._questions < 0:
            return
        for number in (self._questions, self._answers):
            os.close(number)
        self._questions = self._answers = -1
        self._process.kill()
        self._process.wait(END_S)

    def _tell(self, line: bytes, heartbeat: Heartbeat, silence_s: float) -> None:
        """Write a question; a child that does not read it is as silent as one that says nothing."""
        os.set_blocking(self._questions, False)
        until = time.monotonic() + silence_s
        while line:
            _, ready, _ = select.select([], [self._questions], [], BEAT_S)
            heartbeat()
            if ready:
                try:
                    line = line[os.write(self._questions, line) :]
                except BrokenPipeError:
                    raise self._gone() from None
            elif time.monotonic() > until:
                raise TransientStepError(
                    f"Reflector's child process read nothing for {silence_s:g} s"
                )

    def _heard(self, what: str, heartbeat: Heartbeat, silence_s: float) -> tuple[str, Any]:
        until = time.monotonic() + silence_s
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], BEAT_S)
            heartbeat()
            if ready:
                found = os.read(self._answers, READ_BYTES)
                if not found:
                    raise self._gone()
                self._buffer += found
                if len(self._buffer) > MAX_LINE_BYTES:
                    raise TransientStepError(f"Reflector's {what}: an answer without an end")
            elif time.monotonic() > until:
                raise TransientStepError(f"Reflector's {what}: silent for {silence_s:g} s")
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            told = json.loads(line)
            if (told["v"], told["id"]) != (PROTOCOL, self._number):
                raise ValueError("another version, or another question")
            return str(told["is"]), told["value"]
        except (ValueError, KeyError, TypeError):
            raise TransientStepError(f"Reflector's {what}: an answer that is none") from None

    def _gone(self) -> TransientStepError:
        try:
            code: int | str = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            code = "no code"
        return TransientStepError(f"Reflector's child process ended with {code}")


def failure(what: str, told: Mapping[str, Any]) -> TransientStepError | TerminalStepError:
    """Hopeless where the release lacks something or a service refuses; else worth a retry."""
    if told["lacks"]:
        return TerminalStepError(
            f"Reflector's {what}: {told['lacks']}", hint="migrate doctor; or set processors to ours"
        )
    status = told["status"]
    said = f"Reflector's {what}: {' from '.join(told['kinds'][:3])}" + (
        f", HTTP {status}" if status else ""
    )
    is_refused = status is not None and 400 <= status < 500 and status not in RETRYABLE_4XX
    return TerminalStepError(said) if is_refused else TransientStepError(said)


def _argv(settings: PipelineSettings, questions: int, answers: int) -> list[str]:
    if settings.reflector_python is None:
        raise ConfigurationError(
            "setting pipeline.reflector_python: not set, and a step is to run Reflector's code",
            hint="name the interpreter of Reflector's virtual environment",
        )
    pipes = ["--questions", str(questions), "--answers", str(answers)]
    bound = ["--memory-bytes", str(settings.child_memory_bytes)]
    return [str(settings.reflector_python), str(SCRIPT), *pipes, *bound]


def environment_of(settings: PipelineSettings) -> dict[str, str]:
    """Of a Reflector process: what any needs, and what its own file says; none of our variables."""
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    checkout = {"PYTHONPATH": str(settings.reflector_dir)} if settings.reflector_dir else {}
    if settings.reflector_env_file is None:
        return base | checkout
    try:
        return base | checkout | read_env_file(settings.reflector_env_file)
    except InputError as error:
        raise ConfigurationError(f"setting pipeline.reflector_env_file: {error.message}") from None
