"""Our words that a reader of the page meets, each in one sentence of the glossary."""

from __future__ import annotations

WORDS = {
    "legacy": "Reflector's existing pipeline, one Celery task",
    "primary": "the run whose answer counts; legacy until the cutover",
    "candidate": "the run on trial",
    "secondary": "the primary's engine run a second time on the same recording, to learn its noise",
    "A/A pair": "two runs of legacy on one recording, compared with each other",
    "stratum": "a group of similar recordings: number of tracks, language, length, silence",
    "p99": "the 99th percentile: the value that 99 of 100 pairs do not exceed",
    "floor": "the p99 of a measure over the A/A pairs of a stratum",
    "limit": "floor plus margin",
    "excess (x)": (
        "how far the candidate is from two legacy runs, beyond their distance from each other"
    ),
    "shift": "how far two engines are apart, without the noise of either",
    "pp": "percentage points: the difference of two percentages",
    "W+": "the evidence that the candidate is not worse; a gate passes at 20",
    "gate": "a decision over many recordings: PASS, FAIL or INCONCLUSIVE",
    "eligible": "of recordings: those that should have been compared, by the primary's own rows",
    "waiver": "a dated, owned, expiring and capped exception that a person granted",
    "first divergent step": (
        "the step whose output differs although its inputs agree: where to look first"
    ),
}
"""Word -> its meaning, as docs/glossary.md has it."""
