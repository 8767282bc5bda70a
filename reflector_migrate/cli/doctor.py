"""`migrate doctor`: every server and setting, a line each; quiet when healthy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import echo_json, envelope, harness_of, log_to_stderr, say
from reflector_migrate.model.plural import counted
from reflector_migrate.model.primary_task import PIPELINE
from reports.text import printable

if TYPE_CHECKING:
    from reflector_migrate.cutover.items import Answer
    from reflector_migrate.harness import Harness

FREE_BYTES = 2 << 30
AT_ONCE = 6
LOOKED_AT = 20
"""The newest runs whose outside calls are looked at."""
HINTS = {
    "plugin": "migrate shadow plugin FOLDER, then restart Reflector's worker with PYTHONPATH=FOLDER"
    " MIGRATE_SHADOW=true and `-I reflector_shadow`",
    "beat": "migrate worker run beat, once; and migrate worker run collector, which does its tasks",
    "links": "set `reflector.ui_base_url` to the UI_BASE_URL of Reflector's worker",
    "runs": "migrate reconcile --since 24h lists them; migrate replay --failed opens them again",
    "rows": "migrate compare RECORDING says more of each; the field that it names has to be mended",
    "newer reflector": "is the database up where `reflector.database_url` says?",
    "conductor": "is the server up where `conductor.server_url` says?",
    "definitions": "migrate register",
    "conductor workers": "start one: migrate worker run conductor; list all: migrate worker list",
    "celery workers": "does Reflector's worker use the broker of `reflector.broker_url`?",
    "dispatch": "migrate worker run dispatcher; migrate worker run collector",
    "starter": "migrate worker run starter",
    "namespaces": "give the candidate a database, buckets and folders of its own",
    "store": "migrate register --with-store; is the database up where `store.url` says?",
    "redis": "is the server up where `reflector.bus_url` says?",
    "waivers": "docs/how-verdicts-work.md shows the file that `judge.waivers_file` names",
    "secondary": "docs/conclusive.md, Run legacy a second time; or `shadow.secondary_rate = 0`",
    "processors": 'docs/conclusive.md; or `pipeline.processors = "ours"`',
    "observed calls": "docs/conclusive.md, See what the primary asks and sends",
    "disk": "free some space in the state folder",
}
UNCONFIGURED = (
    "There is no migrate.toml and no sandbox here. "
    "To try it out: migrate sandbox up. To attach it: migrate attach --reflector-env FILE"
)


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Also show passing checks.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def doctor(ctx: click.Context, verbose: bool, as_json: bool) -> None:
    """Check every server and setting; exit 1 if one is unhealthy, 4 if one does not answer.

    Takes up to 20 s. Quiet when healthy; -v shows passing checks too.

    \b
    Examples:
      migrate doctor -v
      migrate doctor --json
    """
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    if sys.stderr.isatty():
        say("checking servers and settings, up to 20 s")
    found = find(harness)
    code = exit_code(found.values())
    if as_json:
        checks = [
            {"name": name, "state": a.state.value, "value": a.value, "why": a.why}
            for name, a in found.items()
        ]
        echo_json(envelope("doctor", code, checks=checks))
    else:
        show(found, is_verbose=verbose or bool(ctx.find_root().obj["verbose"]))
        if code and harness.settings.reflector.database_url is None:
            click.echo(UNCONFIGURED)
    ctx.exit(code)


def find(harness: Harness, names: Iterable[str] | None = None) -> dict[str, Answer]:
    """The answer of every check, or of these; they wait for their servers side by side."""
    known = _checks()
    checks = known if names is None else {name: known[name] for name in names}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda check: _look(check, harness), checks.values())
        return dict(zip(checks, answers, strict=True))


def is_healthy(found: Mapping[str, Answer]) -> bool:
    """Whether every check passes."""
    return all(answer.state.value == "pass" for answer in found.values())


def exit_code(answers: Iterable[Answer]) -> int:
    """1 if a check failed, 4 if a server did not answer, 0 if all is well."""
    against = [answer for answer in answers if answer.state.value != "pass"]
    if any(answer.could_run for answer in against):
        return 1
    return 4 if against else 0


def show(found: Mapping[str, Answer], *, is_verbose: bool) -> None:
    """A line each; what is wrong with what mends it."""
    from reflector_migrate.cutover.rights import MENDS

    mends = {**MENDS, **HINTS}
    for name, answer in found.items():
        is_fine = answer.state.value == "pass"
        if is_fine and not is_verbose:
            continue
        said = " ".join(f"{answer.value}  {answer.why}".split())
        click.echo(f"{'✓' if is_fine else '✗'} {name:<18} {printable(said)}")
        if not is_fine:
            click.echo(f"  hint: {mends[name]}")
    if is_healthy(found):
        click.echo(f"healthy: {counted(len(found), 'check')}")


def _checks() -> dict[str, Callable[[Harness], Answer]]:
    from reflector_migrate.cutover import infrastructure, rights, starter_check

    return {
        **rights.CHECKS,
        "newer reflector": rights.newer_than_known,
        "plugin": infrastructure.plugin_is_loaded,
        "beat": infrastructure.beat_is_alive,
        "links": infrastructure.links_lead_where_theirs_do,
        "runs": infrastructure.runs_get_on,
        "rows": infrastructure.rows_can_be_read,
        "store": _store,
        "redis": _redis,
        "conductor": infrastructure.conductor_is_healthy,
        "definitions": infrastructure.definitions_are_registered,
        "conductor workers": infrastructure.workers_are_ours,
        "celery workers": infrastructure.celery_answers,
        "dispatch": infrastructure.queues_are_served,
        "starter": starter_check.starter_listens,
        "namespaces": infrastructure.namespaces_are_separate,
        "waivers": _waivers,
        "secondary": _secondary,
        "processors": _processors,
        "observed calls": _observed,
        "disk": _disk,
    }


def _look(check: Callable[[Harness], Answer], harness: Harness) -> Answer:
    """The check's answer; one that could not run has failed, with its reason."""
    from reflector_migrate.cutover.items import failed, unreachable
    from reflector_migrate.errors import ExitCode, MigrateError, ServerUnreachableError
    from reflector_migrate.shadow.advance import place_of

    try:
        return check(harness)
    except ServerUnreachableError as error:
        return unreachable(error.message)
    except MigrateError as error:
        if error.exit_code is ExitCode.COULD_NOT_RUN:
            return unreachable(error.message, value="check could not run")
        return failed("check could not run", why=error.message)
    except Exception as error:  # one broken check must not hide what the others found
        return failed("check could not run", why=place_of(error))


