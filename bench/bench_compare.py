"""Comparing against the stock tools: both in one loop, results asserted equal, ratio last.

    python bench/bench_compare.py            sizes of a one-hour meeting
    python bench/bench_compare.py --full     and those of four hours and 100,000 words

A ratio is our median time over the peer's; smaller is better. Imports are warm
on both sides. meeteval needs a compiler to install: without it its row is named
as not run.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from comparators import overlap
from comparators.columns import forget, raw
from comparators.distance import blocks, count, distance, encode
from comparators.normalise import normalise
from comparators.permutation import best_permutation
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import (
    Event,
    Observation,
    Outputs,
    Participant,
    StepRun,
    Topic,
    Word,
)

VOCABULARY = [f"word{n}" for n in range(4000)]


def race(
    name: str, ours: Callable[[], Any], peer: Callable[[], Any], *, rounds: int, reach: float
) -> float:
    """Run both in turn; print the medians and, last, the ratio. Results must be equal."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        answers = []
        for side, run in enumerate((ours, peer)):
            begin = time.perf_counter()
            answers.append(run())
            times[side].append(time.perf_counter() - begin)
        assert answers[0] == answers[1], f"{name}: {answers}"
    medians = [statistics.median(side) * 1000 for side in times]
    ratio = medians[0] / medians[1]
    print(f"{name:<44} ours {medians[0]:9.2f} ms   peer {medians[1]:9.2f} ms   "
          f"reach {reach:.4f}   ratio {ratio:.4f}", flush=True)  # fmt: skip
    return ratio


def transcript(rng: random.Random, n: int) -> list[str]:
    """n words of a vocabulary of four thousand."""
    return rng.choices(VOCABULARY, k=n)


def noisy(rng: random.Random, words: Sequence[str], rate: float = 0.03) -> list[str]:
    """A third of the edits each: lost, replaced, inserted."""
    out: list[str] = []
    for word in words:
        draw = rng.random()
        if draw < rate / 3:
            continue
        out.append(rng.choice(VOCABULARY) if draw < 2 * rate / 3 else word)
        if 2 * rate / 3 <= draw < rate:
            out.append(rng.choice(VOCABULARY))
    return out


