"""`migrate export`: stored comparisons as a table, for a spreadsheet or a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import harness_of, log_to_stderr, say
from reflector_migrate.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

    from reflector_migrate.harness import Harness
    from reflector_migrate.model import Comparison, Gist
    from reflector_migrate.store.nights import Nights

TABLES = ("recordings", "checks", "steps")
AT_ONCE = 500


@click.command()
@click.argument("form", metavar="csv|jsonl|parquet", type=click.Choice(("csv", "jsonl", "parquet")))
@click.option(
    "--table",
    default=TABLES[0],
    show_default=True,
    type=click.Choice(TABLES),
    help="A row for each recording, for each check, or for each attempt of a step.",
)
@click.option("--night", default=None, help="YYYY-MM-DD in UTC (default: all nights).")
@click.option("-o", "path", type=click.Path(path_type=Path), help="Where to write.")
@click.pass_context
def export(ctx: click.Context, form: str, table: str, night: str | None, path: Path | None) -> None:
    """Export stored comparisons as a table of counts and times.

    No word that was said or written is exported. Columns and their types are documented in
    reflector_migrate/frames.py. parquet needs pyarrow: install reflector-migrate[parquet].

    \b
    Examples:
      migrate export csv --night 2026-11-23
      migrate export parquet --table steps -o steps.parquet
    """
    if form == "parquet" and path is None:
        raise click.UsageError("parquet is a binary format: pass -o PATH")
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    written = _written(_frame(harness, table, night), form)
    if path is None:
        click.echo(written, nl=False)
        return
    from reflector_migrate.store.atomic_write import write_aside

    write_aside(path, written)
    say(f"written {path}")


def _frame(harness: Harness, table: str, night: str | None) -> pd.DataFrame:
    from reflector_migrate.frames import checks_frame, night_frame, steps_frame
    from reflector_migrate.shadow.nightly.night import day_of

    nights = harness.nights
    if night is not None:
        day_of(night)
    gists = nights.all() if night is None else nights.of(night)
    if table == "recordings":
        return night_frame(gists)
    found = _documents(nights, gists)
    return checks_frame(found) if table == "checks" else steps_frame(found, harness.settings.prices)


def _documents(nights: Nights, gists: tuple[Gist, ...]) -> Iterator[Comparison]:
    """The comparisons behind the gists, so many in memory at once."""
    for start in range(0, len(gists), AT_ONCE):
        yield from nights.documents([gist.run_id for gist in gists[start : start + AT_ONCE]])


def _written(frame: pd.DataFrame, form: str) -> str | bytes:
    if form == "csv":
        return str(frame.to_csv(index=False))
    if form == "jsonl":
        return str(frame.to_json(orient="records", lines=True, date_format="iso"))
    try:
        return bytes(frame.to_parquet(index=False))
    except ImportError:
        raise ConfigurationError(
            "parquet needs pyarrow, which is not installed",
            hint="pip install 'reflector-migrate[parquet]', or export csv or jsonl",
        ) from None
