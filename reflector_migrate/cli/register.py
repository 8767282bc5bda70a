"""`migrate register`: definitions on the Conductor server, and on request the store's tables."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import harness_of, log_to_stderr


@click.command()
@click.option("--force", is_flag=True, help="Replace task definitions that differ.")
@click.option(
    "--with-store", is_flag=True, help="Create or upgrade our databases and buckets first."
)
@click.option(
    "--with-stand-in", is_flag=True, help="Also create the tables of the legacy stand-in."
)
@click.pass_context
def register(ctx: click.Context, force: bool, with_store: bool, with_stand_in: bool) -> None:
    """Register the task definitions and the workflow. Safe to repeat.

    A workflow version that differs is refused: bump the version. A task
    definition that differs needs --force and no running workflow.

    \b
    Examples:
      migrate register
      migrate register --with-store
    """
    from reflector_migrate.conductor.register import register_all
    from reflector_migrate.settings import without_user
    from reflector_migrate.shadow.provision import provision, provision_stand_in

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    if with_store:
        provision(harness)
    if with_stand_in:
        provision_stand_in(harness)
    register_all(harness, force=force)
    click.echo(
        f"definitions are registered on {without_user(harness.settings.conductor.server_url)}"
    )
