"""`migrate compare`: one recording, both engines, one verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    DURATION,
    echo_json,
    log_to_stderr,
    settings_of,
    stdout_console,
)

if TYPE_CHECKING:
    from reflector_migrate.model import Comparison, Observation
    from reflector_migrate.settings import Settings


RUN = "(run)"


@click.command()
@click.argument("recording", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="FORMAT:PATH",
    help="Also write it: html, json, jsonl, md or junit.",
)
@click.option(
    "--timeout", "timeout_s", default="10m", show_default=True, type=DURATION,
    help="In a sandbox: how long both runs may take.",
)  # fmt: skip
@click.option(
    "--wait", "wait_s", default="0s", type=DURATION,
    help="Attached: wait that long for a run that has not ended.",
)  # fmt: skip
@click.option("--reference", type=click.Path(path_type=Path), help="observation/1 file.")
@click.option("--candidate", type=click.Path(path_type=Path), help="observation/1 file.")
@click.option(
    "--secondary",
    is_flag=False,
    flag_value=RUN,
    metavar="[FILE]",
    help="Legacy once more, for the noise floor: run it, or read an observation/1 file.",
)
@click.option(
    "--replayed",
    "is_replayed",
    is_flag=True,
    help="Sandbox: answer both sides from a recording of one run.",
)
@click.option("--waivers", type=click.Path(path_type=Path), help="Waivers for files: TOML.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdict.")
@click.option(
    "--fail-on", type=click.Choice(["inconclusive", "diverged", "never"]), default="inconclusive",
    show_default=True, help="The mildest verdict that is not exit 0.",
)  # fmt: skip
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto",
    show_default=True, help="NO_COLOR and FORCE_COLOR count too.",
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
    exit_zero: bool,
    fail_on: str,
    color: str,
) -> None:
    """Compare both engines on one recording.

    In a sandbox it runs both; with --secondary legacy twice, so that its own noise
    is known; with --replayed on answers recorded from one run, so that there is
    none. Attached to a deployment it compares what is stored and never runs
    anything there; with --wait it waits for what is still running. With --reference
    and --candidate it compares two observation files and needs no server.

    \b
    Examples:
      migrate compare three-voices --secondary
      migrate compare --reference a.json --candidate b.json --json
    """
    from reflector_migrate.cli.outputs import places

    places(outputs)  # a mistyped one is said before anything runs
    if recording is None and reference is None and secondary not in (None, RUN):
        recording, secondary = secondary, RUN  # `compare --secondary three-voices`
    _refuse_contradictions(recording, reference, candidate, secondary, waivers)
    if reference is not None and candidate is not None:
        config, third = ctx.find_root().obj["config"], Path(secondary) if secondary else None
        found = _from_files(config, reference, candidate, third, waivers)
    else:
        settings = settings_of(ctx)
        log_to_stderr(ctx, settings)
        how = {"secondary": secondary is not None, "is_replayed": is_replayed}
        found = _run_or_look_up(settings, recording or "", timeout_s, wait_s, **how)
    code = 0 if exit_zero else _exit_code(found, fail_on)
    _show(found, as_json, color, code)
    _write(found, outputs, code)
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
        raise click.UsageError("--waivers is for --reference and --candidate")
    if (reference is None) != (candidate is None):
        raise click.UsageError("--reference and --candidate belong together")
    if reference is not None and secondary == RUN:
        raise click.UsageError("--secondary needs a file beside --reference and --candidate")
    if reference is None and recording is None:
        raise click.UsageError("name a recording, or give --reference and --candidate")
    if reference is None and secondary not in (None, RUN):
        raise click.UsageError("--secondary FILE belongs to --reference and --candidate")


def _from_files(
    config: Path | None,
    reference: Path,
    candidate: Path,
    secondary: Path | None,
    waivers: Path | None,
) -> Comparison:
    from reflector_migrate.cli.observations import read_observation
    from reflector_migrate.judge.compare import compare as judge
    from reflector_migrate.pricing import priced
    from reflector_migrate.settings import load_settings
    from reflector_migrate.shadow.waiver_files import waivers_in_force
    from reflector_migrate.store.clock import now

    third = None if secondary is None else read_observation(secondary)
    first, second = read_observation(reference), read_observation(candidate)
    _refuse_mismatch(first, second, third)
    judged = judge(
        first, second, secondary=third,
        waivers=waivers_in_force(waivers), today=now().date(),
    )  # fmt: skip
    return priced(judged, load_settings(config).prices)


def _refuse_mismatch(
    reference: Observation, candidate: Observation, secondary: Observation | None
) -> None:
    """UsageError for files that are no two runs of one recording, or in each other's place."""
    for option, other in (("--candidate", candidate), ("--secondary", secondary)):
        if other is not None and other.recording != reference.recording:
            raise click.UsageError(
                f"{option} is of recording {other.recording!r}, --reference of"
                f" {reference.recording!r}: give two runs of one recording"
            )
        is_same = other is not None and (other.run_id, other.role) == (
            reference.run_id,
            reference.role,
        )
        if other is not None and other.run_id and is_same:
            raise click.UsageError(
                f"{option} is the run of --reference ({other.run_id}): that compares it with itself"
            )
    if reference.role == "candidate" and candidate.role == "primary":
        raise click.UsageError("--reference is the candidate's run, --candidate the primary's")


def _run_or_look_up(
    settings: Settings, recording: str, timeout_s: float, wait_s: float, **how: bool
) -> Comparison:
    if settings.is_sandbox:
        from reflector_migrate.cli.follow import follow
        from reflector_migrate.experiments.compare import compare_in_sandbox

        with follow(settings) as progress:
            return compare_in_sandbox(
                settings, recording, timeout_s=timeout_s, progress=progress, **how
            )
    from reflector_migrate.shadow.observe.lookup import stored_comparison

    if any(how.values()):
        raise click.UsageError("--secondary and --replayed run an engine: only a sandbox does that")
    return stored_comparison(settings, recording, wait_s=wait_s)


def _exit_code(comparison: Comparison, fail_on: str) -> int:
    from reflector_migrate.cli.outputs import exit_code_of

    code = exit_code_of(comparison.verdict)
    if fail_on == "never" or (fail_on == "diverged" and code != 1):
        return 0 if code != 4 else 4
    return code


def _show(comparison: Comparison, as_json: bool, color: str, code: int) -> None:
    from reflector_migrate.cli.outputs import answer_of

    if as_json:
        echo_json(answer_of(comparison, code))
        return
    from reports.terminal import render

    render(comparison, stdout_console(color))


def _write(comparison: Comparison, outputs: tuple[str, ...], code: int) -> None:
    from reflector_migrate.cli.outputs import write_outputs

    write_outputs([comparison], outputs, code)
