"""The first step whose output differs although its inputs agree, within noise.

A step's output differs when its digests do, unless every measure of that output
is within noise; or when something that it alone writes (its rows, events, effects) is
not equal, which no digest of its output shows. Where a side has no digests (a real legacy
deployment), the measures that diverged tell: the earliest step they can be laid to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from reflector_migrate.model import (
    STEP_NAMES,
    Blame,
    Check,
    Finding,
    Observation,
    StepRun,
    Verdict,
)

State = Literal["agree", "differ", "unknown"]
_Key = tuple[str, int | None]

SPEECH = ("pad_track", "transcribe_track", "merge_transcripts")
UPSTREAM: Mapping[str, tuple[str, ...]] = {
    "words": SPEECH,
    "words_raw": SPEECH,
    "speaker_words": SPEECH,
    "speaker_mapping": SPEECH,
    "word_times": SPEECH,
    "topic_boundaries": (*SPEECH, "detect_topics"),
    "topic_content": (*SPEECH, "detect_topics"),
    "title": (*SPEECH, "detect_topics", "generate_title"),
    "title_facts": (*SPEECH, "detect_topics", "generate_title"),
    "short_summary": (*SPEECH, "detect_topics", "generate_summary"),
    "long_summary": (*SPEECH, "detect_topics", "generate_summary"),
    "summary_facts": (*SPEECH, "detect_topics", "generate_summary"),
    "language": ("get_recording", *SPEECH, "detect_topics", "generate_summary"),
    "catastrophes": (*SPEECH, "detect_topics", "generate_title", "generate_summary"),
    "duration": ("pad_track", "mixdown_tracks"),
    "waveform": ("pad_track", "mixdown_tracks", "generate_waveform"),
}
"""Measure -> the steps that can make it diverge; for others only a finding's own step."""

OWN_MEASURES: Mapping[str, tuple[str, ...]] = {
    "get_participants": ("participants",),
    "pad_track": ("word_times", "words", "duration", "waveform"),
    "mixdown_tracks": ("duration", "waveform"),
    "generate_waveform": ("waveform",),
    "transcribe_track": ("words", "words_raw", "word_times"),
    "merge_transcripts": ("words", "words_raw", "word_times", "speaker_words", "speaker_mapping"),
    "detect_topics": ("topic_boundaries", "topic_content", "language"),
    "generate_title": ("title", "title_facts"),
    "generate_summary": ("short_summary", "long_summary", "summary_facts", "language"),
}
"""Step -> measures of its output, and of what is drawn from it; all within noise: it agrees."""

STORED_BY: Mapping[str, str] = dict.fromkeys(
    ("words", "words_raw", "speaker_words", "speaker_mapping", "word_times", "catastrophes"),
    "detect_topics",
)
"""Measure -> the step that writes what is measured into the row: words stand in its topics."""

FREE = frozenset({"transcribe_track", "detect_topics", "generate_title", "generate_summary"})
"""Steps that ask a model: the same input need not give the same output."""

_FINE = frozenset({Verdict.MATCHED, Verdict.WITHIN_NOISE, Verdict.WAIVED})


def first_divergent_step(
    reference: Observation, hypothesis: Observation, checks: Sequence[Check]
) -> Blame | None:
    """The step to look at first; None when nothing differs."""
    failed = _failed_step(reference, hypothesis)
    if failed:
        return _cause_of(failed, reference, hypothesis)
    suspects = _suspects(checks)
    if not suspects:
        return None
    states = step_states(reference, hypothesis)
    fine = {check.name for check in checks if check.verdict in _FINE}
    made = _by_digest(suspects, states, fine) or _by_measure(suspects, states, fine)
    found = [blame for blame in (made, _by_own_work(suspects)) if blame]
    return min(found, key=lambda blame: position(blame.step), default=None)


def _failed_step(reference: Observation, hypothesis: Observation) -> Blame | None:
    """A step that failed on the hypothesis, where the reference's run completed."""
    if reference.status != "completed" or hypothesis.status not in {"failed", "timed_out"}:
        return None
    last = {(step.name, step.track_index): step for step in _in_order(hypothesis.steps)}
    for step in last.values():
        if step.status in {"failed", "timed_out"}:
            why = f"{step.status}: {step.error or 'no reason given'}"
            return Blame(step=step.name, why=why, track_index=step.track_index)
    return None


def _cause_of(failed: Blame, reference: Observation, hypothesis: Observation) -> Blame:
    """The failed step, unless an earlier one gave it what the reference did not have.

    Only a step that owes the same output for the same input can be convicted so.
    """
    mine, theirs = _last_completed(reference), _last_completed(hypothesis)
    both = [theirs[key] for key in mine if key in theirs and key[0] not in FREE]
    for step in _in_order(both):
        other = mine[step.name, step.track_index]
        is_known = step.input_digest and step.output_digest and other.output_digest
        has_same = step.input_digest == other.input_digest
        if is_known and has_same and step.output_digest != other.output_digest:
            why = f"its output differs although its input agrees; then {failed.step} {failed.why}"
            return Blame(step=step.name, why=why, track_index=step.track_index)
    return failed


