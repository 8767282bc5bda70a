"""Takes the words out of a night before anything is rendered: counts and times stay.

What stays is listed, what is not listed goes: a field added to the model later is
dropped until somebody says that it holds no words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from reflector_migrate.model import (
    Blame,
    Check,
    Comparison,
    Finding,
    Gist,
    Measure,
    Side,
    StepRun,
    Turn,
)
from reflector_migrate.model.finding_groups import Told, told_as_text, told_of
from reports.document import Night

WITHHELD = "withheld"

_NUMBER = re.compile(r"[~+-]?\d[\d.,:]*(?:ms|s|m|h|%|kB|MB|m\d\ds)?")
_APART = re.compile(r"[\s,();]+")
_UNIT_WORDS = (
    "none same equal unknown median word words speaker speakers people point points fact facts"
    " topic topics cue cues event events field fields token tokens GPU ms s webhook webhooks"
    " zulip_message zulip_update s3_put s3_delete local_put local_delete suppressed ended error"
)
_UNITS = frozenset(_UNIT_WORDS.split())
_EVENT = re.compile(
    r"(?:user )?(?:STATUS|TRANSCRIPT|TOPIC|FINAL_TITLE|FINAL_LONG_SUMMARY|FINAL_SHORT_SUMMARY"
    r"|WAVEFORM|DURATION|ACTION_ITEMS)(?::(?:idle|uploaded|recording|processing|ended|error))?"
)
_PATH_TEXT = (
    "action_items attribution blanks captions catastrophes changed completion content cost count"
    " cues date delete deleted drawn drift duration empty end ended ends equal error events extra"
    " facts fields file first form id insert key language length local_delete local_doubled"
    " local_put long_summary looped lost missing moved mp3 name negation number offset order own"
    " participant participants payload reordered replace row s3_delete s3_put scatter"
    " short_summary side_effects size socket source_language speaker speaker_mapping speaker_words"
    " speakers start status stored summary summary_facts target_language text times timestamp title"
    " title_facts topic_boundaries topic_content topics transcript translation truncated user_id"
    " values waveform webhook webvtt word_times words words_raw zulip_message zulip_update"
)
_PATH_WORDS = frozenset(_PATH_TEXT.split())
_OWN_NOTES = frozenset({"", "gated by night, not here"})
_ERROR_NAME = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Timeout|Failure|Refused)\b")


def redact(night: Night) -> Night:
    """The night without words, titles, summaries or names; unchanged unless it asks for it."""
    if not night.is_redacted:
        return night
    coverage = replace(
        night.coverage,
        skipped=_reasons(night.coverage.skipped),
        failed=_reasons(night.coverage.failed),
        unread=night.coverage.unread.partition(":")[0],
    )
    return replace(
        night,
        coverage=coverage,
        comparisons=tuple(map(_comparison, night.comparisons)),
        gists=tuple(map(_gist, night.gists)),
    )


def _gist(gist: Gist) -> Gist:
    """That of the redacted comparison, which is not needed for it."""
    (told,) = told_of([gist.told])
    return gist._replace(title="", told=told_as_text(map(_told, told)))


def _told(told: Told) -> Told:
    sides = {"reference": _number(told.reference), "hypothesis": _number(told.hypothesis)}
    return told._replace(path=bare_path(told.path), message="", **sides)


def _reasons(counts: Mapping[str, int]) -> dict[str, int]:
    """Reasons up to their colon: what an error went on to say is withheld."""
    short: dict[str, int] = {}
    for reason, number in counts.items():
        head = reason.partition(":")[0]
        short[head] = short.get(head, 0) + number
    return short


def _comparison(comparison: Comparison) -> Comparison:
    blame = comparison.first_divergent_step
    return Comparison.model_construct(
        schema_=comparison.schema_,
        recording=comparison.recording,
        run_id=comparison.run_id,
        compared_at=comparison.compared_at,
        duration_s=comparison.duration_s,
        track_count=comparison.track_count,
        language=comparison.language,
        primary=_side(comparison.primary),
        candidate=_side(comparison.candidate),
        secondary=_side(comparison.secondary) if comparison.secondary else None,
        verdict=comparison.verdict,
        checks=tuple([_check(check) for check in comparison.checks]),
        first_divergent_step=Blame(step=blame.step, why="", track_index=blame.track_index)
        if blame
        else None,
        turns=tuple([_turn(turn) for turn in comparison.turns]),
        noise_pairs=comparison.noise_pairs,
        notes=(f"{len(comparison.notes)} notes {WITHHELD}",) if comparison.notes else (),
    )


def _side(side: Side) -> Side:
    if side.error is None and all(map(_is_plain, side.steps)):
        return side
    return Side.model_construct(
        role=side.role,
        engine=side.engine,
        build=side.build,
        status=side.status,
        started=side.started,
        ended=side.ended,
        error=_error(side.error),
        steps=tuple([step if _is_plain(step) else _step(step) for step in side.steps]),
        cost_microdollars=side.cost_microdollars,
    )


def _is_plain(step: StepRun) -> bool:
    """Nothing to take out."""
    return step.error is None


def _step(step: StepRun) -> StepRun:
    return step.model_copy(update={"error": _error(step.error)})


def _error(error: str | None) -> str | None:
    """The kind of error where it names itself; what it said is withheld."""
    if error is None:
        return None
    named = _ERROR_NAME.match(error)
    return f"{named.group()} ({WITHHELD})" if named else WITHHELD


def _check(check: Check) -> Check:
    if _says_nothing(check):
        return check
    return Check.model_construct(
        name=check.name,
        verdict=check.verdict,
        rule=check.rule,
        measure=_measure(check.measure) if check.measure else None,
        value=check.value,
        floor=check.floor,
        limit=check.limit,
        n=check.n,
        between_legacy=check.between_legacy,
        from_secondary=check.from_secondary,
        excess=check.excess,
        shift=check.shift,
        waived=check.waived,
        improved=check.improved,
    )


def _says_nothing(check: Check) -> bool:
    """No note, no finding, and texts that are counts: most checks of most nights."""
    if check.traceback or check.note not in _OWN_NOTES:
        return False
    measure = check.measure
    if measure is None:
        return True
    if measure.findings or measure.note or measure.inconclusive:
        return False
    reference, hypothesis = measure.reference_text, measure.hypothesis_text
    return _counted(reference) is reference and _counted(hypothesis) is hypothesis


def _measure(measure: Measure) -> Measure:
    return Measure.model_construct(
        name=measure.name,
        kind=measure.kind,
        errors=measure.errors,
        length=measure.length,
        counts=measure.counts,
        reference_text=_counted(measure.reference_text),
        hypothesis_text=_counted(measure.hypothesis_text),
        step=measure.step,
        findings=tuple([_finding(finding) for finding in measure.findings]),
        findings_truncated=measure.findings_truncated,
        stats=measure.stats,
        inconclusive=WITHHELD if measure.inconclusive else "",
    )


def _counted(text: str) -> str:
    """A text of numbers and units as it is, any other withheld."""
    return text if _is_count(text) else WITHHELD


@lru_cache(maxsize=10_000)
def _is_count(text: str) -> bool:
    parts = [part for part in _APART.split(text[:200]) if part]
    return len(text) <= 200 and all(p in _UNITS or _NUMBER.fullmatch(p) for p in parts)


def _finding(finding: Finding) -> Finding:
    return Finding.model_construct(
        path=bare_path(finding.path),
        step=finding.step,
        severity=finding.severity,
        kind=finding.kind,
        reference=_number(finding.reference),
        hypothesis=_number(finding.hypothesis),
        at_s=finding.at_s,
        speaker=finding.speaker,
        message="",
        waiver=finding.waiver,  # an operator's own words, and what is excepted stays visible
    )


@lru_cache(maxsize=10_000)
def bare_path(path: str) -> str:
    """The path with every part that is not one of our own words wildcarded."""
    return "/".join(part if _is_ours(part) else "*" for part in path.split("/"))


def _is_ours(part: str) -> bool:
    return (
        part in _PATH_WORDS
        or (part.isdigit() and len(part) < 4)
        or _EVENT.fullmatch(part) is not None
    )


def _number(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else None


def _turn(turn: Turn) -> Turn:
    diff = tuple((kind, _how_many(text)) for kind, text in turn.diff)
    return Turn.model_construct(at_s=turn.at_s, speaker=turn.speaker, diff=diff)


def _how_many(text: str) -> str:
    count = len(text.split())
    return f"{count} word{'s' * (count != 1)}"
