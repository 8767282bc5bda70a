"""Writes the minutes: a recap, and a paragraph on each subject."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from reflector_migrate.errors import StepError, TerminalStepError
from reflector_migrate.pipeline.artifacts import words_at
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import SummaryInput, SummaryOutput
from reflector_migrate.pipeline.heartbeat_pool import in_order, patiently
from reflector_migrate.pipeline.llm_tasks import UnusableAnswerError
from reflector_migrate.pipeline.prompts import (
    ASK_DETAIL,
    ASK_PARAGRAPH,
    ASK_PARTICIPANTS,
    ASK_RECAP,
    ASK_SUBJECTS,
    Ask,
    ParticipantsAnswer,
    SubjectsAnswer,
    with_names,
)
from reflector_migrate.pipeline.publish import keep_and_tell
from reflector_migrate.pipeline.summary import Section, markdown, names_of, spoken

log = logging.getLogger(__name__)

MAX_SUBJECTS = 6


def generate_summary(task: SummaryInput, ctx: StepContext) -> SummaryOutput:
    """FINAL_SHORT_SUMMARY, then FINAL_LONG_SUMMARY, each with its column. No words, no summary.

    Subjects that cannot be had mean a summary that is the recap alone, as with legacy; what
    another attempt may cure is left to it, while there is one.
    """
    may_retry = ctx.is_retried and not task.is_last_attempt
    words = words_at(ctx.artifacts, task.words)
    if not words:
        return SummaryOutput()
    row = ctx.rows.get_transcript(ctx.run.transcript_id)
    stored = names_of(row.participants)
    text = spoken(words, stored)
    names = [name for _, name in sorted(stored.items())] or _guessed_names(ctx, text, may_retry)
    sections = _sections(ctx, text, names, may_retry)
    recap = _ask(ctx, with_names(ASK_RECAP, names), notes(sections) or text)
    long = markdown(recap, sections)
    keep_and_tell(ctx, "FINAL_SHORT_SUMMARY", {"short_summary": recap}, short_summary=recap)
    keep_and_tell(ctx, "FINAL_LONG_SUMMARY", {"long_summary": long}, long_summary=long)
    return SummaryOutput(summary=long, short_summary=recap)


def _sections(ctx: StepContext, text: str, names: Sequence[str], may_retry: bool) -> list[Section]:
    subjects = _subjects(ctx, text, names, may_retry)
    parallel = ctx.settings.llm_calls if ctx.is_retried else 1
    work = partial(_section, ctx, text, names)
    return list(in_order(work, subjects, parallel=parallel, heartbeat=ctx.heartbeat))


def _section(ctx: StepContext, text: str, names: Sequence[str], subject: str) -> Section:
    detail = ctx.questions.prose(with_names(ASK_DETAIL.filled(subject=subject), names), text)
    asked = with_names(ASK_PARAGRAPH.filled(subject=subject), names)
    return Section(subject, ctx.questions.prose(asked, detail))


def _subjects(ctx: StepContext, text: str, names: Sequence[str], may_retry: bool) -> list[str]:
    asked = with_names(ASK_SUBJECTS, names)
    try:
        answer = patiently(
            lambda: ctx.questions.structured(asked, text, SubjectsAnswer), ctx.heartbeat
        )
    except StepError as error:
        _go_on_without("subjects", error, may_retry)
        return []
    return distinct(answer.subjects)[:MAX_SUBJECTS]


def _guessed_names(ctx: StepContext, text: str, may_retry: bool) -> list[str]:
    try:
        answer = patiently(
            lambda: ctx.questions.structured(ASK_PARTICIPANTS, text, ParticipantsAnswer),
            ctx.heartbeat,
        )
    except StepError as error:
        _go_on_without("participants", error, may_retry)
        return []
    return distinct(answer.participants)


def _go_on_without(what: str, error: StepError, may_retry: bool) -> None:
    """Raise again what an engine's retry may cure; else the summary does without."""
    is_final = isinstance(error, UnusableAnswerError | TerminalStepError)
    if may_retry and not is_final:
        raise error
    log.warning("summary without %s: %s", what, error)


def _ask(ctx: StepContext, ask: Ask, text: str) -> str:
    return patiently(lambda: ctx.questions.prose(ask, text), ctx.heartbeat)


def notes(sections: Sequence[Section]) -> str:
    """What the recap is made from: every paragraph under its subject."""
    return "\n\n".join(f"{section.subject}: {section.paragraph}" for section in sections)


def distinct(texts: Sequence[str]) -> list[str]:
    """Each once, in their order, trimmed; blank ones are left out."""
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))
