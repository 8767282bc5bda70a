"""Exact: no output is empty, cut short, looped or a model's raw output on the hypothesis alone.

Absolute, never relative to a noise floor: recognition noise does not lose ten seconds
of a speaker in one piece, and a model does not say one sentence eight times over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import eq

from comparators.alignment.distance import encode
from comparators.alignment.transcript_pair import Pair, Transcripts
from comparators.broken_texts import blank_topics, stray
from comparators.exact_measure import exact
from comparators.words import Run, lost_by_all, lost_runs
from reflector_migrate.model import Finding, Measure, Observation, Severity, Word

MIN_WORDS = 10
LOST_S = 10.0
MIN_WORDS_OF_ALL, LOST_BY_ALL_S = 15, 7.5
"""Of everybody: words that begin within ten seconds end sooner than ten seconds after the first."""
LOOP_TIMES = 6
PHRASE = range(4, 101)
"""Tokens of a phrase that may come back; a shorter one counts when repeated to that length."""
MAX_PERIODS = 4
CUT_SHARE = 0.5
SUMMARIES = ("short_summary", "long_summary")
_CLOSING = tuple(".!?:;\u2026\"')*\u201d\u3002\uff01\uff1f")
_STEPS = {
    "words": "transcribe_track",
    "topics": "detect_topics",
    "title": "generate_title",
    "short_summary": "generate_summary",
    "long_summary": "generate_summary",
    "webvtt": "detect_topics",
}


def compare_catastrophes(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Empty, truncated, looped and raw outputs of the hypothesis; the reference has them whole."""
    present = [name for name in _STEPS if _said(getattr(reference.outputs, name))]
    findings = [
        _finding(name, "empty", f"{name} is empty")
        for name in present
        if not _said(getattr(hypothesis.outputs, name))
    ]
    looped = _looped(reference, hypothesis, transcripts.words(reference, hypothesis))
    if _said(hypothesis.outputs.words):
        ended = _truncated(reference.outputs.words, hypothesis.outputs.words)
        known = {finding.speaker for finding in ended}
        words = transcripts.words(reference, hypothesis)
        lost = _stretches(words) or (
            [] if ended or _is_of_words(looped) else _stretch_of_all(words)
        )
        findings += ended + [finding for finding in lost if finding.speaker not in known]
    findings += _blank_topics(reference, hypothesis) + _stray(reference, hypothesis)
    findings += _cut_short(reference, hypothesis)
    findings += looped
    return exact("catastrophes", findings[0].step or "" if findings else "transcribe_track",
                 len(present), findings)  # fmt: skip


def _is_of_words(findings: Sequence[Finding]) -> bool:
    return any(finding.is_of_words for finding in findings)


def _said(value: object) -> bool:
    """Whether there is anything but blanks."""
    if isinstance(value, tuple):
        return any(getattr(item, "text", "said").strip() for item in value)
    return bool(value.strip() if isinstance(value, str) else value)


