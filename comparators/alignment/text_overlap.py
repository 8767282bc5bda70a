"""How much of a text's surface two sides share: chrF++ and ROUGE, without their imports.

Overlap ranks wrong summaries above right ones (a flipped negation scores 97), so
it is only ever a divergence against the legacy pipeline's own noise; facts are
compared on their own.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence

from comparators.alignment.distance import encode

CHAR_ORDER, WORD_ORDER, BETA = 6, 2, 2
_PUNCTUATION = frozenset(string.punctuation)


def chrf_both_ways(reference: str, hypothesis: str) -> float:
    """The mean of chrF++ in both directions, in [0, 100]: swapping the sides changes nothing.

    chrF++ (Popović 2017): character 6-grams, word 2-grams, beta 2; each direction equals
    sacrebleu's sentence score with word_order=2.
    """
    precision, recall = _mean_rates(reference, hypothesis)
    return (_f_beta(precision, recall) + _f_beta(recall, precision)) / 2


def _mean_rates(reference: str, hypothesis: str) -> tuple[float, float]:
    """Precision and recall over the orders that both sides have."""
    rates = [
        _precision_recall(r, h)
        for r, h in zip(_n_grams(reference), _n_grams(hypothesis), strict=True)
        if r and h
    ]
    if not rates:
        return 0.0, 0.0
    return sum(p for p, _ in rates) / len(rates), sum(r for _, r in rates) / len(rates)


def _f_beta(precision: float, recall: float) -> float:
    weighed = BETA**2 * precision + recall
    return 100 * (1 + BETA**2) * precision * recall / weighed if weighed else 0.0


def _precision_recall(reference: Counter[str], hypothesis: Counter[str]) -> tuple[float, float]:
    """Shared n-grams of one order over the hypothesis' and over the reference's."""
    shared = _shared(reference, hypothesis)
    return shared / hypothesis.total(), shared / reference.total()


def _shared(first: Mapping[str, int], second: Mapping[str, int]) -> int:
    """The size of two multisets' intersection."""
    both = first.keys() & second.keys()
    return sum(map(min, map(first.__getitem__, both), map(second.__getitem__, both)))


def _n_grams(text: str) -> list[Counter[str]]:
    """Counts per order: characters without blanks, then words with punctuation set apart."""
    characters = "".join(text.split())
    words = [part for word in text.split() for part in _set_apart(word)]
    by_character = [
        Counter([characters[i : i + n] for i in range(len(characters) - n + 1)])
        for n in range(1, CHAR_ORDER + 1)
    ]
    by_word = [
        Counter([" ".join(words[i : i + n]) for i in range(len(words) - n + 1)])
        for n in range(1, WORD_ORDER + 1)
    ]
    return by_character + by_word


def _set_apart(word: str) -> list[str]:
    """One punctuation mark at the end, else at the start, becomes a word of its own."""
    if len(word) == 1:
        return [word]
    if word[-1] in _PUNCTUATION:
        return [word[:-1], word[-1]]
    if word[0] in _PUNCTUATION:
        return [word[0], word[1:]]
    return [word]


def rouge_1(reference: Sequence[str], hypothesis: Sequence[str]) -> float:
    """F1 of shared tokens (Lin 2004); 0 when either side is empty."""
    shared = _shared(Counter(reference), Counter(hypothesis))
    return _f1(shared, len(reference), len(hypothesis))


def rouge_l(reference: Sequence[str], hypothesis: Sequence[str]) -> float:
    """F1 of the longest common subsequence of tokens (Lin 2004)."""
    if not reference or not hypothesis:
        return 0.0
    from rapidfuzz.distance import LCSseq

    return _f1(LCSseq.similarity(*encode(reference, hypothesis)), len(reference), len(hypothesis))


def _f1(shared: int, n_reference: int, n_hypothesis: int) -> float:
    return 2 * shared / (n_reference + n_hypothesis) if shared else 0.0
