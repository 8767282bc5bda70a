"""From evidence of many recordings to gates: PASS, FAIL or INCONCLUSIVE, valid at every look.

evidence.py      one line of evidence (evidence/1), and the strict reader of such lines
rules.py         which gates there are, their margins, strata and limits; rules.toml is the default
baseline.py      the primary's run time against the time before anything was shadowed
cohorts.py       lines that may be judged together: same builds, same origin, a recording once
clusters.py      nights and meeting series: how much they share, and what is fed as one value
eprocess.py      the betting process on a mean, and the confidence sequence it gives
answers.py       what a gate answers, and how numbers are rounded so that no gate opens by it
exact.py         G0: differences, and candidate failures, of which there may be none
means.py         G1 and its kin: excess, latency, cost, error parity
catastrophes.py  G2: none in enough recordings
coverage.py      the share of eligible recordings that were compared
spread.py        how far legacy lies from itself: what clip and night_effect must allow for
gate.py          all gates of all cohorts, and their worst

Pure: no clock, no store, no settings, no file. The same lines and rules give the same answers.
"""
