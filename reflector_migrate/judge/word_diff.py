"""The worst stretches of word diff, by speaker turn, as received but for blanks.

Marks are git's word diff: equal, delete, insert. Speakers are followed apart, so
that two people talking at once do not shred each other's turns. Where the words
are the same and only the speaker differs, the speakers' names are the diff.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Literal, NamedTuple

from comparators.registry import Block, Pair, Transcripts
from reflector_migrate.model import Observation, Turn

MAX_TURNS = 8
MAX_TURN_WORDS = 60
PAUSE_S = 2.0
CONTEXT_WORDS = 8

Mark = Literal["equal", "delete", "insert"]


class _Said(NamedTuple):
    """One word of either side: its mark, when and by whom, by whom on the other side."""

    mark: Mark
    text: str
    at_s: float
    speaker: int
    other: int | None


def worst_turns(
    reference: Observation,
    hypothesis: Observation,
    transcripts: Transcripts,
    limit: int = MAX_TURNS,
) -> tuple[Turn, ...]:
    """The turns with most changed words, at most `limit`, in order of time."""
    names = {p.speaker: p.name for p in reference.outputs.participants if p.speaker is not None}
    turns = _turns(_said(transcripts.raw_words(reference, hypothesis)))
    scored = [(sum(_is_changed(word) for word in turn), turn) for turn in turns]
    worst = sorted((s for s in scored if s[0]), key=lambda s: (-s[0], s[1][0].at_s))[:limit]
    return tuple(sorted((_shown(turn, names) for _, turn in worst), key=lambda turn: turn.at_s))


def _is_changed(word: _Said) -> bool:
    """Other words, or another speaker for the same ones."""
    return word.mark != "equal" or word.speaker != word.other


def _said(pair: Pair) -> Iterable[_Said]:
    """Every word of the alignment in its order, deletions before insertions."""
    reference, hypothesis = pair.reference, pair.hypothesis
    for block in pair.blocks:
        is_equal, offset = block.tag == "equal", block.hyp_start - block.ref_start
        mark: Mark = "equal" if is_equal else "delete"
        for k in _near_changes(pair, block):
            word = reference.words[reference.places[k]]
            other = hypothesis.speaker(k + offset) if is_equal else word.speaker
            yield _Said(mark, reference.tokens[k].strip(), word.start, word.speaker, other)
        if block.tag in {"insert", "replace"}:
            for k in range(block.hyp_start, block.hyp_end):
                word = hypothesis.words[hypothesis.places[k]]
                text = hypothesis.tokens[k].strip()
                yield _Said("insert", text, word.start, word.speaker, word.speaker)


def _near_changes(pair: Pair, block: Block) -> Iterable[int]:
    """A block's reference tokens; of a long agreement only those beside its ends."""
    tokens = range(block.ref_start, block.ref_end)
    if block.tag != "equal" or len(tokens) <= 2 * MAX_TURN_WORDS:
        return tokens
    agreed = (
        pair.reference.speakers(block.ref_start, block.ref_end),
        pair.hypothesis.speakers(block.hyp_start, block.hyp_end),
    )
    if agreed[0] != agreed[1]:
        return tokens
    return (*tokens[:MAX_TURN_WORDS], *tokens[-MAX_TURN_WORDS:])


def _turns(said: Iterable[_Said]) -> list[list[_Said]]:
    """Each speaker's words, cut at pauses and at a length that can still be read."""
    turns: list[list[_Said]] = []
    latest: dict[int, list[_Said]] = {}
    for word in said:
        turn = latest.get(word.speaker)
        if turn is None or len(turn) >= MAX_TURN_WORDS or _is_pause(turn[-1].at_s, word.at_s):
            turn = latest[word.speaker] = []
            turns.append(turn)
        turn.append(word)
    return turns


def _is_pause(before_s: float, at_s: float) -> bool:
    return abs(at_s - before_s) > PAUSE_S


def _shown(turn: list[_Said], names: Mapping[int, str]) -> Turn:
    """One turn with its diff."""
    first = next((word for word in turn if _is_changed(word)), turn[0])
    speaker = turn[0].speaker
    return Turn(
        at_s=first.at_s,
        speaker=speaker,
        speaker_name=names.get(speaker, ""),
        reference_text=" ".join(w.text for w in turn if w.mark != "insert"),
        hypothesis_text=" ".join(w.text for w in turn if w.mark != "delete"),
        diff=tuple(_diff(turn, names)),
    )


def _diff(turn: list[_Said], names: Mapping[int, str]) -> Iterable[tuple[Mark, str]]:
    """Marks and texts; words under another name are headed by both names."""
    for (mark, other), words in groupby(turn, key=lambda w: (w.mark, w.other)):
        if other != turn[0].speaker:
            yield "delete", f"{names.get(turn[0].speaker) or f'speaker {turn[0].speaker}'}:"
            yield "insert", f"{names.get(other) or f'speaker {other}'}:"
        yield mark, _shortened([word.text for word in words], mark)


def _shortened(words: list[str], mark: Mark) -> str:
    """A long equal stretch keeps its first and last words."""
    if mark == "equal" and len(words) > 2 * CONTEXT_WORDS + 1:
        words = [*words[:CONTEXT_WORDS], "…", *words[-CONTEXT_WORDS:]]
    return " ".join(words)
