"""`migrate compare`: one recording, both engines, one verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    DURATION,
    echo_json,
    harness_of,
    log_to_stderr,
    refuse_ignored,
    stdout_console,
)
from reflector_migrate.cli.completing import recordings

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.model import Comparison, Observation


RUN = "(run)"


@click.command()
@click.argument("recording", required=False, shell_complete=recordings)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="FORMAT:PATH",
    help="Also write the comparison as html, json, jsonl, md or junit.",
)
@click.option(
    "--timeout", "timeout_s", default="10m", show_default=True, type=DURATION,
    help="In a sandbox: how long both runs may take.",
)  # fmt: skip
@click.option(
    "--wait", "wait_s", default="0s", type=DURATION,
    help="Attached: how long to wait for a run that has not ended.",
)  # fmt: skip
@click.option(
    "--primary", "--reference", "reference", type=click.Path(path_type=Path), metavar="FILE",
    help="The primary's observation/1 file.",
)  # fmt: skip
@click.option(
    "--candidate", type=click.Path(path_type=Path), metavar="FILE",
    help="The candidate's observation/1 file.",
)  # fmt: skip
@click.option(
    "--secondary",
    is_flag=False,
    flag_value=RUN,
    metavar="[FILE]",
    help="Run the legacy pipeline a second time (or read FILE) to estimate noise.",
)
@click.option(
    "--replayed",
    "is_replayed",
    is_flag=True,
    help="Sandbox: feed both sides the same recorded answers.",
)
@click.option("--waivers", type=click.Path(path_type=Path), help="With files: waivers (TOML).")
@click.option(
    "--answers", type=click.Choice(["alike", "own"]),
    help="With files: whether recogniser and model gave both runs the same answers (own: unknown).",
)  # fmt: skip
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdict.")
@click.option(
    "--fail-on", type=click.Choice(["inconclusive", "diverged", "never"]), default="inconclusive",
    show_default=True, help="Exit non-zero for this verdict or worse.",
)  # fmt: skip
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto",
    show_default=True, help="Also honours NO_COLOR and FORCE_COLOR.",
)  # fmt: skip
@click.pass_context
def compare(
    ctx: click.Context,
    recording: str | None,
    as_json: bool,
    outputs: tuple[str, ...],
    timeout_s: float,
    wait_s: float,
    reference: Path | None,
    candidate: Path | None,
    secondary: str | None,
    is_replayed: bool,
    waivers: Path | None,
    answers: str | None,
    exit_zero: bool,
    fail_on: str,
    color: str,
) -> None:
    """Compare both engines on one recording.

    In a sandbox, the command runs both engines. --secondary runs the legacy pipeline twice, to
    measure how much it differs from itself. --replayed feeds both sides the same
    recorded answers. Attached to a deployment, the command compares what is stored, and
    runs nothing there. With --primary and --candidate it compares two observation files,
    without any server.

    Failed checks come first. -v shows every check and all times.

    \b
    Examples:
      migrate compare three-voices --secondary
      migrate compare --primary a.json --candidate b.json --json
    """
    from reflector_migrate.cli.outputs import failing, places, refuse_two_answers

    # what is mistyped is said before anything runs
    refuse_two_answers(places(outputs), as_json=as_json)
    if recording is None and reference is None and secondary not in (None, RUN):
        recording, secondary = secondary, RUN  # `compare --secondary three-voices`
    _refuse_contradictions(recording, reference, candidate, secondary, waivers)
    if answers and reference is None:
        raise click.UsageError("--answers needs --primary FILE and --candidate FILE")
    if reference is not None:
        why = "nothing runs where two files are compared"
        refuse_ignored(ctx, why, "timeout_s", "wait_s", "is_replayed")
    if exit_zero:
        refuse_ignored(ctx, "--exit-zero already says when to exit 0: give one of them", "fail_on")
    if as_json:
        refuse_ignored(ctx, "JSON has no colour", "color")
    if reference is not None and candidate is not None:
        config, third = ctx.find_root().obj["config"], Path(secondary) if secondary else None
        found = _from_files(config, reference, candidate, third, waivers, answers == "alike")
    else:
        harness = harness_of(ctx)
        log_to_stderr(ctx, harness.settings)
        if not harness.settings.is_sandbox:
            refuse_ignored(ctx, "for a sandbox; in a deployment: --wait", "timeout_s")
        how = {"secondary": secondary is not None, "is_replayed": is_replayed}
        found = _run_or_look_up(harness, recording or "", timeout_s, wait_s, **how)
    code = 0 if exit_zero else failing(found.verdict, fail_on)
    _write(found, outputs, code)  # a disk that is full is an error, and no answer before it
    is_stored = reference is None
    _show(found, as_json, color, code, is_stored, is_whole=bool(ctx.find_root().obj["verbose"]))
    ctx.exit(code)


def _refuse_contradictions(
    recording: str | None,
    reference: Path | None,
    candidate: Path | None,
    secondary: str | None,
    waivers: Path | None,
) -> None:
    """UsageError for what cannot be meant together; afterwards it is two files or a recording."""
    if waivers is not None and reference is None:
        raise click.UsageError("--waivers needs --primary FILE and --candidate FILE")
    if (reference is None) != (candidate is None):
        raise click.UsageError("--primary FILE and --candidate FILE must be given together")
    if reference is not None and recording is not None:
        raise click.UsageError(f"{recording}: give a recording, or two files, not both")
    if reference is not None and secondary == RUN:
        raise click.UsageError("--secondary needs a FILE beside --primary and --candidate")
    if reference is None and recording is None:
        raise click.UsageError("name a recording, or give --primary FILE and --candidate FILE")
    if reference is None and secondary not in (None, RUN):
        raise click.UsageError("--secondary FILE needs --primary FILE and --candidate FILE")


def _from_files(
    config: Path | None,
    reference: Path,
    candidate: Path,
    secondary: Path | None,
    waivers: Path | None,
    is_repeatable: bool,
) -> Comparison:
    from reflector_migrate.cli.observations import read_observation
    from reflector_migrate.entrance import loaded_settings
    from reflector_migrate.judge.compare import compare as judge
    from reflector_migrate.pricing import priced
    from reflector_migrate.shadow.waiver_files import waivers_in_force
    from reflector_migrate.store.clock import now

    third = None if secondary is None else read_observation(secondary)
    first, second = read_observation(reference), read_observation(candidate)
    _refuse_mismatch(first, second, third)
    judged = judge(
        first, second, secondary=third,
        waivers=waivers_in_force(waivers), today=now().date(),
        is_repeatable=is_repeatable,
    )  # fmt: skip
    return priced(judged, loaded_settings(config).prices)


def _refuse_mismatch(
    reference: Observation, candidate: Observation, secondary: Observation | None
) -> None:
    """UsageError unless the files are two runs of one recording, each in its own place."""
    for option, other in (("--candidate", candidate), ("--secondary", secondary)):
        if other is not None and other.recording != reference.recording:
            raise click.UsageError(
                f"{option} is of recording {other.recording!r}, --primary of"
                f" {reference.recording!r}: give two runs of one recording"
            )
        if other is not None and _is_same_run(other, reference):
            raise click.UsageError(
                f"{option} is the run of --primary ({other.run_id}): that compares it with itself"
            )
    if secondary is not None and _is_same_run(secondary, candidate):
        raise click.UsageError("--secondary is the run of --candidate: give a second legacy run")
    if reference.role == "candidate":
        raise click.UsageError("--primary is a candidate's run: give the primary's, or swap them")
    if secondary is not None and secondary.role == "candidate":
        raise click.UsageError("--secondary is a candidate's run: give a second legacy run")


def _is_same_run(one: Observation, other: Observation) -> bool:
    return bool(one.run_id) and (one.run_id, one.role) == (other.run_id, other.role)


def _run_or_look_up(
    harness: Harness, recording: str, timeout_s: float, wait_s: float, **how: bool
) -> Comparison:
    if harness.settings.is_sandbox:
        if wait_s:
            raise click.UsageError("--wait is for a deployment; in a sandbox: --timeout")
        from reflector_migrate.cli.follow import follow
        from reflector_migrate.experiments.compare import compare_in_sandbox

        with follow(harness) as progress:
            return compare_in_sandbox(
                harness, recording, timeout_s=timeout_s, progress=progress, **how
            )
    from reflector_migrate.shadow.observe.lookup import stored_comparison

    if any(how.values()):
        raise click.UsageError(
            "--secondary and --replayed need a sandbox: nothing is run in a deployment"
        )
    return stored_comparison(harness, recording, wait_s=wait_s)


def _show(
    comparison: Comparison,
    as_json: bool,
    color: str,
    code: int,
    is_stored: bool,
    *,
    is_whole: bool,
) -> None:
    from reflector_migrate.cli.outputs import answer_of

    if as_json:
        echo_json(answer_of(comparison, code))
        return
    from reports.terminal import render

    render(comparison, stdout_console(color), has_next=is_stored, is_whole=is_whole)


def _write(comparison: Comparison, outputs: tuple[str, ...], code: int) -> None:
    from reflector_migrate.cli.outputs import write_outputs

    write_outputs([comparison], outputs, code)
