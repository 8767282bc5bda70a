"""Drawings as plain shapes: what a template needs to write an SVG, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle, a line (x, y to x + width, y + height) or a text; colours are classes."""

    form: Literal["rect", "line", "text"]
    look: str
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with the sentence that states what it shows."""

    width: int
    height: int
    label: str
    shapes: tuple[Shape, ...]


def number(value: float) -> str:
    """A coordinate, short and without an exponent."""
    return f"{value:.1f}".removesuffix(".0")
