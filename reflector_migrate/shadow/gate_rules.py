"""The rules of this deployment's gates: from the file that the settings name, or as shipped."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from reflector_migrate.errors import InputError
from reflector_migrate.judge.gates.rules import Rules, read_rules
from reflector_migrate.settings import Settings

SHIPPED = "rules.toml"


def shipped_rules() -> str:
    """The text of the rules that ship."""
    return resources.files("reflector_migrate.judge.gates").joinpath(SHIPPED).read_text("utf-8")


def rules_of(path: Path | None) -> Rules:
    """The rules in that file, or those that ship."""
    if path is None:
        return read_rules(shipped_rules(), SHIPPED)
    return read_rules(text_of(path), str(path))


def rules_in_force(settings: Settings) -> Rules:
    """This deployment's rules: the file that `judge.gates_file` names, else those that ship."""
    return rules_of(settings.judge.gates_file)


def text_of(path: Path) -> str:
    """The text of a file; InputError where it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}", hint="a readable file in UTF-8 is needed") from error
