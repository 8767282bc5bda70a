"""Comparing against the stock tools: both in one loop, results asserted equal, ratio last.

    python bench/bench_compare.py

A ratio is our median processor time over the peer's; smaller is better. Imports
are warm on both sides. meeteval needs a compiler to install and is in no lock:
without it its rows are named as NOT RUN, and the sum of stock calls has none of it.
"""

from __future__ import annotations

import importlib.util
import random
import resource
import time
from collections.abc import Sequence

from synthetic import meeting, misheard, noisy, race, transcript, words_of

from comparators.alignment import text_overlap
from comparators.alignment.cpwer import best_permutation
from comparators.alignment.distance import blocks, count, distance, encode
from comparators.alignment.transcript_pair import raw
from comparators.language.normalise import normalise
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Observation, Word

HAS_MEETEVAL = importlib.util.find_spec("meeteval") is not None


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


def cp_errors(reference: list[str], hypothesis: list[str]) -> int:
    """meeteval's count for texts by speaker."""
    import meeteval

    rate = meeteval.wer.cp_word_error_rate(
        reference=reference, hypothesis=hypothesis, reference_sort=False, hypothesis_sort=False
    )
    return int(rate.errors)


def bench_cpwer(rng: random.Random, sizes: Sequence[tuple[int, int, int, float]]) -> None:
    """cpWER, error counts equal; also for unequal speaker counts."""
    if not HAS_MEETEVAL:
        print("!! cpWER (meeteval): NOT RUN, meeteval is not installed (it needs a compiler);\n"
              "!! docs/results/performance.md has the figures measured where it was")  # fmt: skip
        return
    for n, r, h, reach in sizes:
        reference = [transcript(rng, n // r) for _ in range(r)]
        hypothesis = [noisy(rng, texts) for texts in reference[:h]]
        rng.shuffle(hypothesis)
        joined = [" ".join(t) for t in reference], [" ".join(t) for t in hypothesis]

        def ours(joined: tuple[list[str], list[str]] = joined) -> int:
            codes = encode(*[t.split() for side in joined for t in side])
            return best_permutation(codes[: len(joined[0])], codes[len(joined[0]) :]).edits

        def peer(joined: tuple[list[str], list[str]] = joined) -> int:
            return cp_errors(*joined)

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
    print(f"{'':<48} DeepDiff sees {counted[0]} differences, ours 1")


def bench_rouge(rng: random.Random) -> None:
    """ROUGE-L of a summary pair, equal to six digits."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    reference = transcript(rng, 150)
    texts = " ".join(reference), " ".join(noisy(rng, reference, 0.3))

    def ours() -> float:
        return round(text_overlap.rouge_l(texts[0].split(), texts[1].split()), 6)

    def peer() -> float:
        return round(float(scorer.score(*texts)["rougeL"].fmeasure), 6)

    race("ROUGE-L of a summary pair (rouge-score)", ours, peer, rounds=9, reach=1 / 50, times=20)


def stock(reference: Observation, hypothesis: Observation) -> dict[str, float]:
    """The calls a careful engineer would make instead, one after the other; some of their figures.

    cpWER is left out where meeteval is not installed, which makes the stock cheaper.
    """
    import jiwer
    from deepdiff import DeepDiff
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import CHRF

    sides = reference.outputs, hypothesis.outputs
    texts = ["".join(w.text for w in side.words) for side in sides]
    raw_words = jiwer.process_words(*texts)
    words = jiwer.process_words(*[" ".join(normalise(text, "en")) for text in texts])
    found: dict[str, float] = {
        "words_raw": raw_words.substitutions + raw_words.deletions + raw_words.insertions,
        "words": words.substitutions + words.deletions + words.insertions,
    }
    if HAS_MEETEVAL:
        spoken = [
            [" ".join(normalise("".join(w.text for w in side.words if w.speaker == s), "en"))
             for s in range(6)]
            for side in sides
        ]  # fmt: skip
        found["cp_edits"] = cp_errors(*spoken)
    scorer, chrf = RougeScorer(["rouge1", "rougeL"]), CHRF(word_order=2)
    for name in ("title", "short_summary", "long_summary"):
        pair = [getattr(side, name) for side in sides]
        scorer.score(*pair)
        chrf.sentence_score(pair[1], [pair[0]])
    DeepDiff(*[[word.model_dump() for word in side.words] for side in sides])
    DeepDiff(*[[event.model_dump() for event in o.events] for o in (reference, hypothesis)])
    return found


def ours_of(reference: Observation, hypothesis: Observation) -> dict[str, float]:
    """The same figures out of the whole comparison, every other measure and verdict beside them."""
    measures = {c.name: c.measure for c in compare(reference, hypothesis).checks if c.measure}
    found = {name: measures[name].errors for name in ("words_raw", "words")}
    if HAS_MEETEVAL:
        found["cp_edits"] = measures["speaker_words"].counts["cp_edits"]
    return found


def bench_whole(rng: random.Random) -> None:
    """One whole comparison of a one-hour meeting against the sum of the stock calls."""
    words = words_of(transcript(rng, 9000), 6)
    pair = [meeting(rng, w, 6, 30) for w in (words, misheard(rng, words))]
    ours_of(*pair)
    name = f"whole comparison, 9000 words{'' if HAS_MEETEVAL else ' (no meeteval)'}"
    race(name, lambda: ours_of(*pair), lambda: stock(*pair), rounds=3, reach=1 / 20)


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
    """All rows, the four hours first of all, for their memory."""
    rng = random.Random(7)
    bench_four_hours(rng)
    bench_distance(rng, [(9000, 0.35), (36_000, 0.20), (100_000, 0.10)])
    bench_operations(rng)
    bench_cpwer(rng, [(9000, 5, 5, 1 / 30), (9000, 5, 4, 1 / 30), (36_000, 5, 5, 1 / 150)])
    bench_rouge(rng)
    bench_records(rng, 9000)
    bench_whole(rng)


if __name__ == "__main__":
    main()