def _in_order(steps: Iterable[StepRun]) -> list[StepRun]:
    """By pipeline order, then track, then attempt; unknown names last."""
    return sorted(steps, key=lambda s: (position(s.name), s.track_index or 0, s.attempt))


def position(step: str) -> int:
    """A step's place in the pipeline; unknown ones come last."""
    return STEP_NAMES.index(step) if step in STEP_NAMES else len(STEP_NAMES)


def _suspects(checks: Sequence[Check]) -> list[Check]:
    """What diverged; when nothing certainly did, what differs without a floor to judge it by."""
    diverged = [c for c in checks if c.verdict is Verdict.DIVERGED and c.measure]
    if diverged:
        return diverged
    return [
        c
        for c in checks
        if c.verdict is Verdict.INCONCLUSIVE
        and c.measure
        and c.measure.errors
        and c.rule != "reference-failed"
    ]


def step_states(reference: Observation, hypothesis: Observation) -> dict[_Key, State]:
    """For every step and track seen on either side whether the output digests agree."""
    mine, theirs = _last_completed(reference), _last_completed(hypothesis)
    states: dict[_Key, State] = {}
    for key in {*mine, *theirs}:
        first, second = (s[key].output_digest if key in s else None for s in (mine, theirs))
        known = first is not None and second is not None
        states[key] = ("agree" if first == second else "differ") if known else "unknown"
    return states


def _last_completed(observation: Observation) -> dict[_Key, StepRun]:
    """Each step's last completed attempt."""
    return {
        (step.name, step.track_index): step
        for step in _in_order(observation.steps)
        if step.status == "completed"
    }


def _by_digest(
    suspects: Sequence[Check], states: Mapping[_Key, State], fine: set[str]
) -> Blame | None:
    """The first step, among those that can be the cause, whose digests differ beyond noise."""
    causes = {step for check in suspects for step in _causes(check)}
    for step in sorted(causes, key=position):
        keys = sorted((k for k in states if k[0] == step), key=lambda k: k[1] or 0)
        differing = [key for key in keys if states[key] == "differ"]
        if differing and not _within_noise(step, fine):
            return Blame(step=step, why=_digest_why(step, states), track_index=differing[0][1])
    return None


def _by_own_work(suspects: Sequence[Check]) -> Blame | None:
    """The earliest step named by an exact check of what no other step writes."""
    own = [c for c in suspects if c.name not in UPSTREAM and c.verdict is Verdict.DIVERGED]
    named = [(f, c) for c in own for f in _standing(c) if f.step]
    if not named:
        return None
    finding, check = min(named, key=lambda entry: position(str(entry[0].step)))
    return Blame(step=str(finding.step), why=f"{check.name}: {finding.message}")


def _digest_why(step: str, states: Mapping[_Key, State]) -> str:
    """What stands before the step, said as far as it is known."""
    earlier = [s for key, s in states.items() if position(key[0]) < position(step)]
    if "differ" in earlier:
        return "its output differs; what differs before it is within noise"
    if "unknown" in earlier:
        return "its output differs; every earlier output that both sides recorded agrees"
    return "its output differs although every earlier output agrees"


def _causes(check: Check) -> set[str]:
    """Steps that can make this check diverge."""
    found = _standing(check)
    steps = {f.step for f in found if f.step}
    upstream = UPSTREAM.get(check.name)
    if upstream is None:
        return steps or {s for s in (check.measure and check.measure.step,) if s}
    latest = max((position(step) for step in steps), default=len(STEP_NAMES))
    return {step for step in upstream if position(step) <= max(latest, position(SPEECH[-1]))}


def _standing(check: Check) -> list[Finding]:
    """The check's findings that nobody waived."""
    return [f for f in (check.measure.findings if check.measure else ()) if not f.waiver]


def _within_noise(step: str, fine: set[str]) -> bool:
    """Every measure of the step's output is fine; a step without measures never is."""
    own = OWN_MEASURES.get(step, ())
    return bool(own) and all(name in fine for name in own)


def _by_measure(
    suspects: Sequence[Check], states: Mapping[_Key, State], fine: set[str]
) -> Blame | None:
    """The earliest step a finding names, those known to agree passed over.

    Where the steps that made something agree, the one that stored it is meant.
    """
    agreeing = {name for name, _ in states} - {
        name for (name, _), state in states.items() if state != "agree"
    }
    named = [(f, c) for c in suspects for f in _standing(c) or [Finding(path=c.name)]]
    told = [(f.step or (c.measure.step if c.measure else None), f, c) for f, c in named]
    steps = [(STORED_BY.get(c.name, s) if s in agreeing else s, f, c) for s, f, c in told]
    usable = [entry for entry in steps if entry[0]]
    preferred = [e for e in usable if e[0] not in agreeing and not _within_noise(str(e[0]), fine)]
    if not (preferred or usable):
        return None
    step, finding, check = min(preferred or usable, key=lambda entry: position(str(entry[0])))
    track = finding.speaker if step in {"pad_track", "transcribe_track"} else None
    return Blame(step=str(step), why=f"{check.name}: {finding.message}", track_index=track)
