"""Words: symmetric disagreement, edits by kind, the longest lost span; normalised and raw.

errors / length = edits / max(words of either side), in [0, 1], the same both ways.
WER either way is edits / reference_words and edits / hypothesis_words, from the counts.
"""

from __future__ import annotations

from typing import NamedTuple

from comparators.alignment.distance import Block, count, distance, encode
from comparators.alignment.transcript_pair import Pair, Transcripts, language_of
from comparators.amounts import sides
from comparators.language.normalise import NORMALISER, normalise
from reflector_migrate.model import Finding, Measure, Observation, Severity, Unit

STEP = "transcribe_track"
PUBLISHED = "told_disagreement"
"""The statistic that holds the disagreement of the TRANSCRIPT events, where rows hold others."""
MAX_FINDINGS = 50
STRAY = 3
_KINDS = {"replace": "changed", "delete": "missing", "insert": "extra"}


def compare_words(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Disagreement of the normalised words."""
    measure = _measure("words", transcripts.words(reference, hypothesis))
    published = published_disagreement(reference, hypothesis)
    if published is None:
        return measure
    return measure.model_copy(update={"stats": {**measure.stats, PUBLISHED: published}})


def compare_words_raw(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Disagreement of the words as received: lost casing or punctuation shows here."""
    return _measure("words_raw", transcripts.raw_words(reference, hypothesis))


def _measure(name: str, pair: Pair) -> Measure:
    """Counts, the longest lost span and the largest differences of one alignment."""
    edits = count(pair.blocks)
    n_reference, n_hypothesis = len(pair.reference.tokens), len(pair.hypothesis.tokens)
    changes = [block for block in pair.blocks if block.tag != "equal"]
    shown = sorted(sorted(changes, key=_size, reverse=True)[:MAX_FINDINGS])
    shown.sort(key=lambda block: block.ref_start)
    return Measure(
        name=name,
        kind="graded",
        errors=edits.total,
        length=max(n_reference, n_hypothesis),
        counts={
            "hits": edits.hits,
            "substitutions": edits.substitutions,
            "deletions": edits.deletions,
            "insertions": edits.insertions,
            "edits": edits.total,
            "reference_words": n_reference,
            "hypothesis_words": n_hypothesis,
            "net_lost": n_reference - n_hypothesis,
        },
        stats=_longest_lost(pair),
        **sides(n_reference, n_hypothesis, Unit.WORD),
        step=STEP,
        normaliser=NORMALISER if name == "words" else "",
        findings=tuple(_finding(name, pair, block) for block in shown),
        findings_truncated=len(changes) - len(shown),
    )


def _size(block: Block) -> int:
    """How many words a difference touches."""
    return max(block.ref_end - block.ref_start, block.hyp_end - block.hyp_start)


def _longest_lost(pair: Pair) -> dict[str, float]:
    """Words and seconds of the longest stretch of one speaker that only the reference has.

    Speakers are followed apart: where two talk at once, one's lost words lie
    between the other's found ones.
    """
    runs = pair.once(lost_runs)
    if not runs:
        return {"longest_lost_words": 0, "longest_lost_s": 0.0}
    run = max(runs, key=lambda run: run.words)
    first, last = (pair.reference.words[place] for place in (run.first, run.last))
    return {
        "longest_lost_words": run.words,
        "longest_lost_s": round(max(last.end - first.start, 0.0), 3),
        "longest_lost_at_s": first.start,
    }


class Run(NamedTuple):
    """Lost words in a row, from and to which word; worth less for each found one among them."""

    words: int
    first: int
    last: int
    worth: int


def lost_runs(pair: Pair) -> list[Run]:
    """Stretches of lost words by speaker, each as it grows word by word.

    An alignment may pair a frequent word inside a lost span with one from outside
    it; so a found word does not end a stretch, it costs it STRAY lost ones.
    """
    return _lost_runs(pair, is_by_speaker=True)


def lost_by_all(pair: Pair) -> list[Run]:
    """The same across all speakers: turns may be shorter than the stretch that is lost."""
    return _lost_runs(pair, is_by_speaker=False)


def _lost_runs(pair: Pair, *, is_by_speaker: bool) -> list[Run]:
    places, words = pair.reference.places, pair.reference.words
    running: dict[int, Run] = {}
    runs = []
    for block in pair.blocks:
        if block.tag == "replace" or (block.tag == "equal" and not running):
            continue
        for token in range(block.ref_start, block.ref_end):
            place = places[token]
            speaker = words[place].speaker if is_by_speaker else 0
            run = running.get(speaker)
            if block.tag == "delete":
                worth = run.worth + 1 if run else 1
                run = Run(run.words + 1 if run else 1, run.first if run else place, place, worth)
                running[speaker] = run
                runs.append(run)
            elif run:
                worth = run.worth - STRAY
                running[speaker] = run._replace(worth=worth)
                if worth <= 0:
                    del running[speaker]
    return runs


def _finding(name: str, pair: Pair, block: Block) -> Finding:
    """One difference with both texts, its time and its speaker."""
    side, at = (
        (pair.hypothesis, block.hyp_start)
        if block.tag == "insert"
        else (pair.reference, block.ref_start)
    )
    size = _size(block)
    texts = (
        pair.reference.text(block.ref_start, block.ref_end),
        pair.hypothesis.text(block.hyp_start, block.hyp_end),
    )
    if texts[0] == texts[1]:  # then only the blanks differ, and must be seen
        texts = (
            "".join(pair.reference.tokens[block.ref_start : block.ref_end]),
            "".join(pair.hypothesis.tokens[block.hyp_start : block.hyp_end]),
        )
    return Finding(
        path=f"{name}/{block.tag}",
        step=STEP,
        severity=Severity.MAJOR if size >= 10 else Severity.MINOR,
        kind=_KINDS[block.tag],
        reference=texts[0],
        hypothesis=texts[1],
        at_s=side.start_s(at),
        position=side.position(at),
        speaker=side.speaker(at),
        message=f"{size} words {_KINDS[block.tag]}",
        is_of_words=True,
    )


def published_disagreement(reference: Observation, hypothesis: Observation) -> float | None:
    """Share of words that differ in the TRANSCRIPT events; None where the topics hold the same.

    A row's words stand in its topics. The step that stores these may have lost or doubled
    some; the event holds the words as they were recognised. Blanks around the whole are not
    words: payloads do not count them either.
    """
    published = [_published(side) for side in (reference, hypothesis)]
    if published[0] is None or published[1] is None:
        return None
    if published == [_stored(side) for side in (reference, hypothesis)]:
        return None
    language = language_of(reference) or language_of(hypothesis)
    tokens = normalise(published[0], language), normalise(published[1], language)
    longest = max(map(len, tokens))
    first, second = encode(*tokens)
    return distance(first, second) / longest if longest else None


def _published(observation: Observation) -> str | None:
    """The text of the last TRANSCRIPT event that has any."""
    texts = [e.data.get("text") for e in observation.events if e.event == "TRANSCRIPT"]
    stripped = (text.strip() for text in reversed(texts) if isinstance(text, str))
    return next(filter(None, stripped), None)


def _stored(observation: Observation) -> str:
    return "".join([word.text for word in observation.outputs.words]).strip()
