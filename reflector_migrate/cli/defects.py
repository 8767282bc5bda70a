"""`migrate defects`: what the harness must be able to find, and the proof that it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    WHO_OR_USER,
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    say,
    stdout_console,
)
from reflector_migrate.cli.completing import defects as known_defects
from reflector_migrate.cli.false_alarms import false_alarms

if TYPE_CHECKING:
    from reflector_migrate.experiments.defect_proofs import DefectProof, DefectsRun
    from reflector_migrate.harness import Harness
    from reflector_migrate.pipeline.defects.registry import Defect
    from reflector_migrate.settings import Settings

FOLDER = Path(".sandbox/defects")  # a fixed place, so that the next run cleans after a kill


@click.group()
def defects() -> None:
    """Inject known bugs into the candidate, and check that each is found.

    \b
    Examples:
      migrate defects list
      migrate defects run tracks_swapped
    """


defects.add_command(false_alarms)


@defects.command("list", short_help="List every seeded defect.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(as_json: bool) -> None:
    """List every seeded defect: what is wrong, which check must catch it, at which step.

    \b
    Examples:
      migrate defects list
      migrate defects list --json
    """
    from dataclasses import asdict

    from reflector_migrate.pipeline.defects.registry import all_defects

    known = all_defects()
    if as_json:
        echo_json(envelope("defects-list", defects=[asdict(defect) for defect in known]))
        return
    for defect in known:
        click.echo(f"{defect.name:<31} {defect.expected_step:<18} {defect.layer:<26} {defect.says}")


@defects.command(short_help="Run defects through the real workers.")
@click.argument("names", nargs=-1, shell_complete=known_defects)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.option("-o", "outputs", multiple=True, metavar="FORMAT:PATH", help="Also write json or md.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=3, show_default=True, help="Recordings at a time."
)
@click.option("--timeout", "timeout_s", default=300.0, show_default=True, help="Seconds for each.")
@WHO_OR_USER
@click.pass_context
def run(
    ctx: click.Context,
    names: tuple[str, ...],
    as_json: bool,
    outputs: tuple[str, ...],
    jobs: int,
    timeout_s: float,
    who: str | None,
) -> None:
    """Run defects (all, or those named) through the real workers; exit 1 unless each is found.

    Uses the sandbox that runs here, or starts a temporary one. Exit 0: all are found, by the
    expected check, at the expected step; 4: some could not be run. The result goes to the audit
    log, where the checklist reads it, and to a file whose digest the log has. All take about 15
    minutes.

    \b
    Examples:
      migrate defects run
      migrate defects run tracks_swapped zulip_posted_twice --json
    """
    from reflector_migrate.pipeline.defects.registry import all_defects, describe
    from reflector_migrate.shadow.decisions import this_user

    _refuse_unknown(outputs)
    asked = tuple(describe(name) for name in dict.fromkeys(names)) or all_defects()
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    keep = partial(_record, harness, who=who or this_user())
    result = _run(harness.settings, asked, jobs, timeout_s, keep)
    keep(result)
    _write(result, outputs)
    if as_json:
        echo_json(result.model_dump(mode="json", by_alias=True))
    else:
        _show(result)
    ctx.exit(result.exit_code)


def _refuse_unknown(outputs: tuple[str, ...]) -> None:
    for output in outputs:
        form, _, where = output.partition(":")
        if form not in ("json", "md") or not where:
            raise click.UsageError(f"-o {output}: not json:PATH or md:PATH")


def _run(
    settings: Settings,
    asked: tuple[Defect, ...],
    jobs: int,
    timeout_s: float,
    keep: Callable[[DefectsRun], None],
) -> DefectsRun:
    """In the sandbox that runs; else in a temporary one. An interrupt keeps what is proven."""
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.experiments.defect_proofs import run_of
    from reflector_migrate.experiments.run_defects import Proving
    from reflector_migrate.sandbox.borrowed import own_or_running
    from reflector_migrate.store.clock import now

    found: list[DefectProof] = []

    def shown(proof: DefectProof) -> None:
        found.append(proof)
        _say_one(proof)

    with own_or_running(settings, FOLDER.resolve(), say=say) as sandbox:
        _refuse_noise(sandbox.settings)
        at, begun = now(), time.monotonic()

        def so_far() -> DefectsRun:
            return run_of(
                found,
                started_at=at.isoformat(timespec="seconds"),
                duration_s=time.monotonic() - begun,
                build=build_hash(),
                conductor=sandbox.settings.conductor.version,
                jobs=jobs,
            )

        try:
            found = Proving(sandbox, jobs, timeout_s, say).prove(asked, shown)
        except BaseException:
            if found:
                keep(so_far())
            raise
        return so_far()


def _refuse_noise(settings: Settings) -> None:
    """RefusedError while noise is on: a recording that differs by chance proves no defect."""
    from reflector_migrate.errors import RefusedError
    from reflector_migrate.experiments.noise import noises_in

    noisy = [name for name, said in noises_in(settings).items() if said != "off"]
    if noisy:
        raise RefusedError(
            f"noise is on in the sandbox ({', '.join(noisy)}): recordings would differ by chance",
            hint="migrate sandbox noise off",
        )


def _record(harness: Harness, result: DefectsRun, who: str) -> None:
    """Keep the run's document, and add the run with its digest to the audit log; or say why not."""
    from reflector_migrate.errors import MigrateError
    from reflector_migrate.shadow.nightly.proofs import keep_evidence, record_defects_run

    found = {
        proof.defect: "" if proof.is_proven else proof.why or "not caught"
        for proof in result.defects
    }
    text = result.model_dump_json(by_alias=True, indent=1) + "\n"
    kept = keep_evidence(harness.settings, f"defects-{result.build}", "json", text)
    try:
        digest = record_defects_run(
            harness, build=result.build, conductor=result.conductor, found=found,
            who=who, evidence=kept.digest,
        )  # fmt: skip
    except MigrateError as error:
        say(f"not recorded in the audit log: {error.message}")
    else:
        say(f"recorded in the audit log: {digest[:12]}   evidence {kept.path}")


def _say_one(proof: DefectProof) -> None:
    say(f"  {'✓' if proof.is_proven else '✗'} {proof.defect}  {proof.why}".rstrip())


def _show(result: DefectsRun) -> None:
    from reports.defects import as_text

    stdout_console().print(as_text(result.model_dump(mode="json")))


def _write(result: DefectsRun, outputs: tuple[str, ...]) -> None:
    from reflector_migrate.store.atomic_write import write_aside
    from reports.defects import as_markdown

    for output in outputs:
        form, _, where = output.partition(":")
        body = result.model_dump(mode="json", by_alias=True)
        is_json = form == "json"
        text = result.model_dump_json(by_alias=True, indent=1) if is_json else as_markdown(body)
        write_aside(Path(where), text if text.endswith("\n") else text + "\n")
        say(f"written {where}")
