"""The worst stretches of word diff, by the reference's speaker turns, as received.

Marks are git's word diff: equal, delete, insert. Where the words are the same
and only the speaker differs, the speakers themselves are the diff.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from comparators.columns import Pair, raw_pair
from reflector_migrate.model import Observation, Turn

MAX_TURNS = 8
MAX_TURN_WORDS = 60
CONTEXT_WORDS = 8

Mark = Literal["equal", "delete", "insert"]
_Part = tuple[Mark, str]


class _Piece(NamedTuple):
    """Tokens of one side under one mark; at = index in its side."""

    mark: Mark
    tokens: tuple[str, ...]
    at: int
    reference_at: int


class _Stretch(NamedTuple):
    """A reference turn: tokens begin..end of one speaker."""

    begin: int
    end: int


def worst_turns(
    reference: Observation, hypothesis: Observation, limit: int = MAX_TURNS
) -> tuple[Turn, ...]:
    """The turns with most changed words, at most `limit`, in order of time."""
    pair = raw_pair(reference, hypothesis)
    names = {p.speaker: p.name for p in reference.outputs.participants if p.speaker is not None}
    by_turn = _by_turn(pair)
    scored = [(sum(_size(p) for p in parts), turn) for turn, parts in by_turn.items()]
    worst = sorted((s for s in scored if s[0]), key=lambda s: (-s[0], s[1].begin))[:limit]
    turns = [_turn(pair, turn, by_turn[turn], names) for _, turn in worst]
    turns += _attributed(pair, names, limit - len(turns))
    return tuple(sorted(turns, key=lambda turn: turn.at_s))


def _size(piece: _Piece) -> int:
    return 0 if piece.mark == "equal" else len(piece.tokens)


def _stretches(pair: Pair) -> list[_Stretch]:
    """The reference's turns, long ones cut so that a diff stays readable."""
    n = len(pair.reference.tokens)
    stretches = []
    begin = 0
    for index in range(1, n + 1):
        ends = index == n or pair.reference.speaker(index) != pair.reference.speaker(begin)
        if ends or index - begin >= MAX_TURN_WORDS:
            stretches.append(_Stretch(begin, index))
            begin = index
    return stretches


def _by_turn(pair: Pair) -> dict[_Stretch, list[_Piece]]:
    """Each turn's pieces of the alignment; insertions go to the turn they stand in."""
    stretches = _stretches(pair) or [_Stretch(0, 0)]
    out: dict[_Stretch, list[_Piece]] = {stretch: [] for stretch in stretches}
    current = 0
    for block in pair.blocks:
        at = block.ref_start
        while at < block.ref_end:
            while stretches[current].end <= at:
                current += 1
            stop = min(block.ref_end, stretches[current].end)
            mark: Mark = "equal" if block.tag == "equal" else "delete"
            piece = _Piece(mark, tuple(pair.reference.tokens[at:stop]), at, at)
            out[stretches[current]].append(piece)
            at = stop
        if block.tag in {"insert", "replace"}:
            tokens = tuple(pair.hypothesis.tokens[block.hyp_start : block.hyp_end])
            piece = _Piece("insert", tokens, block.hyp_start, block.ref_end)
            out[stretches[current]].append(piece)
    return out


def _turn(pair: Pair, stretch: _Stretch, pieces: list[_Piece], names: Mapping[int, str]) -> Turn:
    """One turn with its diff; long equal stretches cut to their edges."""
    speaker = pair.reference.speaker(stretch.begin)
    kept = {mark: [t for p in pieces if p.mark in mark_set for t in p.tokens]
            for mark, mark_set in (("r", {"equal", "delete"}), ("h", {"equal", "insert"}))}  # fmt: skip
    first = next((p for p in pieces if p.mark != "equal"), pieces[0])
    at_s = (
        pair.hypothesis.start_s(first.at)
        if first.mark == "insert"
        else pair.reference.start_s(first.at)
    )
    return Turn(
        at_s=at_s,
        speaker=speaker,
        speaker_name=names.get(speaker, "") if speaker is not None else "",
        reference_text=" ".join(kept["r"]),
        hypothesis_text=" ".join(kept["h"]),
        diff=tuple(_parts(pieces)),
    )


def _parts(pieces: list[_Piece]) -> list[_Part]:
    """Marks and texts; a long equal stretch keeps its first and last words."""
    parts: list[_Part] = []
    for piece in pieces:
        tokens = list(piece.tokens)
        if piece.mark == "equal" and len(tokens) > 2 * CONTEXT_WORDS + 1:
            tokens = [*tokens[:CONTEXT_WORDS], "…", *tokens[-CONTEXT_WORDS:]]
        parts.append((piece.mark, " ".join(tokens)))
    return parts


def _attributed(pair: Pair, names: Mapping[int, str], limit: int) -> list[Turn]:
    """Turns whose words are equal but stand under another speaker, longest first."""
    runs: list[tuple[int, int, int, int]] = []  # length, token, speaker there, speaker here
    for block in pair.blocks if limit > 0 else ():
        if block.tag != "equal":
            continue
        for k in range(block.ref_end - block.ref_start):
            here = pair.reference.speaker(block.ref_start + k)
            there = pair.hypothesis.speaker(block.hyp_start + k)
            if here is None or there is None or here == there:
                continue
            token = block.ref_start + k
            if runs and runs[-1][1] + runs[-1][0] == token and runs[-1][2:] == (there, here):
                runs[-1] = (runs[-1][0] + 1, *runs[-1][1:])
            else:
                runs.append((1, token, there, here))
    worst = sorted(runs, key=lambda run: (-run[0], run[1]))[: max(limit, 0)]
    return [_moved(pair, run, names) for run in worst]


def _moved(pair: Pair, run: tuple[int, int, int, int], names: Mapping[int, str]) -> Turn:
    """Same words, other speaker: the labels are what differs."""
    length, token, there, here = run
    text = pair.reference.text(token, token + min(length, MAX_TURN_WORDS))
    labels = [names.get(s) or f"speaker {s}" for s in (here, there)]
    return Turn(
        at_s=pair.reference.start_s(token),
        speaker=here,
        speaker_name=names.get(here, ""),
        reference_text=text,
        hypothesis_text=text,
        diff=(("delete", f"{labels[0]}:"), ("insert", f"{labels[1]}:"), ("equal", text)),
    )
