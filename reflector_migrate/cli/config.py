"""`migrate config show`: the settings in force, secrets masked."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import echo_json, settings_of


@click.group()
def config() -> None:
    """Show the settings in force."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Print every setting with its value; secrets show as asterisks.

    \b
    Examples:
      migrate config show
      migrate --config migrate.toml config show --json
    """
    settings = settings_of(ctx).model_dump(mode="json")
    if as_json:
        echo_json({"schema": "migrate.config/1", "ok": True, "exit_code": 0, "settings": settings})
        return
    for section, values in settings.items():
        lines = values.items() if isinstance(values, dict) else [("", values)]
        for key, value in lines:
            click.echo(f"{section}{'.' if key else ''}{key} = {value!r}")
