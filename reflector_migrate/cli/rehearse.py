"""`migrate rehearse`: the whole migration in a sandbox, from the first check to the cleanup."""

from __future__ import annotations

from pathlib import Path

import click

from reflector_migrate.cli.common import log_to_stderr, say

FOLDER = Path(".sandbox/rehearsal")


@click.command()
@click.option("--conductor", "version", default=None, help="3.32.3 (default) or 3.15.0.")
@click.option("--keep", is_flag=True, help="Keep the sandbox's folder with its logs.")
@click.pass_context
def rehearse(ctx: click.Context, version: str | None, keep: bool) -> None:
    """Rehearse the whole migration in a sandbox; exit 1 if a part did not end as expected.

    It compares recordings, evaluates the gates, and checks that a bad build is held back. Then it
    goes through the canary, the cutover, an outage of Conductor, the rollback, another cutover
    and the cleanup's plan. The log says what is simulated.

    \b
    Examples:
      migrate rehearse
      migrate rehearse --conductor 3.15.0 --keep
    """
    import shutil

    from reflector_migrate.entrance import loaded_settings
    from reflector_migrate.experiments.rehearse import rehearse as run

    settings = loaded_settings(ctx.find_root().obj["config"])
    log_to_stderr(ctx, settings)
    folder = FOLDER.resolve()
    try:
        done = run(settings, folder, say, version)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    for line in done.log:
        click.echo(line)
    for what in done.wrong:
        click.echo(f"✗ {what}")
    is_right = not done.wrong
    click.echo(f"rehearsal {'passed' if is_right else 'failed: see the lines with ✗'}")
    ctx.exit(0 if is_right else 1)
