"""Exact: no output is empty, cut short or looped on the hypothesis alone.

Absolute, never relative to a noise floor: recognition noise does not lose half a
transcript, a speaker's last ten seconds, or say one sentence eight times over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from comparators.columns import raw_pair
from comparators.distance import encode
from comparators.structure import exact
from reflector_migrate.model import Finding, Measure, Observation, Severity, Word

MIN_WORDS = 10
TAIL_S = 10.0
LOOP_TIMES = 6
_LOOP = re.compile(r"(.{4,8}?)\1+", re.DOTALL)
_STEPS = {
    "words": "transcribe_track",
    "topics": "detect_topics",
    "title": "generate_title",
    "short_summary": "generate_summary",
    "long_summary": "generate_summary",
    "webvtt": "detect_topics",
}


def compare_catastrophes(reference: Observation, hypothesis: Observation) -> Measure:
    """Empty, truncated and looped outputs of the hypothesis that the reference has whole."""
    present = [name for name in _STEPS if getattr(reference.outputs, name)]
    findings = [
        _finding(f"{name}/empty", _STEPS[name], f"{name} is empty")
        for name in present
        if not _said(getattr(hypothesis.outputs, name))
    ]
    if hypothesis.outputs.words:
        findings += _truncated(reference.outputs.words, hypothesis.outputs.words)
    findings += _looped(reference, hypothesis)
    return exact("catastrophes", findings[0].step or "" if findings else "transcribe_track",
                 len(present), findings)  # fmt: skip


def _said(value: object) -> bool:
    """Whether there is anything but blanks."""
    return bool(value.strip() if isinstance(value, str) else value)


def _finding(path: str, step: str, message: str, speaker: int | None = None,
             at_s: float | None = None) -> Finding:  # fmt: skip
    return Finding(
        path=f"catastrophes/{path}",
        step=step,
        severity=Severity.CRITICAL,
        kind="missing",
        message=message,
        speaker=speaker,
        at_s=at_s,
    )


def _truncated(reference: Sequence[Word], hypothesis: Sequence[Word]) -> list[Finding]:
    """Speakers who vanish, or whose words end long before they do in the reference.

    Only where words are lost altogether: under another name they are not.
    """
    if len(reference) - len(hypothesis) < MIN_WORDS:
        return []
    mine, theirs = _ends(reference), _ends(hypothesis)
    findings = []
    for speaker, (end_s, starts) in sorted(mine.items()):
        heard_s = theirs[speaker][0] if speaker in theirs else -1.0
        lost = sum(1 for start in starts if start > heard_s)
        if speaker not in theirs and lost >= MIN_WORDS:
            findings.append(_lost("empty", speaker, f"none of {lost} words", starts[0]))
        elif lost >= MIN_WORDS and end_s - heard_s >= TAIL_S:
            findings.append(_lost("truncated", speaker, f"the last {lost} words lost", heard_s))
    return findings


def _lost(what: str, speaker: int, message: str, at_s: float) -> Finding:
    return _finding(f"words/{what}", "transcribe_track", f"speaker {speaker}: {message}",
                    speaker, at_s)  # fmt: skip


def _ends(words: Sequence[Word]) -> dict[int, tuple[float, list[float]]]:
    """Per speaker: when their last word ends, when each begins."""
    ends: dict[int, tuple[float, list[float]]] = {}
    for word in words:
        end_s, starts = ends.get(word.speaker, (0.0, []))
        starts.append(word.start)
        ends[word.speaker] = max(end_s, word.end), starts
    return ends


def _looped(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """Texts that repeat one phrase again and again, one after the other."""
    words = raw_pair(reference, hypothesis)
    codes = {"words": (words.reference_code, words.hypothesis_code)}
    for name in ("title", "short_summary", "long_summary"):
        texts = [str(getattr(side.outputs, name) or "") for side in (reference, hypothesis)]
        mine, theirs = encode(*[text.split() for text in texts])
        codes[name] = mine, theirs
    findings = []
    for name, (mine, theirs) in codes.items():
        times = longest_loop(theirs)
        if times >= LOOP_TIMES and longest_loop(mine) < LOOP_TIMES:
            message = f"{name} repeats one phrase {times} times"
            findings.append(_finding(f"{name}/looped", _STEPS[name], message))
    return findings


def longest_loop(code: str) -> int:
    """How often a phrase of 4 to 8 tokens follows itself at most, in an encoded text."""
    times = [len(m.group()) // len(m.group(1)) for m in _LOOP.finditer(code)]
    return max(times, default=1 if code else 0)
