"""What subcommands share: the settings in force, consoles, and writing results."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reflector_migrate.errors import RefusedError, ServerUnreachableError

if TYPE_CHECKING:
    from rich.console import Console

    from reflector_migrate.harness import Harness
    from reflector_migrate.settings import Settings

PIPE_COLUMNS = 120
OF_THE_SANDBOX = ("MIGRATE_SANDBOX__", "MIGRATE_SOAK", "MIGRATE_TRACEBACK", "MIGRATE_LOG_FORMAT")
"""Variables that contradict no running sandbox: they say where it is, or how we speak."""


class Duration(click.ParamType[float]):
    """`90`, `90s`, `10m`, `2h` or `30d`, as seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; a usage error for anything else."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value))
        if found is None:
            self.fail(f"invalid duration {value!r}: use 90s, 10m, 2h or 30d", param, ctx)
        return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


DURATION = Duration()


def _named(_ctx: click.Context, _param: click.Parameter, who: str | None) -> str | None:
    """A name with single blanks; a usage error for blanks alone."""
    if who is not None and not who.strip():
        raise click.BadParameter("a name is needed: the audit log says who it was")
    return who and " ".join(who.split())


WHO = click.option("--who", required=True, callback=_named, help="Your name, for the audit log.")
WHO_OR_USER = click.option(
    "--who", callback=_named, help="Your name, for the audit log (default: the user who runs this)."
)
YES = click.option("--yes", is_flag=True, help="Do not ask.")


class JsonLines(logging.Formatter):
    """One JSON object per line, whatever the message or the traceback holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, room, message; the traceback when there is one."""
        line = {"at": self.formatTime(record), "level": record.levelname, "room": record.name}
        line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def harness_of(ctx: click.Context) -> Harness:
    """The stores that the command's settings name.

    Made once per process: every part of a command works with the same one.
    """
    from reflector_migrate.harness import Harness

    shared = ctx.find_root().obj
    if "harness" not in shared:
        shared["harness"] = Harness.of(settings_of(ctx))
    harness: Harness = shared["harness"]
    return harness


def settings_of(ctx: click.Context) -> Settings:
    """By --config, environment and files; else those of a sandbox that runs here.

    Loaded once per process, and without a store.
    """
    from reflector_migrate.entrance import loaded_settings

    shared = ctx.find_root().obj
    if "settings" not in shared:
        place, environ = settings_place(ctx)
        shared["settings"] = loaded_settings(place, environ=environ)
        named = place or os.environ.get("MIGRATE_CONFIG")
        if shared["settings"].is_sandbox and named:
            where = _short(Path(named).resolve().parent)
            say(f"sandbox {where}: nothing here is about a deployment")
    settings: Settings = shared["settings"]
    return settings


def headline(settings: Settings, line: str) -> str:
    """The first line of an answer: one about a sandbox begins with that word."""
    return f"sandbox  {line}" if settings.is_sandbox else line


def _short(folder: Path) -> str:
    """Relative to where we are, if it is below."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def settings_place(ctx: click.Context) -> tuple[Path | None, dict[str, str] | None]:
    """What to load: the file by --config, or a running sandbox's alone; else the usual places."""
    from reflector_migrate.entrance import loaded_settings

    config: Path | None = ctx.find_root().obj["config"]
    if config is not None or os.environ.get("MIGRATE_CONFIG"):
        return config, None
    from reflector_migrate.sandbox.running import load_running, missing_parts, sandbox_folder
    from reflector_migrate.sandbox.servers.base import Folders

    folder = sandbox_folder(loaded_settings())
    if dead := missing_parts(folder):
        raise ServerUnreachableError(
            f"the sandbox in {folder} has lost {', '.join(dead)}", hint="migrate sandbox up"
        )
    if load_running(folder) is None:
        return None, None
    _refuse_other_settings(folder)
    return Folders(folder).config, {}


def _refuse_other_settings(folder: Path) -> None:
    """RefusedError where a sandbox runs and other settings are given too.

    Nothing says which of them are meant.
    """
    from reflector_migrate.settings import file_here

    others = [
        name
        for name in sorted(os.environ)
        if name.startswith("MIGRATE_") and not name.startswith(OF_THE_SANDBOX)
    ]
    if (here := file_here()) is not None:
        others.append(f"./{here}")
    if others:
        config = _short(folder / "migrate.toml")
        raise RefusedError(
            f"a sandbox runs in {_short(folder)}, and {', '.join(others)} names other settings",
            hint=f"for the sandbox: --config {config}; for the others: --config FILE",
        )


def log_to_stderr(ctx: click.Context, settings: Settings) -> None:
    """Send the log to stderr: warnings; with -v our own progress; with -vv all debugging."""
    verbose = int(ctx.find_root().obj["verbose"])
    plain = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else logging.Formatter(plain))
    logging.basicConfig(level=logging.DEBUG if verbose > 1 else logging.WARNING, handlers=[handler])
    if verbose == 1:
        logging.getLogger("reflector_migrate").setLevel(logging.INFO)


def stdout_console(color: str = "auto") -> Console:
    """For results: 120 columns in a pipe unless COLUMNS says otherwise; no markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_COLUMNS
    forced = {"always": True, "never": False}.get(color)
    is_plain = forced is False or bool(os.environ.get("NO_COLOR"))
    return Console(
        width=width, force_terminal=forced, no_color=is_plain or None, markup=False,
        highlight=False, emoji=False,
    )  # fmt: skip


def say(line: str) -> None:
    """One line of progress on stderr."""
    from reports.text import printable

    click.echo(printable(line), err=True)


def refuse_ignored(ctx: click.Context, why: str, *names: str) -> None:
    """UsageError for each of these parameters that the user gave, although it has no effect here.

    A default, or a value from the environment, is not what the user gave in this call.
    """
    typed = click.core.ParameterSource.COMMANDLINE
    given = [
        "/".join((*param.opts[:1], *param.secondary_opts))
        if isinstance(param, click.Option)
        else param.human_readable_name
        for param in ctx.command.params
        if param.name in names and ctx.get_parameter_source(param.name) is typed
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)}: {why}")


def ask(question: str, *, yes: bool) -> None:
    """Go on if a person confirms, or passed --yes; without a terminal it is a usage error."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("cannot ask for confirmation without a terminal: pass --yes")
    click.confirm(question, abort=True, err=True)


def envelope(schema: str, code: int = 0, **body: Any) -> dict[str, Any]:
    """`migrate.<schema>/1`: what every JSON answer begins with, then its own fields."""
    return {"schema": f"migrate.{schema}/1", "ok": code == 0, "exit_code": int(code), **body}


def echo_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout. Raises ValueError for NaN."""
    click.echo(json.dumps(document, allow_nan=False, ensure_ascii=False))
