"""WebVTT as Reflector writes it: one cue a turn, with its speaker."""

from __future__ import annotations

import re
from typing import NamedTuple

_TIME = r"(\d{2,9}):(\d{2}):(\d{2})\.(\d{3})"
_CUE = re.compile(rf"{_TIME} --> {_TIME}\n(?:<v Speaker(\d{{1,9}})>)?(.*)")


class Cue(NamedTuple):
    """One caption; times in milliseconds."""

    start_ms: int
    end_ms: int
    speaker: int | None
    text: str


def parse(webvtt: str) -> tuple[list[Cue], bool]:
    """The cues, and whether every block after the header is one."""
    head, *blocks = re.split(r"\n{2,}", webvtt.strip())
    matches = [_CUE.fullmatch(block) for block in blocks if block.strip()]
    cues = [_cue(match) for match in matches if match]
    return cues, head.startswith("WEBVTT") and len(cues) == len(matches)


def _cue(match: re.Match[str]) -> Cue:
    numbers = [int(match.group(i)) for i in range(1, 9)]
    speaker = int(match.group(9)) if match.group(9) is not None else None
    return Cue(_ms(numbers[:4]), _ms(numbers[4:]), speaker, match.group(10))


def _ms(parts: list[int]) -> int:
    hours, minutes, seconds, milliseconds = parts
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
