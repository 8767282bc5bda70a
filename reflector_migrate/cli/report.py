"""`migrate report`: the nightly page, from what is stored or from a file of comparisons."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import log_to_stderr, settings_of

if TYPE_CHECKING:
    from reflector_migrate.model import Comparison


@click.command()
@click.option("--night", default=None, help="YYYY-MM-DD in UTC (default: today).")
@click.option("-o", "outputs", multiple=True, metavar="FORMAT:PATH", help="Where to write it.")
@click.option("--comparisons", type=click.Path(path_type=Path), help="JSON lines, no store needed.")
@click.option("--unredacted", is_flag=True, help="Include transcript words and summaries.")
@click.pass_context
def report(
    ctx: click.Context,
    night: str | None,
    outputs: tuple[str, ...],
    comparisons: Path | None,
    unredacted: bool,
) -> None:
    """Write the nightly divergence page: one file that opens offline.

    \b
    Examples:
      migrate report
      migrate report --comparisons all.jsonl -o html:page.html
    """
    if comparisons is not None:
        from reflector_migrate.cli.outputs import write_outputs

        write_outputs(_read(comparisons), outputs, 0, is_redacted=not unredacted)
        return
    from reflector_migrate.shadow.nightly import day_of, write_report

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    chosen = night or datetime.now(UTC).date().isoformat()
    day_of(chosen)
    paths: list[Path | None] = [Path(o.partition(":")[2]) for o in outputs if o.startswith("html:")]
    for path in paths or [None]:
        click.echo(write_report(settings, chosen, path, is_redacted=not unredacted))


def _read(path: Path) -> list[Comparison]:
    from pydantic import ValidationError

    from reflector_migrate.errors import InputError
    from reflector_migrate.model import Comparison

    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Comparison.model_validate_json(line))
        except ValidationError as invalid:
            first = invalid.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{path}:{number}: {field}: {first['msg']}") from None
    return found
