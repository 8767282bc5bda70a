"""`migrate reconcile`: every eligible recording and its outcome."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    DURATION,
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    say,
)
from reflector_migrate.model.plural import counted
from reports.text import printable

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.shadow.nightly.accounts import Accounts

SETTLED = ("compared", "sampled out")
"""What is only counted; every other recording is listed."""


@click.command()
@click.option(
    "--since", "since_s", default="24h", show_default=True, type=DURATION,
    help="How far to look back.",
)  # fmt: skip
@click.option("--announce", is_flag=True, help="Dispatch the recordings that were lost.")
@YES
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def reconcile(ctx: click.Context, since_s: float, announce: bool, yes: bool, as_json: bool) -> None:
    """Account for every recording that Reflector processed: compared, waiting, failed, lost.

    They are found in Reflector's database. Exit 1 while one of them is lost, failed or unreadable;
    3 while one is open; 4 where Reflector's rows cannot be read.

    \b
    Examples:
      migrate reconcile --since 24h
      migrate reconcile --announce --yes
    """
    from reflector_migrate.shadow.nightly.accounts import accounts
    from reflector_migrate.store.clock import now

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    since, until = now() - timedelta(seconds=since_s), now()
    found = accounts(harness, since, until)
    announced = _announce(harness, since_s, yes=yes) if announce else []
    code = _code(found)
    if as_json:
        entries = [asdict(entry) for entry in found.entries]
        body = {"unread": found.unread, "recordings": entries, "announced": announced}
        echo_json(envelope("reconcile", code, **body))
    else:
        _show(found, announced)
    ctx.exit(code)


def _announce(harness: Harness, since_s: float, *, yes: bool) -> list[str]:
    from reflector_migrate.shadow.recover.replay import (
        announce,
        announcements,
        require_empty_queue,
    )
    from reflector_migrate.store.clock import now

    require_empty_queue(harness)
    lost = list(announcements(harness, now() - timedelta(seconds=since_s), now()))
    if lost:
        ask(f"announce {counted(len(lost), 'recording')}?", yes=yes)
    for one in lost:
        announce(harness, one)
    return [one.recording_id or one.transcript_id for one in lost]


def _code(found: Accounts) -> int:
    if found.unread:
        return 4
    if any(found.count(what) for what in ("lost", "failed", "unreadable")):
        return 1
    return 3 if any(found.count(what) for what in ("waiting", "running", "over budget")) else 0


def _show(found: Accounts, announced: list[str]) -> None:
    from reflector_migrate.shadow.nightly.accounts import WORDS

    for what in WORDS:
        if number := found.count(what):
            click.echo(f"{number:>6}  {what}")
    for entry in found.entries:
        if entry.what in SETTLED:
            continue
        line = f"{entry.what:<12} {entry.recording_id}  {entry.why}"
        if entry.recording_id in announced:
            line += "announced again"
        click.echo(printable(line.rstrip() + (f"  [{entry.bound}]" if entry.bound else "")))
    if found.unread:
        say(f"Reflector's rows could not be read: {found.unread}")
    if found.count("lost") and not announced:
        say("lost: migrate reconcile --announce announces them again")
