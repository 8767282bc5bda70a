"""`migrate config show`: the settings in force, secrets masked, and where each comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

from reflector_migrate.cli.common import echo_json, envelope, say, settings_place
from reports.text import printable

PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")


@click.group()
def config() -> None:
    """Show the settings in force.

    \b
    Examples:
      migrate config show
      migrate config show --origin
    """


@config.command(short_help="Print every setting in force, secrets masked.")
@click.option("--origin", is_flag=True, help="Also where each value comes from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def show(ctx: click.Context, origin: bool, as_json: bool) -> None:
    """Print every setting with its value. Secrets and passwords in URLs show as asterisks.

    A secret's file that cannot be read is named on stderr.

    \b
    Examples:
      migrate config show --origin
      migrate --config migrate.toml config show --json
    """
    from reflector_migrate.entrance import loaded_settings

    place, environ = settings_place(ctx)
    unread: list[str] = []
    loaded = loaded_settings(place, environ=environ, unread=unread)
    settings = _masked(loaded.model_dump(mode="json"))
    for said in unread:
        say(f"missing: {said}")
    known = _origins(ctx, settings) if origin else {}
    if as_json:
        body: dict[str, Any] = {"settings": settings} | ({"origins": known} if origin else {})
        echo_json(envelope("config", **body))
        return
    for key, value in _flat(settings):
        said = f"{key} = {'unset' if value is None else json.dumps(value, ensure_ascii=False)}"
        click.echo(printable(f"{said:<60}  # {known[key]}" if origin else said))


def _masked(value: Any) -> Any:
    """The same without the password of any URL."""
    if isinstance(value, dict):
        return {key: _masked(one) for key, one in value.items()}
    return PASSWORD.sub(r"\1***@", value) if isinstance(value, str) else value


def _origins(ctx: click.Context, settings: Mapping[str, Any]) -> dict[str, str]:
    from reflector_migrate.settings import origins

    found = origins(*settings_place(ctx))
    return {key: found.get(key, "default") for key, _ in _flat(settings)}


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section, values in settings.items():
        if isinstance(values, dict):
            yield from ((f"{section}.{key}", value) for key, value in values.items())
        else:
            yield section, values