def _store(harness: Harness) -> Answer:
    from reflector_migrate.cutover.items import judged
    from reflector_migrate.store.migrate import current, head

    revision = current(harness.settings.store_url)
    return judged(revision == head(), f"schema {revision or 'none'}", f"schema {head()}")


def _redis(harness: Harness) -> Answer:
    import redis

    from reflector_migrate.cutover.items import passed, unreachable

    try:
        harness.redis(harness.settings.reflector.bus_url).ping()
    except (redis.RedisError, OSError) as error:
        return unreachable(type(error).__name__)
    return passed("answers")


def _waivers(harness: Harness) -> Answer:
    """A file that cannot be read would keep every comparison waiting."""
    from reflector_migrate.cutover.items import passed
    from reflector_migrate.judge.waivers import expired
    from reflector_migrate.shadow.waiver_files import waivers_in_force
    from reflector_migrate.store.clock import now

    granted = [
        w for w in waivers_in_force(harness.settings.judge.waivers_file) if not w.is_improvement
    ]
    gone = expired(granted, now().date())
    return passed(f"{len(granted) - len(gone)} in force", why="; ".join(gone))


def _secondary(harness: Harness) -> Answer:
    """Where nothing runs legacy again, a share of recordings that should would be none, unsaid."""
    from reflector_migrate.cutover.items import failed, passed
    from reflector_migrate.errors import ConfigurationError
    from reflector_migrate.shadow.secondary import require_own_places

    share = f"{harness.settings.shadow.secondary_rate:.0%} of recordings"
    if harness.settings.is_sandbox or not harness.settings.shadow.secondary_rate:
        return passed(share)
    try:
        require_own_places(harness.settings)
    except ConfigurationError as error:
        return failed(share, why=error.message)
    return passed(share)


def _processors(harness: Harness) -> Answer:
    """Starts a child of Reflector's environment and asks it what it has."""
    from reflector_migrate.cutover.items import failed, passed
    from reflector_migrate.pipeline.bridge.children import children

    wanted = harness.settings.pipeline.handed_over
    if not wanted:
        return passed("ours")
    asked = children(harness.settings.pipeline)
    hello = asked.hello(lambda: None)
    asked.end()
    named = f"Reflector {hello.release or 'without a version'}, build {hello.build}"
    if lacking := [step for step in wanted if step not in hello.has]:
        why = "; ".join(f"{step}: {hello.lacks.get(step, 'not known to it')}" for step in lacking)
        return failed(named, why=why)
    return passed(named)


def _observed(harness: Harness) -> Answer:
    """A service that finished recordings must have called, and that nothing saw, is named."""
    from reflector_migrate.cutover.items import failed, passed
    from reflector_migrate.shadow.observe.calls import unseen_services

    if harness.settings.shadow.observe == "nothing":
        return passed("nothing is to be seen")
    if harness.settings.is_sandbox:
        return passed("the stand-ins record what they are asked")
    told = harness.spans.latest(PIPELINE, LOOKED_AT)
    unseen = unseen_services(told)
    if unseen:
        return failed(counted(len(told), "run"), why=f"not seen: {', '.join(unseen)}")
    return passed(counted(len(told), "run"))


def _disk(harness: Harness) -> Answer:
    from reflector_migrate.cutover.items import judged

    folder = harness.settings.state_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return judged(free >= FREE_BYTES, f"{free >> 30} GiB free", f"{FREE_BYTES >> 30} GiB")
