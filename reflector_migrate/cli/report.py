"""`migrate report`: the nightly page, from what is stored or from a file of comparisons."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import log_to_stderr, say, settings_of

if TYPE_CHECKING:
    from reflector_migrate.model import Comparison
    from reflector_migrate.settings import Settings


@click.command()
@click.option("--night", default=None, help="YYYY-MM-DD in UTC (default: today).")
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="FORMAT:PATH",
    help="Where to write it, such as html:night.html.",
)
@click.option("--comparisons", type=click.Path(path_type=Path), help="JSON lines, no store needed.")
@click.option("--unredacted", is_flag=True, help="Include transcript words and summaries.")
@click.option("--notify", is_flag=True, help="Call people where due, as the nightly job does.")
@click.pass_context
def report(
    ctx: click.Context,
    night: str | None,
    outputs: tuple[str, ...],
    comparisons: Path | None,
    unredacted: bool,
    notify: bool,
) -> None:
    """Write the nightly divergence page: one file that opens offline.

    \b
    Examples:
      migrate report
      migrate report --comparisons all.jsonl -o html:page.html
    """
    from reflector_migrate.cli.outputs import places, write_outputs

    wanted = places(outputs)
    if comparisons is not None:
        if not outputs:
            raise click.UsageError("missing output: pass -o html:PATH")
        write_outputs(_read(comparisons), outputs, 0, is_redacted=not unredacted)
        return
    from reflector_migrate.shadow.nightly.night import day_of

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    night = night or datetime.now(UTC).date().isoformat()
    day_of(night)
    if unredacted:
        _refuse_served(settings, wanted)
    _from_store(settings, night, wanted, is_redacted=not unredacted, notifies=notify)


def _refuse_served(settings: Settings, wanted: list[tuple[str, Path]]) -> None:
    """Words go only where `migrate serve` does not hand them out."""
    if not wanted:
        raise click.UsageError("--unredacted needs an output of its own: pass -o html:PATH")
    served = (settings.state_dir / "reports").resolve()
    for _form, path in wanted:
        if path.resolve().is_relative_to(served):
            said = f"--unredacted: {path} lies in the folder that `migrate serve` hands out"
            raise click.UsageError(said)


def _from_store(
    settings: Settings,
    night: str,
    wanted: list[tuple[str, Path]],
    *,
    is_redacted: bool,
    notifies: bool,
) -> None:
    """Write the night's page, and what else was asked for; its headline goes to stderr."""
    from reflector_migrate.cli.outputs import write_outputs
    from reflector_migrate.shadow.nightly.news import news_of
    from reflector_migrate.shadow.nightly.night import gather, write_page
    from reflector_migrate.shadow.notices import send
    from reports.redact import redact
    from reports.sentences import headline

    pages = [path for form, path in wanted if form == "html"]
    found = gather(settings, night, is_redacted=is_redacted, is_whole=len(pages) < len(wanted))
    for path in pages if wanted else [None]:
        click.echo(write_page(settings, found, path, mode=0o666 if is_redacted else 0o600))
    others = tuple(f"{form}:{path}" for form, path in wanted if form != "html")
    write_outputs(list(redact(found).comparisons), others, 0)
    _state, glyph, words = headline(found)
    compared = f"{found.coverage.compared} of {found.coverage.wanted} eligible recordings compared"
    unread = found.coverage.unread
    say(f"{glyph} {words}  {compared}" + (f"; rows unread: {unread}" if unread else ""))
    for fault in send(settings, news_of(found)) if notifies else ():
        say(f"not notified: {fault}")


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
            field = ".".join(str(part) for part in first["loc"]) or "document"
            said = f"{path}:{number}: {field}: {first['msg']}"
            raise InputError(said, hint="migrate schema comparison prints a line's") from None
    return found
