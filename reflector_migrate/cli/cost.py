"""`migrate cost`: what each step of a recording used and cost, on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from reflector_migrate.cli.common import echo_json, envelope, harness_of, headline, log_to_stderr
from reflector_migrate.cli.completing import recordings
from reflector_migrate.cli.lookup import comparison_of
from reports.text import printable

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.model import Comparison, Side, StepRun
    from reflector_migrate.settings import Price

Row = dict[str, Any]


class Column(NamedTuple):
    """A heading, its width, and how a row is shown below it."""

    title: str
    width: int
    shown: Callable[[Row], str]


@click.command()
@click.argument("recording", shell_complete=recordings)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def cost(ctx: click.Context, recording: str, as_json: bool) -> None:
    """Show a recording's usage and cost, by step and side.

    P is the primary, C the candidate. LLM: calls of the language model; S3: requests; calls:
    all requests to outside services; retries: requests and steps made again. --json has the
    tokens of each call.

    Prices come from [[prices]] in migrate.toml, the entry in force on the day of the run. What
    has no price, or was not counted, is unknown, never zero. ">=" marks a lower bound: an
    attempt was killed before it reported its usage. A sandbox without prices uses samples.

    \b
    Examples:
      migrate cost three-voices
      migrate cost three-voices --json
    """
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    found = comparison_of(harness, recording)
    both = found.primary, _with_kept(harness, found)
    are_samples = harness.settings.is_sandbox and not harness.settings.prices
    prices = _samples() if are_samples else harness.settings.prices
    sides = {side.role.value: _rows(prices, side) for side in both}
    if as_json:
        echo_json(envelope("cost", are_sample_prices=are_samples, sides=sides))
        return
    click.echo(headline(harness.settings, printable(found.recording)))
    for line in _table(sides):
        click.echo(line)
    if are_samples:
        click.echo(
            "sample prices of the sandbox, not a tariff: [[prices]] of migrate.toml sets yours"
        )


def _samples() -> tuple[Price, ...]:
    """Round prices for a sandbox that has none; they are those of docs/costs.md."""
    from reflector_migrate.settings import Price

    sample = Price(
        since="2000-01-01", gpu_second=306, llm_tokens_in_million=70_000,
        llm_tokens_out_million=140_000, s3_gib=90_000, s3_requests_million=400_000,
    )  # fmt: skip
    return (sample,)


def _table(sides: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """One table: each step's line of the primary above that of the candidate."""
    heads = "".join(f" {c.title:>{c.width}}" for c in COLUMNS)
    yield f"  {'step':<29}{heads} difference"
    by_step = {role: {row["step"]: row for row in rows} for role, rows in sides.items()}
    for step in dict.fromkeys(row["step"] for rows in sides.values() for row in rows):
        name = step
        for role, known in by_step.items():
            if step in known:
                cells = "".join(f" {c.shown(known[step]):>{c.width}}" for c in COLUMNS)
                change = _change(by_step["primary"].get(step), known[step], role)
                yield f"  {name:<27} {role[0].upper()}{cells} {change:>10}".rstrip()
                name = ""
    totals = [rows[-1]["microdollars"] for rows in sides.values()]
    if None not in totals and totals[0]:
        yield f"the candidate costs {totals[1] / totals[0] - 1:+.1%} of the primary"
    elif None in totals:
        yield "cost unknown: a price or a count is missing; prices stand in [[prices]]"
    for role, rows in sides.items():
        yield from (f"{role}: {note}" for note in _notes(rows))


def _change(primary: Row | None, row: Row, role: str) -> str:
    """How much more the candidate's step cost; empty in the primary's own line."""
    if role == "primary":
        return ""
    before, after = primary and primary["microdollars"], row["microdollars"]
    if before is None or after is None:
        return "unknown"
    if before == after:
        return "same"
    return f"{after / before - 1:+.1%}" if before else "new"


