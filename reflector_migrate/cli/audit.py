"""`migrate audit`: check the log of decisions, and export it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from reflector_migrate.cli.common import echo_json, envelope, harness_of, say


@click.group()
def audit() -> None:
    """Check the log of signatures, switches and drills, and export it.

    \b
    Examples:
      migrate audit verify
      migrate audit export -o audit.jsonl
    """


@audit.command(short_help="Find entries that were changed or removed.")
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="NUMBER:DIGEST",
    help="A head that you kept; the first 16 digits are enough.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.pass_context
def verify(ctx: click.Context, heads: tuple[str, ...], as_json: bool) -> None:
    """Exit 1 if an entry was edited, removed, moved or cut off; name the first such entry.

    Each nightly report exports the log's head: in its page, and to a file beside the pages. The
    log must still hold all these heads, and each --head that you give. If it does not, its end
    was cut off. Exit 3 if exported heads are gone, unless you give a --head in their place. A head
    stands in each notice about a night, in the step's summary and in `migrate nightly`.

    \b
    Examples:
      migrate audit verify
      migrate audit verify --head 42:9f86d081884c7d65
    """
    from reflector_migrate.cutover.trail import exported_heads
    from reflector_migrate.store.audit import Head

    harness = harness_of(ctx)
    log = harness.audit
    exported = exported_heads(harness)
    known = [*exported.heads, *map(Head.parse, heads)]
    fault, head, missing = log.fault(known), log.head(), "" if heads else exported.why
    code = 1 if fault else 3 if missing else 0
    if as_json:
        body = {"fault": fault, "missing": missing, "head": str(head), "heads_checked": len(known)}
        echo_json(envelope("audit", code, **body))
    elif fault:
        click.echo(f"✗ broken  {fault}")
    elif missing:
        click.echo(f"? not all checked  {missing}; name one that you noted: --head")
    else:
        none = "" if known else ": an end cut off before the first would not be found"
        click.echo(f"✓ intact  {head.seq} entries, {len(known)} exported heads{none}   head {head}")
    ctx.exit(code)


@audit.command(short_help="Print every entry as a line of JSON.")
@click.option("-o", "output", type=click.Path(path_type=Path), help="A file instead of stdout.")
@click.pass_context
def export(ctx: click.Context, output: Path | None) -> None:
    """Print every entry as a line of JSON, oldest first.

    \b
    Examples:
      migrate audit export
      migrate audit export -o audit.jsonl
    """
    from reflector_migrate.store.atomic_write import write_aside

    entries = [
        json.dumps({**entry, "at": entry["at"].isoformat()}, ensure_ascii=False)
        for entry in harness_of(ctx).audit.all()
    ]
    if output is None:
        for line in entries:
            click.echo(line)
        return
    write_aside(output, "".join(f"{line}\n" for line in entries))
    say(f"written {output}")
