"""The primary's run times before anything was shadowed: recorded once, dated, in the audit log.

The plugin is loaded and the shadow is off: it only times. What its timing itself costs is
measured by the plugin, in each task, and judged by a gate of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.baseline import Timed, timed
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.shadow.decisions import record as record_entry
from reflector_migrate.shadow.decisions import this_user
from reflector_migrate.shadow.observe.timings import pipeline_run_s
from reflector_migrate.store.clock import now

KIND = "baseline:primary-time"
AT_LEAST = 30
LOOKS_BACK, MAY_STILL_RUN = timedelta(days=90), timedelta(days=1)
EVER = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Baseline:
    """Recordings that ran in a window in which no candidate did, by their sizes."""

    since: datetime
    until: datetime
    recordings: tuple[Timed, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """How many of each number of tracks and length: so many can be compared later."""
        return dict(sorted(Counter(one.stratum for one in self.recordings).items()))


def record(
    harness: Harness, since: datetime | None, until: datetime | None, *, who: str = ""
) -> Baseline:
    """Take the baseline from the plugin's timings, and add it to the audit log.

    Without `until` it ends where the first candidate began, and begins 90 days before. Raises
    RefusedError where a candidate ran in that time, or fewer than 30 recordings did.
    """
    until = until or next(iter(_starts(harness, EVER, now())), now())
    since = since or until - LOOKS_BACK
    if ran := _starts(harness, since - MAY_STILL_RUN, until):
        raise RefusedError(
            f"a candidate ran in that time, the first at {ran[0]:%Y-%m-%d %H:%M}",
            hint="name a time before the shadow: --until; or switch it off and use --since",
        )
    found = Baseline(since, until, tuple(_timed(harness, since, until)))
    if len(found.recordings) < AT_LEAST:
        raise RefusedError(
            f"{len(found.recordings)} recordings were timed, {AT_LEAST} are needed",
            hint="leave the plugin loaded with the shadow off for some days",
        )
    body = {
        "since": since.isoformat(), "until": until.isoformat(),
        "recordings": [list(one) for one in found.recordings],
    }  # fmt: skip
    record_entry(harness, KIND, body, who=who or this_user(), evidence=body)
    return found


def baseline_for(harness: Harness, night: str) -> Baseline | None:
    """The last one recorded up to the night of a build's first comparison, else the first after.

    So evidence that was compared with one baseline is never compared with another.
    """
    entries = harness.audit.all(KIND)
    if not entries:
        return None
    before = [entry for entry in entries if entry["at"].date().isoformat() <= night]
    return _of((before[-1] if before else entries[0])["body"])


def newest(harness: Harness) -> Baseline | None:
    """The one recorded last, or None."""
    entry = harness.audit.last(KIND)
    return _of(entry["body"]) if entry else None


def _of(body: Mapping[str, Any]) -> Baseline:
    since, until = (datetime.fromisoformat(body[name]) for name in ("since", "until"))
    return Baseline(since, until, tuple(Timed(*one) for one in body["recordings"]))


def _timed(harness: Harness, since: datetime, until: datetime) -> Iterator[Timed]:
    """Every recording that the pipeline finished in that time, in one go."""
    by_transcript: dict[str, list[Mapping[str, Any]]] = {}
    for span in harness.spans.between(since, until):
        by_transcript.setdefault(str(span["transcript_id"]), []).append(span)
    rows = Rows.at(harness.settings.reflector.database_url or "")
    for transcript_id, spans in by_transcript.items():
        run_s = pipeline_run_s(spans)
        row = rows.find_transcript(transcript_id) if run_s else None
        recording = rows.get_recording(row.recording_id or "") if row else None
        if row and recording and row.duration:
            found = timed(recording.id, run_s, row.duration / 1000, len(recording.track_keys or ()))
            if found:
                yield found


def _starts(harness: Harness, since: datetime, until: datetime) -> list[datetime]:
    """When candidates began before `until`, of those claimed in that time."""
    found = harness.runs.claimed_between(since, until)
    return sorted(run.started_at for run in found if run.started_at and run.started_at < until)
