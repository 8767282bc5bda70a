"""The worst stretches of word diff, by speaker turn, as received but for blanks.

Marks are git's word diff: equal, delete, insert. Speakers are followed apart, so
that two people talking at once do not shred each other's turns. Where the words
are the same and only the speaker differs, the speakers' names are the diff.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby, repeat
from typing import Literal, NamedTuple

from comparators.registry import Block, Columns, Pair, Transcripts
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
    scored = [(len(_changed(turn)), turn) for turn in turns]
    worst = sorted((s for s in scored if s[0]), key=lambda s: (-s[0], s[1][0].at_s))[:limit]
    return tuple(sorted((_shown(turn, names) for _, turn in worst), key=lambda turn: turn.at_s))


def _changed(turn: list[_Said]) -> list[_Said]:
    """Other words, or another speaker for the same ones."""
    return [word for word in turn if word.mark != "equal" or word.speaker != word.other]


def _said(pair: Pair) -> Iterable[_Said]:
    """Every word of the alignment in its order, deletions before insertions."""
    reference, hypothesis = pair.reference, pair.hypothesis
    for block in pair.blocks:
        if block.tag == "equal":
            by = block.hyp_start - block.ref_start
            for near in _near_changes(pair, block):
                others = hypothesis.speakers(near.start + by, near.stop + by)
                yield from _marked("equal", reference, near, others)
        else:
            yield from _marked("delete", reference, slice(block.ref_start, block.ref_end))
            yield from _marked("insert", hypothesis, slice(block.hyp_start, block.hyp_end))


def _marked(
    mark: Mark, side: Columns, tokens: slice, others: Iterable[int] | None = None
) -> Iterable[_Said]:
    """A side's words, `others` saying them on the other side; at once, for there are thousands."""
    words = [side.words[place] for place in side.places[tokens]]
    speakers = [word.speaker for word in words]
    starts = [word.start for word in words]
    texts = map(str.strip, side.tokens[tokens])
    return map(_Said, repeat(mark), texts, starts, speakers, others or speakers)


def _near_changes(pair: Pair, block: Block) -> tuple[slice, ...]:
    """The reference's tokens of an equal block; of a long one only those beside its ends."""
    start, end = block.ref_start, block.ref_end
    if end - start <= 2 * MAX_TURN_WORDS or pair.reference.speakers(
        start, end
    ) != pair.hypothesis.speakers(block.hyp_start, block.hyp_end):
        return (slice(start, end),)
    return slice(start, start + MAX_TURN_WORDS), slice(end - MAX_TURN_WORDS, end)


def _turns(said: Iterable[_Said]) -> list[list[_Said]]:
    """Each speaker's words, cut at pauses and at a length that can still be read."""
    turns: list[list[_Said]] = []
    latest: dict[int, list[_Said]] = {}
    for word in said:
        turn = latest.get(word.speaker)
        if turn is None or len(turn) >= MAX_TURN_WORDS or abs(turn[-1].at_s - word.at_s) > PAUSE_S:
            turn = latest[word.speaker] = []
            turns.append(turn)
        turn.append(word)
    return turns


def _shown(turn: list[_Said], names: Mapping[int, str]) -> Turn:
    """One turn with its diff."""
    first = _changed(turn)[0]
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
