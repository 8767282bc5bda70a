"""Names the meeting."""

from __future__ import annotations

from reflector_migrate.pipeline.context import StepContext
from reflector_migrate.pipeline.contracts import TitleInput, TitleOutput
from reflector_migrate.pipeline.heartbeat_pool import patiently
from reflector_migrate.pipeline.prompts import ASK_TITLE
from reflector_migrate.pipeline.publish import keep_and_tell
from reflector_migrate.pipeline.topics import tidy_title


def generate_title(task: TitleInput, ctx: StepContext) -> TitleOutput:
    """A title from the topics' titles: FINAL_TITLE, and the column if it was empty.

    No topics, no title.
    """
    titles = [topic["title"] for topic in ctx.artifacts.get(task.topics.ref)]
    if not titles:
        return TitleOutput(title=None)
    listed = "\n".join(f"- {title}" for title in titles)
    title = tidy_title(patiently(lambda: ctx.questions.prose(ASK_TITLE, listed), ctx.heartbeat))
    ctx.rows.set_title(ctx.run.transcript_id, title)
    keep_and_tell(ctx, "FINAL_TITLE", {"title": title})
    return TitleOutput(title=title)
