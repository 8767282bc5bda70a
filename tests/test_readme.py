"""The documents run: every command of the README parses, and those to play with are executed."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context, Group

from reflector_migrate.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, flags=re.S))
PAGES = [README, *(page.read_text("utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
INLINE = [command for page in PAGES for command in re.findall(r"`(migrate [a-z][^`]*)`", page)]
PLAY = [line for line in SHELL.splitlines() if line.startswith("migrate ")]
# what a sandbox with one comparison answers; all others answer 0
EXPECTED = {
    "migrate checklist run infrastructure": {3},
    "migrate checklist run shadow": {1, 3},
    "migrate gate": {1, 3},
    "migrate report": {0, 1, 3},
}


def _parses(group: Group, argv: list[str]) -> None:
    context = Context(group, obj={"config": None, "verbose": 0})
    command = group.get_command(context, argv[0])
    assert command is not None, argv
    is_alone = len(argv) > 1 and argv[1].startswith("-")
    if isinstance(command, Group) and command.invoke_without_command and is_alone:
        command.make_context(argv[0], argv[1:], parent=context)
    elif isinstance(command, Group) and len(argv) > 1:
        _parses(command, argv[1:])
    elif not isinstance(command, Group):
        command.make_context(argv[0], argv[1:], parent=context)


def _has_only_a_name(line: str) -> bool:
    """Whether running text names a command, rather than showing how it is called."""
    return line not in PLAY and not shlex.split(line)[2:]


@pytest.mark.parametrize("line", sorted({*PLAY, *INLINE}))
def test_every_command_parses(line: str) -> None:
    """No command of README or docs is mistyped or has an option that does not exist."""
    words = shlex.split(line.replace("|dispatcher|collector|beat", "").replace("…", "x"))
    words = [w.replace("STEP", "finalize") for w in words[1:] if w not in {"id>"}]
    if _has_only_a_name(line):
        assert words[0] in COMMANDS
    else:
        _parses(cli, [w.removeprefix("<") for w in words])


def test_every_make_target_exists() -> None:
    """`make X` in the README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    asked = set(re.findall(r"(?:`|^)make ([a-z]+)", README, flags=re.M))
    assert asked == {"demo", "test"}
    assert asked <= targets


def test_every_file_named_exists() -> None:
    """Paths that the README names are there."""
    for path in re.findall(r"(?:docs|fixtures|reflector_migrate)/[\w/.-]+\w", README):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_two_examples(name: str) -> None:
    """`--help` of each command and subcommand shows two examples, and cuts no line short."""
    context = Context(cli, obj={"config": None, "verbose": 0})
    command = cli.get_command(context, name)
    assert command is not None
    leaves = command.commands.values() if isinstance(command, Group) else ()
    for leaf in leaves:
        assert "..." not in leaf.get_short_help_str(52), leaf.name
    for leaf in (command, *leaves):
        said = inspect.cleandoc(leaf.help or "")
        assert said.count("\n  migrate ") + said.count("\n  celery ") == 2, leaf.name


@pytest.mark.live
def test_the_commands_to_play_with_run(tmp_path: Path) -> None:
    """Every line in its order, in an empty folder, with the exit codes that the README promises."""
    try:
        for line in PLAY:
            done = _done(line, tmp_path)
            allowed = EXPECTED.get(line, {0})
            assert done.returncode in allowed, f"{line}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr
    finally:
        _done("migrate sandbox down", tmp_path)
    assert PLAY[-1] == "migrate sandbox down"


def _done(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    door = [sys.executable, "-c", "from reflector_migrate.cli.main import main; main()"]
    return subprocess.run(
        [*door, *shlex.split(line)[1:]], cwd=folder, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
