"""The page on which a reader chooses the better of two texts; it does not know their sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from markupsafe import Markup

from reports.page import asset, environment, policy


class Piece(Protocol):
    """A stretch of a text, and whether the other side has something else there."""

    @property
    def text(self) -> str:
        """The words."""

    @property
    def is_changed(self) -> bool:
        """Whether they are marked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page shows: who is reading, and two texts, or the result once all is read."""

    token: str
    choices: Sequence[str]
    who: str = ""
    text: str = ""
    digest: str = ""
    head: str = ""
    left: int = 0
    texts: Sequence[Sequence[Piece]] = ()
    result: Sequence[str] = ()


def render_question(page: Asked) -> str:
    """The whole page. Texts are shown whole; nothing in them can act."""
    style, script = asset(("adjudicate.css",)), asset(("adjudicate.js",))
    return (
        environment()
        .get_template("adjudicate.html.j2")
        .render(
            page=page,
            csp=policy(style, script, form_action="'self'"),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
        )
    )
