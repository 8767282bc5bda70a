"""A URL as people and logs may see it."""

from __future__ import annotations

import re

_USER = re.compile(r"(\w+://)[^\s/@'\"]+@")


def without_user(url: str) -> str:
    """The same without user and password, in whatever text it stands."""
    return _USER.sub(r"\1", url)
