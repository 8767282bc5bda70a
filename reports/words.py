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

RULES = {
    "equal": "no difference",
    "empty-on-both-sides": "neither side has anything to compare",
    "exact": "any difference counts",
    "excess-p99+margin": "judged by its excess over legacy's own difference on this recording",
    "aa-p99+margin": "judged by pairs of legacy runs of similar recordings",
    "own-secondary": "judged by the two legacy runs of this recording",
    "floor-too-wide": "legacy differs from itself so much that nothing could be found",
    "no-floor": "no pair of legacy runs shows how much noise makes",
    "absurd": "more differs than any noise makes",
    "legacy-does-too": "the second legacy run shows it too",
    "legacy-agrees": "both legacy runs state it, and the candidate states what nobody said",
    "not-comparable": "one side does not show it",
    "too-little-evidence": "a side shows too little for any verdict",
    "waived": "a person accepted every difference",
    "improvement": "the candidate corrects a known defect of legacy",
    "completion": "how both runs ended",
    "pair-incomplete": "a run is missing, still runs, or could not run",
    "reference-failed": "the primary failed, so there is nothing to compare with",
    "hypothesis-failed": "the candidate failed, and the primary completed",
    "failed-apart": "both sides failed, and not at the same step",
    "outage-met-by-both": "both sides failed, because a server did not do its part",
    "unreadable": "a stored row cannot be read",
    "errored": "a comparator failed",
    "informational": "judged nightly, not here",
}
"""Rule of a check -> why the check has this verdict, in a few words."""
