"""`migrate worker`: run a kind of worker, or list who polls which task."""

from __future__ import annotations

import os
import signal
import sys

import click

from reflector_migrate.cli.common import (
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    settings_of,
    settings_place,
)
from reflector_migrate.errors import RefusedError

KINDS = ("legacy", "conductor", "dispatcher", "collector", "starter", "beat")


@click.group(invoke_without_command=False)
def worker() -> None:
    """Start workers, or list who polls which task.

    \b
    Examples:
      migrate worker run conductor
      migrate worker list
    """


@worker.command(
    short_help="Start a worker of this kind.", context_settings={"ignore_unknown_options": True}
)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(ctx: click.Context, kind: str, rest: tuple[str, ...]) -> None:
    """Start a worker; extra arguments are passed to it.

    \b
    Examples:
      migrate worker run conductor --group audio
      migrate worker run dispatcher --concurrency 2
    """
    config, _ = settings_place(ctx)
    if kind == "legacy" and not settings_of(ctx).is_sandbox:
        said = "the stand-in would take the tasks of Reflector's own queue, and lose them"
        raise RefusedError(said, hint="it runs in a sandbox only: migrate sandbox up")
    argv, environ = command_of(kind)
    if config is not None:
        environ["MIGRATE_CONFIG"] = str(config.resolve())
    if kind != "conductor":  # Ctrl-C waits until `celery_worker` can answer it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.execve(argv[0], [*argv, *rest], {**os.environ, **environ})  # noqa: S606 - becomes it


def command_of(kind: str) -> tuple[list[str], dict[str, str]]:
    """The argv of a worker of this kind, and what its environment needs besides ours."""
    from reflector_migrate.plugin import FOLDER

    python = [sys.executable, "-m"]
    celery = [*python, "reflector_migrate.cli.celery_worker", "-A"]
    shadow = [*celery, "reflector_migrate.shadow.app:app"]
    legacy = [*celery, "reflector_migrate.sandbox.legacy.app:app", "worker"]
    starter = [*celery, "reflector_migrate.cutover.route_app:app", "worker"]
    commands = {
        "legacy": [*legacy, "-I", "reflector_shadow", "--loglevel=info"],
        "conductor": [*python, "reflector_migrate.conductor.runtime.run"],
        "dispatcher": [*shadow, "worker", "-Q", "shadow", "-n", "dispatcher@%h"],
        "collector": [*shadow, "worker", "-Q", "collect", "-n", "collector@%h"],
        "starter": [*starter, "-Q", "route", "-n", "starter@%h"],
        "beat": [*shadow, "beat"],
    }
    stand_in = "reflector_migrate.sandbox.legacy.monolith:PipelineMainMultitrack"
    environ = {"PYTHONPATH": str(FOLDER), "MIGRATE_LEGACY_PIPELINE": stand_in}
    return commands[kind], environ if kind == "legacy" else {}


@worker.command("list", short_help="List who polls which task with which build.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List who polls which task with which build, by the server's own poll data.

    \b
    Examples:
      migrate worker list
      migrate worker list --json
    """
    from reflector_migrate.conductor.execution import task_queue_pollers

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    found = task_queue_pollers(harness)
    strangers = [one for one in found if one.is_stranger]
    if as_json:
        workers = [{**one._asdict(), "last_poll": one.last_poll.isoformat()} for one in found]
        echo_json(envelope("workers", int(bool(strangers)), workers=workers))
    else:
        click.echo(f"{'task':<30} {'worker':<44} {'domain':<24} build")
        for one in found:
            mark = "✗ another build" if one.is_stranger else "✓ ours"
            click.echo(f"{one.task:<30} {one.worker_id:<44} {one.domain or '-':<24} {mark}")
    ctx.exit(int(bool(strangers)))