def _with_kept(harness: Harness, found: Comparison) -> Side:
    """The candidate, with what it did before and after it was compared."""
    from reflector_migrate.shadow.observe.attempts import with_kept

    side = found.candidate
    steps = with_kept(harness, found.run_id, side.steps) if found.run_id else side.steps
    return side.model_copy(update={"steps": steps})


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    """In words, of which attempts it is not known what they used."""
    total = rows[-1]
    if not total["is_counted"]:
        yield "what these steps used was not counted"
    elif total["uncounted"]:
        silent = [f"{row['step']} {row['uncounted']}" for row in rows[:-1] if row["uncounted"]]
        yield f"attempts that hung or died before they reported all usage: {', '.join(silent)}"


def _rows(prices: Sequence[Price], side: Side) -> list[Row]:
    from reflector_migrate.model import STEP_NAMES, Usage
    from reflector_migrate.pricing import cost_of_steps, least_cost_of_steps, usage_of

    is_counted = usage_of(side) != Usage()

    def row(name: str, steps: Sequence[StepRun]) -> Row:
        costs = cost_of_steps(side, steps, prices), least_cost_of_steps(side, steps, prices)
        return {**_row(name, steps, *costs), "is_counted": is_counted}

    rows = []
    for name in STEP_NAMES:
        runs = [step for step in side.steps if step.name == name]
        if runs:
            rows.append(row(name, runs))
    return [*rows, row("total", side.steps)]


def _row(step: str, runs: Sequence[StepRun], microdollars: int | None, at_least: int | None) -> Row:
    """`repeated`: attempts by the engine, beside the requests that a client made again.

    `uncounted`: attempts that hung or died before they reported all usage.
    """
    from reflector_migrate.model import Usage
    from reflector_migrate.pricing import is_counted

    return {
        "step": step,
        "usage": sum((run.usage for run in runs), start=Usage()).model_dump(mode="json"),
        "repeated": sum(run.attempt > 1 for run in runs),
        "uncounted": sum(not is_counted(run) for run in runs),
        "microdollars": microdollars,
        "at_least_microdollars": at_least,
    }


def _known(text: str, row: Row, *fields: str) -> str:
    """What was used: at least this, or unknown, where an attempt did not report all of it."""
    if row["is_counted"] and not row["uncounted"]:
        return text
    return f">={text}" if any(row["usage"][field] for field in fields) else "unknown"


def _gpu(row: Row) -> str:
    about = "~" if row["usage"]["gpu_seconds_estimated"] else ""
    return _known(f"{about}{row['usage']['gpu_seconds']:.2f}", row, "gpu_seconds")


def _tokens(row: Row) -> str:
    fields = "llm_tokens_in", "llm_tokens_out"
    return _known("/".join(str(row["usage"][field]) for field in fields), row, *fields)


def _saved(row: Row) -> str:
    used = row["usage"]
    if not used["cache_hits"]:
        return _known("-", row)
    saved = f"{used['saved_gpu_seconds']:.2f} s {used['saved_llm_tokens']} t"
    return _known(saved, row, "cache_hits")


def _retries(row: Row) -> str:
    """By the engine, which is always known, and by a client."""
    made = row["usage"]["retries"] + row["repeated"]
    is_sure = row["is_counted"] and not row["uncounted"]
    return str(made) if is_sure else f">={made}" if made else "unknown"


def _money(row: Row) -> str:
    from reports.figures import dollars

    exact, least = row["microdollars"], row["at_least_microdollars"]
    return f">={dollars(least)}" if exact is None and least else dollars(exact)


def _used(field: str) -> Callable[[Row], str]:
    return lambda row: _known(str(row["usage"][field]), row, field)


COLUMNS = (
    Column("GPU s", 8, _gpu),
    Column("LLM", 7, _used("llm_calls")),
    Column("tokens in/out", 14, _tokens),
    Column("S3 bytes", 10, _used("s3_bytes")),
    Column("S3", 7, _used("s3_requests")),
    Column("calls", 7, _used("external_calls")),
    Column("retries", 7, _retries),
    Column("saved by cache", 14, _saved),
    Column("cost", 11, _money),
)
