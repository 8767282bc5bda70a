"""`migrate retry` and `migrate rerun`: go on from where a workflow stopped."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import log_to_stderr, settings_of
from reflector_migrate.cli.lookup import run_of
from reflector_migrate.model import STEP_NAMES


@click.command()
@click.argument("recording")
@click.pass_context
def retry(ctx: click.Context, recording: str) -> None:
    """Run a failed workflow's failed step again, and nothing that has completed.

    \b
    Examples:
      migrate retry three-voices
      migrate retry 0f3c2a9e-5f0e-4b58-9a80-3f3f0a4f5a11
    """
    from reflector_migrate.shadow.messages import make_app, sender
    from reflector_migrate.shadow.recover.rerun import retry as again

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    with make_app(settings) as app:
        workflow_id = again(settings, run_of(settings, recording), sender(app))
    click.echo(f"workflow {workflow_id} goes on")


@click.command()
@click.argument("recording")
@click.option(
    "--from", "step", type=click.Choice(STEP_NAMES), required=True, metavar="STEP",
    help="One of the fifteen steps, such as detect_topics.",
)  # fmt: skip
@click.pass_context
def rerun(ctx: click.Context, recording: str, step: str) -> None:
    """Run a workflow again from a step on; earlier results are kept.

    Where the server cannot, after hours or after some retries, another workflow begins with
    the first step. Answers that are stored are not asked for again either way.

    Padded tracks are deleted once heard: mixdown, waveform and recognition begin at the
    padding; topics, title and summary at the merged words; messages at the consent.

    \b
    Examples:
      migrate rerun three-voices --from detect_topics
      migrate rerun three-voices --from finalize
    """
    from reflector_migrate.shadow.messages import make_app, sender
    from reflector_migrate.shadow.recover.rerun import rerun as again

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    run = run_of(settings, recording)
    with make_app(settings) as app:
        workflow_id = again(settings, run, step, sender(app))
    if workflow_id == run.workflow_id:
        click.echo(f"workflow {workflow_id} runs from {step}")
    else:
        click.echo(f"workflow {workflow_id} begins anew: the server cannot run the old one again")
