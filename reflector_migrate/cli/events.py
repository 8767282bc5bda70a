"""`migrate events`: which task publishes what, generated from the code."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import echo_json


@click.command()
@click.option("--format", "form", type=click.Choice(["md", "json"]), default="md")
def events(form: str) -> None:
    """Print the event dictionary: task, events, JSON Schema.

    \b
    Examples:
      migrate events
      migrate events --format json
    """
    from reflector_migrate.conductor.event_dictionary import as_json, as_page

    if form == "json":
        echo_json(as_json())
    else:
        click.echo(as_page(), nl=False)
