"""`migrate demo`: everything on this machine, in one command, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import log_to_stderr, say, stdout_console

if TYPE_CHECKING:
    from reflector_migrate.model import Comparison

PAGE, LINES = Path("out/demo.html"), Path("out/demo.jsonl")
FOLDER = Path(".sandbox/demo")  # a fixed place, so that the next demo cleans after a kill


@click.command()
@click.option("--conductor", "version", default=None, help="3.32.3 (default) or 3.15.0.")
@click.option("--keep-logs", is_flag=True, help="Keep the sandbox's folder with its logs.")
@click.pass_context
def demo(ctx: click.Context, version: str | None, keep_logs: bool) -> None:
    """Run two recordings through both engines and show the verdicts.

    The first must match. For the second a known bug is injected into the candidate:
    it must diverge, at the right step. Takes one to two minutes on a quiet machine, up to ten
    on a very busy one. It always cleans up, even after a failure or Ctrl-C.

    Writes out/demo.html, and both comparisons to out/demo.jsonl.

    \b
    Examples:
      migrate demo
      migrate demo --conductor 3.15.0
    """
    from reflector_migrate.entrance import loaded_settings
    from reflector_migrate.experiments.demo import BLAMED, SOUND, run_demo
    from reflector_migrate.sandbox.stack import Sandbox

    settings = loaded_settings(ctx.find_root().obj["config"])
    log_to_stderr(ctx, settings)
    folder = FOLDER.resolve()
    try:
        with Sandbox(settings, folder, shadow=True, conductor_version=version, say=say) as sandbox:
            from reflector_migrate.cli.follow import follow

            with follow(sandbox.harness) as progress:
                result = run_demo(sandbox, progress, _show)
    finally:
        if not keep_logs:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
    _write_page([result.sound, result.flawed])
    if result.is_as_promised:
        click.echo(f"passed: {SOUND} matched, and the injected bug was traced to {BLAMED}")
        click.echo("next   migrate sandbox up && migrate compare three-voices")
    if not result.is_as_promised:
        say("error: the demo failed: a verdict above is not the expected one")
        ctx.exit(1)


def _show(heading: str, comparison: Comparison) -> None:
    from reports.terminal import render

    console = stdout_console()
    console.rule(heading, characters="─", align="left")
    render(comparison, console, has_next=False)  # its store goes with the sandbox
    console.print()


def _write_page(comparisons: list[Comparison]) -> None:
    from reflector_migrate.cli.outputs import page_of
    from reflector_migrate.store.atomic_write import write_aside

    write_aside(PAGE, page_of(comparisons))
    write_aside(LINES, "".join(c.model_dump_json(by_alias=True) + "\n" for c in comparisons))
    click.echo(f"page   {PAGE.resolve()}")
