"""Topics, title and summaries, with the signatures of release 0.23.2."""

from __future__ import annotations

import os
import time

from reflector.llm import ask
from reflector.processors.types import (
    FinalLongSummary,
    FinalShortSummary,
    FinalTitle,
    TitleSummary,
    Transcript,
)

CHUNK_WORDS, MIN_CHARS = 300, int(os.environ.get("MIN_TRANSCRIPT_LENGTH", "750"))
held: list[bytearray] = []


class EmptyPipeline:
    """What processors receive of the pipeline around them."""

    def __init__(self, logger):
        self.logger = logger


async def detect_topics(transcript, target_language, *, on_topic_callback, empty_pipeline):
    """A topic a stretch of the meeting."""
    found, words = [], []
    for start in range(0, len(transcript.words), CHUNK_WORDS):
        words = words + transcript.words[start : start + CHUNK_WORDS]
        if len(Transcript(words).text) > MIN_CHARS:
            found.append(await _topic(words, target_language, on_topic_callback))
            words = []
    if words:
        found.append(await _topic(words, target_language, on_topic_callback))
    return found


async def _topic(words, language, on_topic_callback):
    misbehave(len(words))
    said = Transcript(words)
    summary = await ask(f"In {language}, what is this about?\n{said.text}", 0.9, 500)
    topic = TitleSummary(summary[:30], summary, words[0].start, 0, said)
    await on_topic_callback(topic)
    return topic


async def generate_title(topics, *, on_title_callback, empty_pipeline, logger):
    """A title from the topics' titles."""
    listed = "\n".join(topic.title for topic in topics)
    await on_title_callback(FinalTitle((await ask(f"Name the meeting:\n{listed}", 0.5, 200))[:40]))


async def generate_summaries(
    topics, transcript, *, on_long_summary_callback, on_short_summary_callback,
    empty_pipeline, logger,
):  # fmt: skip
    """Two summaries, for which the participants' names are known."""
    names = ", ".join(f"{p.speaker}: {p.name}" for p in transcript.participants)
    said = "\n".join(topic.transcript.text for topic in topics)
    long = await ask(f"Present: {names}. Minutes:\n{said}", 0.4, 2048)
    await on_long_summary_callback(FinalLongSummary(long))
    short = await ask(f"In one paragraph:\n{long}", 0.4, 2048)
    await on_short_summary_callback(FinalShortSummary(short))


def misbehave(count):
    """Do what the file MISBEHAVE says, once: hang, die, fail, print, or eat memory."""
    path = os.environ.get("MISBEHAVE", "")
    if not path or not os.path.exists(path):  # noqa: PTH110 - as plain as can be
        return
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        how = file.read()
    if how == "after one topic" and not held:
        held.append(bytearray(1))
        return
    os.unlink(path)  # noqa: PTH108
    if how == "hang":
        time.sleep(600)
    elif how == "fail":
        raise RuntimeError(f"{count} words that nobody may read in a log")
    elif how == "eat":
        held.append(bytearray(3 << 30))
    else:
        os._exit(9)
