"""The door: global options, the list of commands, and one place that turns errors into codes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

C = "reflector_migrate.cli"
COMMANDS = {
    "demo": (f"{C}.demo:demo", "Run two recordings through both engines and show the verdicts."),
    "compare": (f"{C}.compare:compare", "Compare both engines on one recording."),
    "explain": (f"{C}.explain:explain", "Show the evidence behind a recording's verdict."),
    "watch": (f"{C}.watch:watch", "Follow the steps of both sides live."),
    "report": (f"{C}.report:report", "Write the nightly page about all stored comparisons."),
    "export": (f"{C}.export:export", "Export stored comparisons as a table."),
    "checklist": (f"{C}.checklist:checklist", "Show what a phase still needs before the next one."),
    "drill": (f"{C}.drill:drill", "Drill a safeguard on the running deployment."),
    "placebo": (f"{C}.placebo:placebo", "Check that no gate fails a third legacy run."),
    "audit": (f"{C}.audit:audit", "Check the audit log, and export it."),
    "gate": (f"{C}.gate:gate", "Judge all recordings together: PASS, FAIL, INCONCLUSIVE."),
    "baseline": (f"{C}.baseline:baseline", "Record the primary's run times before the shadow."),
    "adjudicate": (f"{C}.adjudicate:adjudicate", "Choose the better text, with the sides hidden."),
    "shadow": (f"{C}.shadow:shadow", "Show, stop or resume dispatching to the candidate."),
    "route": (f"{C}.route:route", "Show and change which engine serves a recording."),
    "cutover": (f"{C}.cutover:cutover", "Move recordings to Conductor in steps, and back."),
    "cleanup": (f"{C}.cleanup:cleanup", "List parts of the legacy pipeline that are unused."),
    "rehearse": (f"{C}.rehearse:rehearse", "Rehearse the whole migration in a sandbox."),
    "replay": (f"{C}.replay:replay", "Dispatch recordings that were never announced."),
    "worker": (f"{C}.worker:worker", "Start workers, or list who polls which task."),
    "reconcile": (f"{C}.reconcile:reconcile", "Say what became of each recording, and why."),
    "nightly": (f"{C}.nightly:nightly", "Do the night's work now: page, lost runs, erasing."),
    "erase": (f"{C}.erase:erase", "Erase what runs left, or list what is still there."),
    "secondary": (f"{C}.secondary:secondary", "Run a second legacy worker, beside the primary."),
    "register": (f"{C}.register:register", "Register task and workflow definitions."),
    "retry": (f"{C}.retry:retry", "Run a failed workflow's failed step again."),
    "rerun": (f"{C}.retry:rerun", "Run a workflow again, starting at a step."),
    "cost": (f"{C}.cost:cost", "Show a recording's usage and cost by step and side."),
    "events": (f"{C}.events:events", "Print the event dictionary: task, events, JSON Schema."),
    "defects": (f"{C}.defects:defects", "Inject known bugs and check that each is found."),
    "sandbox": (f"{C}.sandbox:sandbox", "Start, stop and inspect real servers on this machine."),
    "attach": (f"{C}.attach:attach", "Attach to a running Reflector, and check the rights."),
    "doctor": (f"{C}.doctor:doctor", "Check every server and setting; quiet when healthy."),
    "serve": (f"{C}.serve:serve", "Serve reports and metrics on 127.0.0.1."),
    "schema": (f"{C}.schema:schema", "Print the JSON Schema of a contract."),
    "config": (f"{C}.config:config", "Show the settings in force, and where each comes from."),
    "completion": (f"{C}.completion:completion", "Print the script that completes commands."),
}

EXIT_CODES = """\b
Exit codes:
  0    match, ready, healthy
  1    a negative answer: diverged, an item failed, unhealthy
  2    usage or configuration
  3    inconclusive or pending
  4    could not run: a server unreachable, a bug
  130  interrupted
