"""A click group that imports a subcommand's file only when that subcommand is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

ELSEWHERE = {
    "rollback": "migrate cutover rollback",
}
"""Words that a reader may take for a command, and the command that is meant."""


def _take_verbose(command: click.Command) -> None:
    """Let `-v` stand behind any command; one that hands its arguments on is left alone."""
    if isinstance(command, click.Group):
        for leaf in command.commands.values():
            _take_verbose(leaf)
        return
    has_own = any("-v" in parameter.opts for parameter in command.params)
    if has_own or command.context_settings.get("ignore_unknown_options"):
        return
    command.params.append(
        click.Option(
            ["-v", "--verbose"], count=True, expose_value=False, callback=_add_verbose,
            help="More log on stderr; twice for debugging.",
        )
    )  # fmt: skip


def _add_verbose(ctx: click.Context, _parameter: click.Parameter, times: int) -> None:
    ctx.find_root().obj["verbose"] += times


class LazyGroup(click.Group):
    """Subcommands given as name -> (module:attribute, one line of help).

    The help text is written here, not taken from the command, so that
    `migrate --help` imports nothing.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names in the order of declaration."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module, or None for an unknown name."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        _take_verbose(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List names with their one line, importing none of them."""
        del ctx
        rows = [(name, text) for name, (_, text) in self._lazy.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, but a mistyped name is answered with the nearest one."""
        import difflib

        if args and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self._lazy, n=1, cutoff=0.7)
            meant = ELSEWHERE.get(args[0]) or (f"migrate {near[0]}" if near else "")
            hint = f" Did you mean `{meant}`?" if meant else " `migrate --help` lists them."
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)
