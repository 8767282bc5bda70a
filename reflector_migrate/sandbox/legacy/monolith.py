"""The pipeline as one Celery task: everything in it, one step after the other.

Method names are the real pipeline's, so that the plugin times both alike. Where the
real one has the work inline and a handler for its event, the handler's name stands
here for both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from celery import Task, chain

from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.pipeline.contracts import CONTRACTS, StepInput, Track
from reflector_migrate.pipeline.publish import tell
from reflector_migrate.pipeline.steps import Step
from reflector_migrate.pipeline.steps.get_recording import look_up
from reflector_migrate.sandbox.legacy.app import harness, registered
from reflector_migrate.sandbox.legacy.post import (
    task_cleanup_consent,
    task_pipeline_post_to_zulip,
    task_send_webhook_if_needed,
)
from reflector_migrate.sandbox.legacy.process import rows_of
from reflector_migrate.sandbox.legacy.running import live_run, run_logged

Output = Mapping[str, Any]


class PipelineMainMultitrack:
    """One run of one transcript. Nothing is retried; a failure ends it in status `error`."""

    def __init__(self, transcript_id: str, *, harness: Harness, task_id: str) -> None:
        self.harness, self.task_id = harness, task_id
        self.rows = rows_of(harness.settings)
        self.transcript = self.rows.get_transcript(transcript_id)
        self.run = live_run(task_id, self.transcript, "")
        self.made: Output = {}

    async def process(self, bucket_name: str, track_keys: Sequence[str]) -> None:
        """From raw tracks to status `ended`; else status `error`, and the failure raised again."""
        self.run = self.run.model_copy(update={"bucket_name": bucket_name})
        try:
            await self._process(track_keys)
        except Exception:
            await self.set_status(self.run.transcript_id, "error")
            raise

    async def _process(self, track_keys: Sequence[str]) -> None:
        transcript_id = self.run.transcript_id
        await self.set_status(transcript_id, "processing")
        self.rows.reset(transcript_id)
        await self.update_participants_from_daily(transcript_id, track_keys)
        padded = [
            await self.pad_track_for_transcription(key, index)
            for index, key in enumerate(track_keys)
        ]
        mixed = await self.mixdown_tracks(padded)
        await self.on_waveform(mixed["audio_key"], mixed["sha256"])
        heard = [await self.transcribe_file(track) for track in padded]
        words = (await self.on_transcript(heard))["all_words"]
        topics = (await self.detect_topics(words))["topics"]
        made = {"duration": mixed["duration"], **await self.generate_title(topics)}
        self.made = {**made, **await self.generate_summaries(words, topics)}
        await self.set_status(transcript_id, "ended")

    async def set_status(self, transcript_id: str, status: str) -> None:
        """Column, event, broadcast."""
        if status in ("ended", "error"):
            made = self.made if status == "ended" else {}
            self._run("finalize", recording_id=self.run.recording_id, outcome=status, **made)
            return
        self.rows.set_status(transcript_id, status)
        tell(build_context(self.run, self.harness, flavour="celery"), "STATUS", {"value": status})

    async def update_participants_from_daily(
        self, transcript_id: str, track_keys: Sequence[str]
    ) -> None:
        """Names from Daily into the row of `transcript_id`; every failure of Daily is swallowed."""
        del transcript_id
        known = self._run("get_recording", step=look_up, recording_id=self.run.recording_id)
        tracks = tuple(Track(track_index=i, s3_key=key) for i, key in enumerate(track_keys))
        session_id = known["mtg_session_id"]
        self._run("get_participants", mtg_session_id=session_id, tracks=tracks)

    async def pad_track_for_transcription(self, track_key: str, track_index: int) -> Output:
        """Silence in front of a track that starts late."""
        return self._run(
            "pad_track",
            at=track_index,
            track_index=track_index,
            s3_key=track_key,
            bucket_name=self.run.bucket_name,
        )

    async def mixdown_tracks(self, padded: Sequence[Output]) -> Output:
        """The mixed recording, stored; event DURATION."""
        return self._run("mixdown_tracks", padded_urls=padded)

    async def on_waveform(self, audio_key: str, sha256: str) -> Output:
        """The drawing of the mixed recording; event WAVEFORM."""
        return self._run("generate_waveform", audio_key=audio_key, audio_sha256=sha256)

    async def transcribe_file(self, track: Output) -> Output:
        """One track's words."""
        return self._run(
            "transcribe_track",
            at=track["track_index"],
            track_index=track["track_index"],
            audio_url=track["padded_url"],
            audio_sha256=track["sha256"],
            language=self.transcript.source_language,
        )

    async def on_transcript(self, heard: Sequence[Output]) -> Output:
        """All words in order; event TRANSCRIPT; the padded tracks are deleted."""
        return self._run("merge_transcripts", transcripts=heard)

    async def detect_topics(self, words: Output) -> Output:
        """Topics, each with its event and the captions."""
        language = self.transcript.target_language
        return self._run("detect_topics", words=words, target_language=language)

    async def generate_title(self, topics: Output) -> Output:
        """The meeting's title; event FINAL_TITLE."""
        return self._run("generate_title", topics=topics)

    async def generate_summaries(self, words: Output, topics: Output) -> Output:
        """Both summaries and their events."""
        return self._run("generate_summary", words=words, topics=topics)

    def _run(
        self, name: str, *, at: int | None = None, step: Step | None = None, **fields: Any
    ) -> Output:
        model: type[StepInput] = CONTRACTS[name].input
        task = model.model_validate({"run": self.run, **fields})
        return run_logged(self.task_id, name, task, self.harness, track_index=at, step=step)


@registered("pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process", bind=True)
def task_pipeline_multitrack_process(
    self: Task, *, transcript_id: str, bucket_name: str, track_keys: list[str]
) -> None:
    """Run the pipeline; after a good end, and only then, queue what follows it."""
    pipeline = PipelineMainMultitrack(transcript_id, harness=harness(), task_id=self.request.id)
    asyncio.run(pipeline.process(bucket_name, track_keys))
    following = (task_cleanup_consent, task_pipeline_post_to_zulip, task_send_webhook_if_needed)
    chain(*(task.si(transcript_id=transcript_id) for task in following)).delay()
