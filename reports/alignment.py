"""A turn's words of both sides under each other, as jiwer aligns them."""

from __future__ import annotations

from reflector_migrate.model import Turn

WIDTH = 100


def aligned(turn: Turn) -> list[str]:
    """Lines REF, HYP and S, D or I under each difference, cut at WIDTH columns; words in pairs.

    No lines where the words agree and only their speaker differs.
    """
    import jiwer

    found = jiwer.process_words(turn.reference_text, turn.hypothesis_text)
    shown = jiwer.visualize_alignment(found, show_measures=False, line_width=WIDTH)
    return [line.rstrip() for line in shown.splitlines() if line.strip() and line[0] != "="]