def _finding(
    output: str, what: str, message: str, speaker: int | None = None, at_s: float | None = None
) -> Finding:
    return Finding(
        path=f"catastrophes/{output}/{what}",
        step=_STEPS[output],
        severity=Severity.CRITICAL,
        kind="missing",
        message=message,
        speaker=speaker,
        at_s=at_s,
        is_of_words=output == "words",
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
        elif lost >= MIN_WORDS and end_s - heard_s >= LOST_S:
            findings.append(_lost("truncated", speaker, f"the last {lost} words lost", heard_s))
    return findings


def _lost(what: str, speaker: int, message: str, at_s: float) -> Finding:
    return _finding("words", what, f"speaker {speaker}: {message}", speaker, at_s)


def _ends(words: Sequence[Word]) -> dict[int, tuple[float, list[float]]]:
    """Per speaker: when their last word ends, when each begins."""
    ends: dict[int, tuple[float, list[float]]] = {}
    for word in words:
        end_s, starts = ends.get(word.speaker, (0.0, []))
        starts.append(word.start)
        ends[word.speaker] = max(end_s, word.end), starts
    return ends


def _stretches(pair: Pair) -> list[Finding]:
    """Ten words and ten seconds of one speaker in one piece that stand nowhere in the hypothesis.

    A stray word found among them does not save them; words that only moved do.
    """
    longest: dict[int, Run] = {}
    words = pair.reference.words
    for run in pair.once(lost_runs):
        is_long = run.words >= MIN_WORDS and words[run.last].end - words[run.first].start >= LOST_S
        speaker = words[run.first].speaker
        if is_long and (speaker not in longest or run.words > longest[speaker].words):
            longest[speaker] = run
    if not longest:
        return []
    gone = Counter(pair.reference_code) - Counter(pair.hypothesis_code)
    return [
        _stretch(words, run, speaker)
        for speaker, run in sorted(longest.items())
        if _is_gone(pair, run, gone)
    ]


def _stretch_of_all(pair: Pair) -> list[Finding]:
    """The longest stretch that is lost of everybody, where no one speaker's is long enough."""
    words = pair.reference.words
    found = [
        run
        for run in pair.once(lost_by_all)
        if run.words >= MIN_WORDS_OF_ALL
        and words[run.last].end - words[run.first].start >= LOST_BY_ALL_S
    ]
    gone = Counter(pair.reference_code) - Counter(pair.hypothesis_code) if found else Counter[str]()
    longest = max(found, key=lambda run: run.words, default=None)
    if longest is None or not _is_gone(pair, longest, gone, is_of_all=True):
        return []
    start_s, end_s = words[longest.first].start, words[longest.last].end
    message = f"everybody: {longest.words} words lost over {end_s - start_s:.0f} s"
    return [_finding("words", "lost", message, at_s=start_s)]


def _is_gone(pair: Pair, run: Run, gone: Counter[str], *, is_of_all: bool = False) -> bool:
    """Whether most of a stretch's words are missing altogether, and not merely elsewhere."""
    words = pair.reference.words
    said = zip(pair.reference_code, pair.reference.places, strict=True)
    own = Counter(
        token
        for token, place in said
        if run.first <= place <= run.last
        and (is_of_all or words[place].speaker == words[run.first].speaker)
    )
    missing = (own & gone).total()
    return missing >= max(MIN_WORDS, run.words / (3 if is_of_all else 2))


def _stretch(words: Sequence[Word], run: Run, speaker: int) -> Finding:
    start_s, end_s = words[run.first].start, words[run.last].end
    return _lost("lost", speaker, f"{run.words} words lost over {end_s - start_s:.0f} s", start_s)


def _blank_topics(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """Topics without a title or summary: more of them than the reference has.

    No topics at all are a finding of their own.
    """
    number = len(hypothesis.outputs.topics)
    blank = {name: blank_topics(hypothesis, name) for name in ("title", "summary")}
    return [
        _finding("topics", f"{name}_empty", f"{name} of {times} of {number} topics is empty")
        for name, times in blank.items()
        if times > blank_topics(reference, name)
    ]


def _stray(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """What a model did not write for people, in a text of the hypothesis alone."""
    known = stray(reference)
    return [
        _finding(output, "stray", f"{output} holds {what} of the language model")
        for output, what in stray(hypothesis).items()
        if output not in known
    ]


def _cut_short(reference: Observation, hypothesis: Observation) -> list[Finding]:
    """Summaries that break off: the reference's own beginning, or half of one without an end."""
    findings = []
    for name in SUMMARIES:
        mine, theirs = (
            str(getattr(side.outputs, name) or "").strip() for side in (reference, hypothesis)
        )
        words = len(mine.split()), len(theirs.split())
        is_short = bool(theirs) and words[0] - words[1] >= MIN_WORDS
        if is_short and (mine.startswith(theirs) or _breaks_off(mine, theirs, words)):
            message = f"{name} is cut short: {words[1]} of {words[0]} words"
            findings.append(_finding(name, "truncated", message))
    return findings


def _breaks_off(reference: str, hypothesis: str, words: tuple[int, int]) -> bool:
    """Under half as long, and cut off within a sentence where the reference ends one."""
    is_amid = reference.endswith(_CLOSING) and not hypothesis.endswith(_CLOSING)
    return is_amid and words[1] < CUT_SHARE * words[0]


def _looped(reference: Observation, hypothesis: Observation, words: Pair) -> list[Finding]:
    """Texts that repeat one phrase again and again, one after the other."""
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
            findings.append(_finding(name, "looped", message))
    return findings


def longest_loop(code: str) -> int:
    """How often a phrase of 4 to 100 tokens follows itself at most, in an encoded text."""
    times = [(_longest_run(code, n) + n) // n for n in _periods(code)]
    return max(times, default=1 if code else 0)


def _periods(code: str) -> list[int]:
    """How far apart the text says the same four tokens again, most often first."""
    least = PHRASE.start
    grams = [code[place : place + least] for place in range(len(code) - least + 1)]
    if len(set(grams)) == len(grams):
        return []
    apart, last = Counter[int](), dict[str, int]()
    for place, gram in enumerate(grams):
        period = place - last.get(gram, -PHRASE.stop)
        last[gram] = place
        if period < PHRASE.stop:
            apart[period * -(-least // period)] += 1
    return [period for period, _ in apart.most_common(MAX_PERIODS)]


def _longest_run(code: str, period: int) -> int:
    """The longest stretch that equals what stands `period` tokens further on."""
    same = bytes(map(eq, code, code[period:]))
    return max(map(len, same.split(b"\0")))
