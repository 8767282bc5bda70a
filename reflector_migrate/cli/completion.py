"""`migrate completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete `migrate` and `reflector-migrate`.

    \b
    Examples:
      migrate completion bash >> ~/.bashrc
      migrate completion fish > ~/.config/fish/completions/migrate.fish
    """
    from click.shell_completion import get_completion_class

    from reflector_migrate.cli.main import cli

    made = get_completion_class(shell)
    if made is None:  # a shell that click no longer knows
        raise click.UsageError(f"no completion for {shell}")
    for name in ("migrate", "reflector-migrate"):
        variable = f"_{name.upper().replace('-', '_')}_COMPLETE"
        click.echo(made(cli, {}, name, variable).source())