"""

INTERRUPTED = "\ninterrupted: stopped here; runs that have started continue"

UNREACHABLE = frozenset({"ConnectionError", "OperationalError", "TimeoutError", "ConnectError",
                         "EndpointConnectionError"})  # fmt: skip
"""What client libraries raise when a server does not answer, or answers that it cannot."""


def _version() -> str:
    from importlib.metadata import version

    return version("reflector-migrate")


def _print_version(ctx: click.Context, _parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        click.echo(f"migrate {_version()}")
        ctx.exit()


def _as_path(_ctx: click.Context, _parameter: click.Parameter, given: str | None) -> Path | None:
    """A path where one was given; `--help` does without the import."""
    from pathlib import Path

    return None if given is None else Path(given)


@click.group(
    cls=LazyGroup, lazy=COMMANDS, epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
@click.option(
    "--config", type=click.Path(), callback=_as_path,
    help="Settings file (default: ./migrate.toml).",
)  # fmt: skip
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
    help="Show the version and exit.",
)  # fmt: skip
@click.option("-v", "--verbose", count=True, help="More log on stderr; twice for debugging.")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, verbose: int) -> None:
    """Compare the Celery and Conductor pipelines, and decide when to switch.

    \b
    Examples:
      migrate sandbox up && migrate compare three-voices
      migrate checklist run shadow

    \b
    What the words mean: docs/glossary.md
    """
    ctx.obj = {"config": config, "verbose": verbose}


def main(argv: list[str] | None = None) -> None:
    """Run `migrate`; a crash never reads as a verdict."""
    sys.exit(_run(sys.argv[1:] if argv is None else argv))


def _run(argv: list[str]) -> int:
    return answered(argv, lambda given: cli.main(args=given, standalone_mode=False))


def answered(argv: list[str], work: Callable[[list[str]], object]) -> int:
    """The exit code of a command line; an error or an interrupt is answered in words on stderr."""
    from reflector_migrate.errors import ExitCode

    try:
        _refuse_foreign_packages()
        answer = work(argv)
        return int(answer) if isinstance(answer, int) else int(ExitCode.OK)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo(INTERRUPTED, err=True)
        return int(ExitCode.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message(), err=True)
        return int(ExitCode.USAGE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.COULD_NOT_RUN)
    except Exception as error:  # whatever it is must answer its own code, never click's 1
        return _failed(argv, error)


def _failed(argv: list[str], error: Exception) -> int:
    """One line and a code: the user's mistake, what the system refused, or else a bug."""
    from reflector_migrate.errors import ExitCode, MigrateError

    if isinstance(error, click.ClickException):
        return _fail(argv, "usage", error.format_message(), "see --help", ExitCode.USAGE)
    if isinstance(error, MigrateError):
        return _fail(argv, error.code, error.message, error.hint, error.exit_code)
    if os.environ.get("MIGRATE_TRACEBACK"):
        raise error
    if isinstance(error, OSError):
        return _fail(argv, "system", _of_system(error), "", ExitCode.COULD_NOT_RUN)
    if type(error).__name__ in UNREACHABLE:
        said = str(error).partition("\n")[0]
        where = type(error).__module__.partition(".")[0]
        return _fail(argv, "server_unreachable", f"{where}: {said}", "", ExitCode.COULD_NOT_RUN)
    hint = "this is a bug; set MIGRATE_TRACEBACK=1 to see where"
    return _fail(argv, "crash", f"{type(error).__name__}: {error}", hint, ExitCode.COULD_NOT_RUN)


def _of_system(error: OSError) -> str:
    """Which file or address, and what the system said of it."""
    said = error.strerror or str(error)
    return f"{error.filename}: {said}" if error.filename else f"{type(error).__name__}: {said}"


def _fail(argv: list[str], code: str, message: str, hint: str, exit_code: int) -> int:
    from reports.text import printable

    message = " ".join(message.split())
    if "--json" in argv:
        import json

        error = {"code": code, "message": message, "hint": hint}
        envelope = {"schema": "migrate.error/1", "ok": False, "exit_code": int(exit_code)}
        click.echo(json.dumps({**envelope, "error": error}))
    click.echo(printable(f"error: {message}"), err=True)
    if hint:
        click.echo(printable(f"hint:  {hint}"), err=True)
    return int(exit_code)


def _refuse_foreign_packages() -> None:
    """PyPI has another `reports`; running on its code would go unnoticed."""
    from importlib.util import find_spec

    root = _above(__file__, 3)
    for name in ("comparators", "reports"):
        spec = find_spec(name)
        origin = spec.origin if spec else None
        if origin is None or _above(origin, 2) != root:
            from reflector_migrate.errors import ExitCode

            click.echo(f"error: package `{name}` belongs to another project ({origin})", err=True)
            click.echo("hint:  install reflector-migrate into a separate environment", err=True)
            sys.exit(int(ExitCode.COULD_NOT_RUN))


def _above(path: str, levels: int) -> str:
    """The folder so many levels above a file, links resolved."""
    path = os.path.realpath(path)
    for _ in range(levels):
        path = os.path.dirname(path)  # noqa: PTH120 - pathlib would be a tenth of `--help`
    return path
