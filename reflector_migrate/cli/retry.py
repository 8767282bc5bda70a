"""`migrate retry` and `migrate rerun`: go on from where a workflow stopped."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import harness_of, log_to_stderr
from reflector_migrate.cli.completing import recordings
from reflector_migrate.cli.lookup import run_of
from reflector_migrate.model import STEP_NAMES


@click.command()
@click.argument("recording", shell_complete=recordings)
@click.pass_context
def retry(ctx: click.Context, recording: str) -> None:
    """Run a failed workflow's failed step again. Completed steps are kept.

    \b
    Examples:
      migrate retry three-voices
      migrate retry 0f3c2a9e-5f0e-4b58-9a80-3f3f0a4f5a11
    """
    from reflector_migrate.shadow.messages import make_app, sender
    from reflector_migrate.shadow.recover.rerun import retry as again

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    with make_app(harness) as app:
        workflow_id = again(harness, run_of(harness, recording), sender(app))
    click.echo(f"workflow {workflow_id} continues")


@click.command()
@click.argument("recording", shell_complete=recordings)
@click.option(
    "--from", "step", type=click.Choice(STEP_NAMES), required=True, metavar="STEP",
    help="The step to start from, such as detect_topics.",
)  # fmt: skip
@click.pass_context
def rerun(ctx: click.Context, recording: str, step: str) -> None:
    """Run a workflow again from a step on; earlier results are kept.

    \b
    from                                             restarts at
    get_recording, get_participants                  a new workflow
    pad_track, mixdown_tracks, generate_waveform,
    transcribe_track                                 pad_track
    merge_transcripts, detect_topics,
    generate_title, generate_summary                 merge_transcripts
    finalize                                         finalize
    cleanup_consent, post_zulip, send_webhook        cleanup_consent

    A new workflow also starts if an earlier step needed a second attempt, if a JOIN was retried, or
    if the old workflow is more than half its timeout old. Cached answers are reused.

    \b
    Examples:
      migrate rerun three-voices --from detect_topics
      migrate rerun three-voices --from finalize
    """
    from reflector_migrate.shadow.messages import make_app, sender
    from reflector_migrate.shadow.recover.rerun import rerun as again

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    run = run_of(harness, recording)
    with make_app(harness) as app:
        workflow_id = again(harness, run, step, sender(app))
    if workflow_id == run.workflow_id:
        click.echo(f"workflow {workflow_id} runs from {step}")
    else:
        click.echo(f"new workflow {workflow_id}: the server cannot run the old one again")
