"""The published word error rates, read from a measure's counts of one alignment."""

from __future__ import annotations

from reflector_migrate.model import Frozen, Measure


class WordRates(Frozen):
    """Rates as published; each is None where it would divide by no words.

    `wer` is edits over the reference's words and `wer_reversed` over the hypothesis's: the
    symmetric divergence is the smaller one. `mer` is edits over all hits and edits, `wil` is
    1 - hits^2 / (reference words x hypothesis words) (Morris, Maier and Green 2004).
    """

    wer: float | None
    wer_reversed: float | None
    mer: float | None
    wil: float | None
    hits: int
    substitutions: int
    deletions: int
    insertions: int


def word_rates(measure: Measure | None) -> WordRates | None:
    """The rates of a measure that counts words; None of another one."""
    names = ("hits", "substitutions", "deletions", "insertions")
    if measure is None or not measure.counts.keys() >= {*names}:
        return None
    hits, *kinds = (int(measure.counts[name]) for name in names)
    substitutions, deletions, insertions = kinds
    edits = sum(kinds)
    reference, hypothesis = hits + substitutions + deletions, hits + substitutions + insertions
    return WordRates(
        wer=edits / reference if reference else None,
        wer_reversed=edits / hypothesis if hypothesis else None,
        mer=edits / (hits + edits) if hits + edits else None,
        wil=1 - hits**2 / (reference * hypothesis) if reference and hypothesis else None,
        hits=hits,
        substitutions=substitutions,
        deletions=deletions,
        insertions=insertions,
    )
