"""Puts all tracks' words on one line of time."""

from __future__ import annotations

import logging
from typing import Any

from reflector_migrate.errors import StepError
from reflector_migrate.pipeline.artifacts import words_at
from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import MergeInput, MergeOutput, Ref
from reflector_migrate.pipeline.fork_inputs import require_all
from reflector_migrate.pipeline.publish import keep_and_tell
from reflector_migrate.pipeline.services.storage import SCHEME, address
from reflector_migrate.pipeline.steps.pad_track import padded_prefix
from reflector_migrate.pipeline.topics import text_of

log = logging.getLogger(__name__)


def merge_transcripts(task: MergeInput, ctx: StepContext) -> MergeOutput:
    """All words sorted by start, each with its track's place as speaker; the TRANSCRIPT event.

    The padded tracks have served and are deleted, best effort, as legacy does here.
    """
    require_all(task.transcripts, task.expected)
    _delete_padded(ctx)
    words: list[dict[str, Any]] = [
        {**word, "speaker": speaker}
        for speaker, transcript in enumerate(task.transcripts)
        for word in words_at(ctx.artifacts, transcript.words)
    ]
    words.sort(key=lambda word: word["start"])
    stored = ctx.artifacts.put(ctx.run.run_id, "merge_transcripts", "all_words", words)
    keep_and_tell(ctx, "TRANSCRIPT", {"text": text_of(words), "translation": None})
    return MergeOutput(all_words=Ref(**stored._asdict()), word_count=len(words))


def _delete_padded(ctx: StepContext) -> None:
    bucket = ctx.place.media_bucket.strip("/")
    try:
        found = ctx.storage.list(address(bucket, padded_prefix(ctx.run.transcript_id)))
        for one in found:
            ctx.effects.delete_media(one.address.removeprefix(f"{SCHEME}{bucket}/"))
    except StepError as error:
        log.warning("padded tracks stay behind: %s", error)
