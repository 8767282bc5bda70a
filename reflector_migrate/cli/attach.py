"""`migrate attach`: settings from Reflector's environment, our own places, and a check."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    refuse_ignored,
    say,
    settings_of,
)
from reflector_migrate.errors import ConfigurationError, MigrateError, RefusedError

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness

CHECKED = (
    "reflector database", "reflector s3", "redis", "recogniser", "language model", "daily",
    "store", "candidate database", "candidate s3", "candidate bus", "namespaces", "conductor",
    "definitions", "newer reflector", "disk",
)  # fmt: skip
"""What must be right before one of our workers starts."""


@click.group(invoke_without_command=True)
@click.option("--reflector-env", type=click.Path(path_type=Path), help="Reflector's env file.")
@click.option("--reflector-pid", type=int, help="Or the process of its running worker.")
@click.option(
    "--conductor", default="http://127.0.0.1:8080/api", show_default=True, help="Your Conductor."
)
@click.option(
    "--admin-url",
    envvar="ATTACH_ADMIN_URL",
    show_envvar=True,
    help="A login that may create roles and databases (default: Reflector's). Pass a"
    " password through the environment: arguments are visible in the process list.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("migrate.toml"), show_default=True,
    help="The settings file to write, with mode 0600.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an existing settings file.")
@YES
@click.pass_context
def attach(
    ctx: click.Context,
    reflector_env: Path | None,
    reflector_pid: int | None,
    conductor: str,
    admin_url: str | None,
    out: Path,
    force: bool,
    yes: bool,
) -> None:
    """Attach to a running Reflector: write the settings, create databases and buckets, check all.

    It reads Reflector's variables. It changes nothing in Reflector, except for a database role
    that may read its tables. It lists what it has no right to create, with the command to run.

    \b
    Examples:
      migrate attach --reflector-env /srv/reflector/server/.env
      migrate attach check
    """
    if ctx.invoked_subcommand is not None:
        why = (
            f"`attach {ctx.invoked_subcommand}` reads the settings in force; --config names a file"
        )
        names = ("reflector_env", "reflector_pid", "conductor", "admin_url", "out", "force", "yes")
        refuse_ignored(ctx, why, *names)
        return
    if ctx.find_root().obj["config"] is not None:
        raise click.UsageError("--config names settings to read; attach writes them: use --out")
    from reflector_migrate.settings.reflector_env import derive, read_env_file, read_process

    if (reflector_env is None) == (reflector_pid is None):
        raise click.UsageError("name Reflector's --reflector-env FILE, or its --reflector-pid")
    env = read_env_file(reflector_env) if reflector_env else read_process(reflector_pid or 0)
    folder = out.absolute().parent
    derived = derive(env, folder, conductor)
    _write(out, derived.settings, force=force)
    click.echo(f"written  {out}  (mode 0600: it holds keys)")
    for name in derived.unset:
        click.echo(f"✗ not in Reflector's environment: {name}; set it in {out}")
    harness = _loaded(ctx, out)
    ask("create our role, databases, buckets and definitions?", yes=yes)
    for problem in _made(harness, admin_url or derived.owner_url):
        click.echo(f"✗ {problem}")
    _show_worker(folder, out)
    ctx.exit(_check(harness, as_json=False))


@attach.command(short_help="Check each connection and right that we need.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check each connection and right that we need; list what is missing, with its remedy.

    Nothing is written outside our databases and buckets. `migrate doctor` checks workers too.

    \b
    Examples:
      migrate attach check
      migrate --config /srv/migrate/migrate.toml attach check --json
    """
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    ctx.exit(_check(harness, as_json=as_json))


@attach.command(short_help="Print the least rights: SQL and an S3 policy.")
@click.pass_context
def rights(ctx: click.Context) -> None:
    """Print the least rights that we need: SQL for PostgreSQL and a policy for S3.

    \b
    Examples:
      migrate attach rights
      migrate --config migrate.toml attach rights > rights.txt
    """
    from reflector_migrate.cutover.least_rights import s3_policy, sql

    settings = settings_of(ctx)
    if not settings.reflector.database_url:
        raise ConfigurationError("reflector.database_url is not set", hint="migrate attach --help")
    click.echo("-- PostgreSQL, in Reflector's database, by a login that may make roles")
    for statement in sql(settings):
        click.echo(f"{statement};")
    click.echo("\n# S3: the policy of the keys in [s3]")
    click.echo(s3_policy(settings))


def _write(out: Path, settings: dict[str, object], *, force: bool) -> None:
    import tomli_w

    if out.exists() and not force:
        hint = "migrate attach check; or --force, which writes it again with new passwords"
        raise RefusedError(f"{out} is there already", hint=hint)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(tomli_w.dumps(settings))


def _loaded(ctx: click.Context, out: Path) -> Harness:
    """By the file alone: a sandbox that runs here is none of this."""
    from reflector_migrate.entrance import loaded_settings
    from reflector_migrate.harness import Harness

    harness = Harness.of(loaded_settings(out))
    ctx.find_root().obj.update(config=out, harness=harness)
    log_to_stderr(ctx, harness.settings)
    return harness


def _made(harness: Harness, admin_url: str | None) -> list[str]:
    """Make what is ours; what could not be made, each with the command that does."""
    from reflector_migrate.conductor.register import register_all
    from reflector_migrate.cutover.least_rights import make
    from reflector_migrate.shadow.provision import provision

    problems = []
    if admin_url and harness.settings.reflector.database_url:
        problems += [f"{p}  (migrate attach rights)" for p in make(harness.settings, admin_url)]
    for work, mend in (
        (lambda: provision(harness), "migrate register --with-store"),
        (lambda: register_all(harness, force=False), "migrate register"),
    ):
        try:
            work()
        except MigrateError as error:
            problems.append(f"{error.message}  ({mend})")
    return problems


def _show_worker(folder: Path, out: Path) -> None:
    from reflector_migrate.cli.attach_texts import texts
    from reflector_migrate.plugin import FOLDER, copy_to

    plugin = folder / "reflector-plugin"
    try:
        copy_to(plugin)
    except OSError as error:
        say(f"the plugin was not copied to {plugin}: {error.strerror}; it is in {FOLDER}")
    click.echo(texts(plugin, out.absolute()))


def _check(harness: Harness, *, as_json: bool) -> int:
    from reflector_migrate.cli.doctor import find, is_healthy, show

    found = find(harness, CHECKED)
    code = int(not is_healthy(found))
    if as_json:
        checks = [
            {"name": name, "state": a.state.value, "value": a.value, "why": a.why}
            for name, a in found.items()
        ]
        echo_json(envelope("attach", code, checks=checks))
    else:
        show(found, is_verbose=True)
    return code
