"""What topics say: matched by time overlap x text similarity, the unmatched counted.

errors / length = (missing + extra + lost similarity of the matched) over all
topics once each; an average over matched ones alone would hide the lost ones.
Topics are matched by what they mean to say, normalised; the matched are alike as far
as they are written alike: lost casing and punctuation count.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from comparators.alignment.assignment import assign
from comparators.alignment.distance import Alphabet
from comparators.alignment.transcript_pair import language_of
from comparators.amounts import sides
from comparators.language.normalise import NORMALISER, normalise
from reflector_migrate.model import Finding, Measure, Observation, Severity, Topic, Unit

STEP = "detect_topics"
MIN_SCORE = 0.02
PLENTY = 250_000


class Spanned(NamedTuple):
    """A topic, the time it covers, its text as encoded tokens."""

    topic: Topic
    start_s: float
    end_s: float
    code: str


class Matching(NamedTuple):
    """Pairs (reference, hypothesis, similarity) and what has no partner."""

    matched: list[tuple[Topic, Topic, float]]
    missing: list[Topic]
    extra: list[Topic]


def match(
    reference: Sequence[Topic], hypothesis: Sequence[Topic], language: str | None = None
) -> Matching:
    """The pairing of greatest total score; a pair needs some overlap and some common text."""
    alphabet = Alphabet()
    mine, theirs = (_spans(side, alphabet, language) for side in (reference, hypothesis))
    pairs = _pairs(mine, theirs)
    taken = {i for i, _ in pairs}, {j for _, j in pairs}
    return Matching(
        [(mine[i].topic, theirs[j].topic, alike(mine[i].topic, theirs[j].topic)) for i, j in pairs],
        [a.topic for i, a in enumerate(mine) if i not in taken[0]],
        [b.topic for j, b in enumerate(theirs) if j not in taken[1]],
    )


def _pairs(mine: Sequence[Spanned], theirs: Sequence[Spanned]) -> list[tuple[int, int]]:
    """By greatest total score; where there are more than PLENTY to choose from, in order.

    Thousands of topics are a fault of themselves, and must not take minutes to be seen.
    """
    if len(mine) * len(theirs) > PLENTY:
        return [
            (n, n) for n, (a, b) in enumerate(zip(mine, theirs, strict=False)) if _overlap(a, b)
        ]
    scores = [[_score(a, b) for b in theirs] for a in mine]
    found = assign([[-s for s in row] for row in scores])
    return [(i, j) for i, j in found if scores[i][j] > MIN_SCORE]


def _spans(topics: Sequence[Topic], alphabet: Alphabet, language: str | None) -> list[Spanned]:
    """Each topic until its last word ends, else until another topic begins."""
    starts = sorted({topic.timestamp for topic in topics})
    spans = []
    for topic in topics:
        after = bisect_right(starts, topic.timestamp)
        following = starts[after] if after < len(starts) else topic.timestamp + 60
        end = topic.words[-1].end if topic.words else following
        code = alphabet.encode(normalise(f"{topic.title} {topic.summary}", language))
        spans.append(Spanned(topic, topic.timestamp, max(end, topic.timestamp + 1.0), code))
    return spans


def _overlap(first: Spanned, second: Spanned) -> float:
    """Time both cover over time either covers."""
    shared = min(first.end_s, second.end_s) - max(first.start_s, second.start_s)
    either = max(first.end_s, second.end_s) - min(first.start_s, second.start_s)
    return max(shared, 0.0) / either


def _score(first: Spanned, second: Spanned) -> float:
    """Overlap x shared tokens in order over all tokens; 0 where they do not overlap in time."""
    if first.end_s <= second.start_s or second.end_s <= first.start_s:
        return 0.0
    from rapidfuzz.distance import Indel

    similarity = float(Indel.normalized_similarity(first.code, second.code))
    return _overlap(first, second) * (0.05 + 0.95 * similarity)


def alike(first: Topic, second: Topic) -> float:
    """Shared words, as written, in order over all words; 1 of equal texts alone."""
    from rapidfuzz.distance import Indel

    texts = [f"{topic.title}\n{topic.summary}" for topic in (first, second)]
    if texts[0] == texts[1]:
        return 1.0
    similarity = Indel.normalized_similarity(*[text.split() for text in texts])
    return min(float(similarity), 1 - 1e-6)


def compare_topic_content(reference: Observation, hypothesis: Observation) -> Measure:
    """Matched, missing and extra topics, and how alike the matched are."""
    mine, theirs = reference.outputs.topics, hypothesis.outputs.topics
    found = match(mine, theirs, language_of(reference) or language_of(hypothesis))
    lost = sum(1 - similarity for _, _, similarity in found.matched)
    return Measure(
        name="topic_content",
        kind="graded",
        errors=len(found.missing) + len(found.extra) + lost,
        length=len(found.matched) + len(found.missing) + len(found.extra),
        counts={
            "matched": len(found.matched),
            "missing": len(found.missing),
            "extra": len(found.extra),
            "lost_similarity": lost,
        },
        **sides(len(mine), len(theirs), Unit.TOPIC),
        step=STEP,
        normaliser=NORMALISER,
        findings=(
            *(_one_sided("missing", topic, _place(mine, topic)) for topic in found.missing),
            *(_one_sided("extra", topic, _place(theirs, topic)) for topic in found.extra),
            *(_changed(*pair, _place(mine, pair[0])) for pair in found.matched if pair[2] < 1),
        ),
    )


def _place(topics: Sequence[Topic], wanted: Topic) -> int:
    """The topic's place among those of its side."""
    return next(place for place, topic in enumerate(topics) if topic is wanted)


def _one_sided(kind: str, topic: Topic, place: int) -> Finding:
    return Finding(
        path=f"topic_content/{kind}",
        step=STEP,
        severity=Severity.MAJOR,
        kind=kind,
        reference=topic.title if kind == "missing" else None,
        hypothesis=topic.title if kind == "extra" else None,
        at_s=topic.timestamp,
        position=place,
        message=f"topic is {kind}",
    )


def _changed(reference: Topic, hypothesis: Topic, similarity: float, place: int) -> Finding:
    return Finding(
        path="topic_content/text",
        step=STEP,
        severity=Severity.MINOR,
        reference=f"{reference.title}: {reference.summary}",
        hypothesis=f"{hypothesis.title}: {hypothesis.summary}",
        at_s=reference.timestamp,
        position=place,
        message=f"{similarity:.0%} alike",
    )