def words_of(texts: Sequence[str], speakers: int) -> tuple[Word, ...]:
    """Speakers take turns of twenty words, three words a second."""
    return tuple(
        Word(text=f"{t} ", start=round(n / 3, 2), end=round(n / 3 + 0.3, 2),
             speaker=(n // 20) % speakers)
        for n, t in enumerate(texts)
    )  # fmt: skip


def misheard(rng: random.Random, words: Sequence[Word], rate: float = 0.03) -> tuple[Word, ...]:
    """The same speech recognised again: words lost, replaced, inserted; times and speakers kept."""
    out: list[Word] = []
    for word in words:
        heard = noisy(rng, [word.text], rate)
        out += [word.model_copy(update={"text": f"{text.strip()} "}) for text in heard]
    return tuple(out)


def bench_distance(rng: random.Random, sizes: Sequence[tuple[int, float]]) -> None:
    """Exact word distance from raw text."""
    import jiwer

    for n, reach in sizes:
        reference = transcript(rng, n)
        texts = " ".join(reference), " ".join(noisy(rng, reference))

        def ours(texts: tuple[str, str] = texts) -> int:
            return distance(*encode(texts[0].split(), texts[1].split()))

        def peer(texts: tuple[str, str] = texts) -> int:
            found = jiwer.process_words(*texts)
            return int(found.substitutions + found.deletions + found.insertions)

        race(f"word distance, {n} words (jiwer)", ours, peer, rounds=5, reach=reach)


def bench_operations(rng: random.Random) -> None:
    """Edit operations; only the number of edits is unique, so that is what must be equal."""
    import jiwer

    reference = transcript(rng, 9000)
    texts = " ".join(reference), " ".join(noisy(rng, reference))

    def ours() -> int:
        return count(blocks(*encode(texts[0].split(), texts[1].split()))).total

    def peer() -> int:
        [chunks] = jiwer.process_words(*texts).alignments
        spans = [
            max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx)
            for c in chunks
            if c.type != "equal"
        ]
        return sum(spans)

    race("edit operations, 9000 words (jiwer)", ours, peer, rounds=7, reach=0.5)


def bench_cpwer(rng: random.Random, sizes: Sequence[tuple[int, int, int, float]]) -> None:
    """cpWER, error counts equal; also for unequal speaker counts."""
    if importlib.util.find_spec("meeteval") is None:
        print("cpWER (meeteval): not run, meeteval is not installed (it needs a compiler)")
        return
    import meeteval

    for n, r, h, reach in sizes:
        reference = [transcript(rng, n // r) for _ in range(r)]
        hypothesis = [noisy(rng, texts) for texts in reference[:h]]
        rng.shuffle(hypothesis)
        joined = [" ".join(t) for t in reference], [" ".join(t) for t in hypothesis]

        def ours(joined: tuple[list[str], list[str]] = joined) -> int:
            codes = encode(*[t.split() for side in joined for t in side])
            return best_permutation(codes[: len(joined[0])], codes[len(joined[0]) :]).edits

        def peer(joined: tuple[list[str], list[str]] = joined) -> int:
            rate = meeteval.wer.cp_word_error_rate(
                reference=joined[0],
                hypothesis=joined[1],
                reference_sort=False,
                hypothesis_sort=False,
            )
            return int(rate.errors)

        name = f"cpWER, {n} words, {r} and {h} speakers (meeteval)"
        race(name, ours, peer, rounds=3, reach=reach)


def bench_records(rng: random.Random, n: int) -> None:
    """Word records, identical and after one lost span; DeepDiff compares them place by place."""
    from deepdiff import DeepDiff

    words = words_of(transcript(rng, n), 5)
    same = tuple(word.model_copy() for word in words)
    lost = words[: n // 3] + words[n // 3 + 40 :]
    records = [[word.model_dump() for word in side] for side in (words, same, lost)]

    def differing(hypothesis: tuple[Word, ...]) -> int:
        sides = raw(words), raw(hypothesis)
        found = blocks(*encode(*[side.tokens for side in sides]))
        return sum(1 for block in found if block.tag != "equal")

    race(f"{n} equal word records (DeepDiff)", lambda: differing(same),
         lambda: len(DeepDiff(records[0], records[1])), rounds=3, reach=1 / 50)  # fmt: skip
    counted: list[int] = []

    def peer() -> int:
        found = DeepDiff(records[0], records[2])
        counted.append(sum(len(kind) for kind in found.values()))
        return 1  # one span was lost: the true number of differences

    race(f"{n} word records, one span lost (DeepDiff)", lambda: differing(lost), peer,
         rounds=1, reach=1 / 300)  # fmt: skip
    print(f"{'':<44} DeepDiff sees {counted[0]} differences, ours 1")


def bench_rouge(rng: random.Random) -> None:
    """ROUGE-L of a summary pair, equal to six digits."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    reference = transcript(rng, 150)
    texts = " ".join(reference), " ".join(noisy(rng, reference, 0.3))

    def ours() -> float:
        return round(overlap.rouge_l(texts[0].split(), texts[1].split()), 6)

    def peer() -> float:
        return round(float(scorer.score(*texts)["rougeL"].fmeasure), 6)

    race("ROUGE-L of a summary pair (rouge-score)", ours, peer, rounds=15, reach=1 / 50)


def meeting(rng: random.Random, words: tuple[Word, ...], tracks: int, topics: int) -> Observation:
    """A finished run over these words, with 500 events."""
    size = len(words) // topics
    chapters = tuple(
        Topic(title=" ".join(transcript(rng, 5)), summary=" ".join(transcript(rng, 30)),
              timestamp=words[n * size].start, duration=0, words=words[n * size : (n + 1) * size])
        for n in range(topics)
    )  # fmt: skip
    summary = " ".join(transcript(rng, 400))
    outputs = Outputs(
        participants=tuple(Participant(id=f"p{n}", speaker=n, name=f"N{n}") for n in range(tracks)),
        duration_ms=len(words) / 3 * 1000,
        waveform=tuple(rng.random() for _ in range(254)),
        words=words,
        topics=chapters,
        title="A title",
        short_summary=summary[:600],
        long_summary=summary,
        webvtt="WEBVTT\n",
        row={"id": "transcript-1", "status": "ended"},
    )
    events = tuple(Event(event="TOPIC", data={"title": c.title}) for c in chapters)
    filler = tuple(Event(event="PIPELINE_PROGRESS") for _ in range(500 - len(events)))
    return Observation(recording="r", role="primary", engine="celery", status="completed",
                       language="en", outputs=outputs, events=events + filler,
                       steps=(StepRun(name="finalize"),))  # fmt: skip


def stock(reference: Observation, hypothesis: Observation) -> None:
    """The calls a careful engineer would make instead, one after the other."""
    import jiwer
    from deepdiff import DeepDiff
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import CHRF

    sides = reference.outputs, hypothesis.outputs
    texts = ["".join(w.text for w in side.words) for side in sides]
    jiwer.process_words(*texts)
    jiwer.process_words(*[" ".join(normalise(text, "en")) for text in texts])
    if importlib.util.find_spec("meeteval"):
        import meeteval

        spoken = [
            [" ".join(w.text for w in side.words if w.speaker == s) for s in range(6)]
            for side in sides
        ]
        meeteval.wer.cp_word_error_rate(reference=spoken[0], hypothesis=spoken[1],
                                        reference_sort=False, hypothesis_sort=False)  # fmt: skip
    scorer, chrf = RougeScorer(["rouge1", "rougeL"]), CHRF(word_order=2)
    for name in ("title", "short_summary", "long_summary"):
        pair = [getattr(side, name) for side in sides]
        scorer.score(*pair)
        chrf.sentence_score(pair[1], [pair[0]])
    DeepDiff(*[[word.model_dump() for word in side.words] for side in sides])
    DeepDiff(*[[event.model_dump() for event in o.events] for o in (reference, hypothesis)])


def bench_whole(rng: random.Random) -> None:
    """One whole comparison of a one-hour meeting against the sum of the stock calls."""
    words = words_of(transcript(rng, 9000), 6)
    reference, hypothesis = (meeting(rng, w, 6, 30) for w in (words, misheard(rng, words)))
    compare(reference, hypothesis)

    def peer() -> str:
        stock(reference, hypothesis)
        return str(compare(reference, hypothesis).verdict)  # asserted equal; taken off below

    begin = time.perf_counter()
    verdict = compare(reference, hypothesis).verdict
    ours_s = time.perf_counter() - begin
    begin = time.perf_counter()
    assert peer() == verdict
    peer_s = time.perf_counter() - begin - ours_s
    print(f"{'whole comparison, 9000 words':<44} ours {ours_s * 1000:9.2f} ms   "
          f"peer {peer_s * 1000:9.2f} ms   reach 0.0500   ratio {ours_s / peer_s:.4f}")  # fmt: skip


def bench_four_hours(rng: random.Random) -> None:
    """36,000 words, 8 speakers, 120 topics: seconds, and what memory the process has held."""
    words = words_of(transcript(rng, 36_000), 8)
    reference, hypothesis = (meeting(rng, w, 8, 120) for w in (words, misheard(rng, words)))
    begin = time.perf_counter(), time.process_time()
    compare(reference, hypothesis)
    wall_s, cpu_s = time.perf_counter() - begin[0], time.process_time() - begin[1]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"four hours, first comparison: {wall_s:.2f} s wall, {cpu_s:.2f} s of processor, "
          f"{peak_mb:.0f} MB peak   reach 1 s, 300 MB   ratio {cpu_s:.4f}")  # fmt: skip


def main() -> None:
    """All rows, smallest first; the four hours first of all, for their memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the large sizes too (minutes)")
    is_full = parser.parse_args().full
    rng = random.Random(7)
    bench_four_hours(rng)
    forget()
    sizes = [(9000, 0.35), (36_000, 0.20), (100_000, 0.10)]
    bench_distance(rng, sizes if is_full else sizes[:2])
    bench_operations(rng)
    cpwer = [(9000, 5, 5, 1 / 30), (9000, 5, 4, 1 / 30), (36_000, 5, 5, 1 / 150)]
    bench_cpwer(rng, cpwer if is_full else cpwer[:2])
    bench_rouge(rng)
    bench_records(rng, 9000 if is_full else 2000)
    bench_whole(rng)


if __name__ == "__main__":
    main()
