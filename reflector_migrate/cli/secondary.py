"""`migrate secondary`: a second legacy worker on a real deployment, for the noise floor."""

from __future__ import annotations

import os
import shlex

import click

from reflector_migrate.cli.common import log_to_stderr, settings_of
from reflector_migrate.errors import RefusedError


@click.group(invoke_without_command=False)
def secondary() -> None:
    """Run a second worker of Reflector's own code, with separate databases and buckets.

    \b
    Examples:
      migrate secondary up --dry-run
      migrate secondary up
    """


@secondary.command(
    short_help="Become the second worker.", context_settings={"ignore_unknown_options": True}
)
@click.option("--dry-run", is_flag=True, help="Check the places and print the command.")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def up(ctx: click.Context, dry_run: bool, rest: tuple[str, ...]) -> None:
    """Check that no place is the primary's, make the tables, and become the worker.

    It runs Reflector's code with `pipeline.reflector_python`, in the places that [secondary] names.
    Further arguments go to Celery. Legacy then runs twice for a share of recordings:
    `shadow.secondary_rate`.

    \b
    Examples:
      migrate secondary up --dry-run
      migrate secondary up --concurrency 1
    """
    from reflector_migrate.plugin import FOLDER
    from reflector_migrate.shadow.secondary import (
        command,
        environment,
        make_schema,
        require_own_places,
    )

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    if settings.is_sandbox:
        raise RefusedError("a sandbox starts its own second worker", hint="migrate compare --help")
    argv = [*command(settings), *rest]
    require_own_places(settings)
    if dry_run:
        click.echo("every place is the secondary's own")
        click.echo(shlex.join(argv))
        return
    made = make_schema(settings)
    click.echo(f"tables {'copied from the primary' if made else 'are there'}", err=True)
    settings.secondary.data_dir.mkdir(parents=True, exist_ok=True)
    if settings.pipeline.reflector_dir is not None:
        os.chdir(settings.pipeline.reflector_dir)
    os.execve(argv[0], argv, environment(settings, FOLDER))  # noqa: S606 - becomes it
