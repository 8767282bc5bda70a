"""What two engines left of one recording, compared field by field, with no comparator between."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import redis

from reflector_migrate.clients.connections import connections
from reflector_migrate.model import Effect, Observation
from reflector_migrate.pipeline.rows import Rows, TranscriptRow
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.deployment import Deployment, candidate_of, primary_of

RACING = ("FINAL_TITLE", "FINAL_SHORT_SUMMARY", "FINAL_LONG_SUMMARY")  # legacy's own race
OF_THE_POST = frozenset({"zulip_message_id"})  # a shadow posts nothing, so it has no number
HEADERS = ("content-type", "user-agent", "x-webhook-event", "x-webhook-retry")
Json = Mapping[str, Any]
Message = tuple[str, Json]


class Ear:
    """Hears the WebSocket bus of both sides; Redis publishes across its numbered databases."""

    def __init__(self, url: str) -> None:
        """Listen from now on."""
        self._bus = redis.Redis.from_url(url).pubsub()
        self._bus.psubscribe("*ts:*", "*user:*")
        while (self._bus.get_message(timeout=5.0) or {}).get("type") != "psubscribe":
            pass
        self._heard: list[tuple[str, Json]] = []

    def listen(self) -> None:
        """Take what has been said."""
        while message := self._bus.get_message(timeout=0.05):
            if message["type"] == "pmessage":
                self._heard.append((message["channel"].decode(), json.loads(message["data"])))

    def told(self, transcript_id: str) -> dict[bool, list[Message]]:
        """What was said about a transcript, on the candidate's channels (True) and others."""
        self.listen()
        found: dict[bool, list[Message]] = defaultdict(list)
        for channel, message in self._heard:
            is_ours = channel.endswith(transcript_id) or message["data"].get("id") == transcript_id
            if is_ours and message["event"] != "PIPELINE_PROGRESS":
                is_candidate = channel.startswith("shadow:")
                found[is_candidate].append((re.sub("^shadow:[^:]+:", "", channel), message))
        return found

    def close(self) -> None:
        """Stop listening."""
        self._bus.close()


@dataclass(frozen=True)
class Ran:
    """One recording's run: both accounts, what listeners heard, and where each side keeps things.

    messages: by side, True for the candidate.
    """

    settings: Settings
    transcript_id: str
    primary: Observation
    candidate: Observation
    messages: Mapping[bool, Sequence[Message]]

    def places(self) -> tuple[Deployment, Deployment]:
        """The primary's and the candidate's."""
        return primary_of(self.settings), candidate_of(self.settings, self.candidate.run_id)

    def rows(self) -> list[TranscriptRow]:
        """Both transcript rows."""
        urls = (place.database_url for place in self.places())
        return [Rows.at(url).get_transcript(self.transcript_id) for url in urls]


def differences(ran: Ran, *, is_cut_short: bool = False) -> list[str]:
    """Every field in which what the two engines left is not equal.

    is_cut_short: a track could not be padded. Which of the others had been by then is a
    race where they are padded in parallel: of those left behind only common ones are compared.
    """
    return [
        *_of_rows(ran),
        *_of_files(ran, is_cut_short=is_cut_short),
        *_of_effects(ran),
        *_of_digests(ran),
        *_of_messages(ran),
    ]


def _of_rows(ran: Ran) -> Iterator[str]:
    """Participants, topics, webvtt, events, duration, status, title, summaries: all columns."""
    mine, theirs = ran.rows()
    for name in (f.name for f in fields(TranscriptRow)):
        if name not in OF_THE_POST:
            yield from _unequal(f"row.{name}", *(fixed(getattr(r, name)) for r in (mine, theirs)))


def _of_files(ran: Ran, *, is_cut_short: bool) -> Iterator[str]:
    """Objects by key and content, local files by content."""
    mine, theirs = (dict(_stored(ran, place)) for place in ran.places())
    listed = [
        [key for key in sorted(side) if not (is_cut_short and "/tracks/padded_" in key)]
        for side in (mine, theirs)
    ]
    yield from _unequal("objects", *listed)
    for key in sorted({*mine} & {*theirs}):
        yield from _unequal(f"bytes of {key}", mine[key], theirs[key])


def _stored(ran: Ran, place: Deployment) -> Iterator[tuple[str, str]]:
    s3, own = connections(ran.settings).s3, ran.transcript_id
    bucket, _, folder = place.media_bucket.partition("/")
    inside = f"{folder}/" if folder else ""  # a candidate's run has a folder of its own
    for prefix in (f"{inside}{own}/", f"{inside}file_pipeline/{own}/"):
        for found in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
            body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            yield found["Key"].removeprefix(inside), hashlib.sha256(body).hexdigest()
    folder = place.data_dir / own
    for path in sorted(found for found in folder.rglob("*") if found.is_file()):
        yield f"file:{path.relative_to(folder)}", hashlib.sha256(path.read_bytes()).hexdigest()


def _of_effects(ran: Ran) -> Iterator[str]:
    """Zulip's text, the webhook's payload, what was deleted: done by one, recorded by the other."""
    sides = ran.primary, ran.candidate
    yield from _unequal("effects", *([_effect(e) for e in _outside(side)] for side in sides))


def _outside(side: Observation) -> list[Effect]:
    kept = (e for e in side.effects if e.kind != "s3_put" and "/tracks/padded_" not in e.key)
    return sorted(kept, key=lambda effect: (effect.kind, effect.key))


def _effect(effect: Effect) -> Any:
    if effect.kind == "webhook":
        body = json.loads(effect.payload["body"])
        told = {name.lower(): value for name, value in effect.payload["headers"].items()}
        is_signed = "x-webhook-signature" in told
        body |= {"event_id": len(body["event_id"]), "timestamp": ""}
        return effect.kind, {name: told[name] for name in HEADERS}, is_signed, body
    if effect.kind.startswith("zulip"):
        told = {name: effect.payload.get(name) for name in ("topic", "content")}
        return effect.kind, effect.key, told
    return effect.kind, effect.key


def _of_digests(ran: Ran) -> Iterator[str]:
    """Input and output of each step that ended well on both sides, padded sound included."""
    mine, theirs = (
        {
            (s.name, s.track_index): (s.input_digest, s.output_digest)
            for s in side.steps
            if s.status == "completed" and s.output_digest
        }
        for side in (ran.primary, ran.candidate)
    )
    for key in sorted({*mine} & {*theirs}, key=str):
        yield from _unequal(f"digests of {key}", mine[key], theirs[key])


def _of_messages(ran: Ran) -> Iterator[str]:
    """What listeners heard, channel by channel, `processing` first and the end last."""
    mine, theirs = (_by_channel(ran.messages.get(side, [])) for side in (False, True))
    yield from _unequal("channels", sorted(mine), sorted(theirs))
    for channel in sorted({*mine} & {*theirs}):
        yield from _unequal(f"told on {channel}", mine[channel], theirs[channel])


def _by_channel(messages: Sequence[Message]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for channel, message in messages:
        found[channel].append(message)
    return {channel: fixed(told) for channel, told in found.items()}


def fixed(value: Any) -> Any:
    """A list without the ids that topics get in each run, racing events in one order."""
    plain = json.loads(json.dumps(value, default=str))
    if not isinstance(plain, list) or not all(isinstance(one, dict) for one in plain):
        return plain
    if all("event" in one for one in plain):
        return [_without_id(one) for one in _raced(plain)]
    return [_without_topic_id(one) for one in plain]


def _raced(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The final texts come after all else but the status; among them they race."""
    names = [event["event"].removeprefix("TRANSCRIPT_") for event in events]
    places = [place for place, name in enumerate(names) if name in RACING]
    in_order = sorted(places, key=lambda place: RACING.index(names[place]))
    fixed = list(events)
    for place, source in zip(places, in_order, strict=True):
        fixed[place] = events[source]
    return fixed


def _without_id(event: dict[str, Any]) -> dict[str, Any]:
    if event["event"] == "TOPIC":
        return {**event, "data": _without_topic_id(event["data"])}
    return event


def _without_topic_id(item: dict[str, Any]) -> dict[str, Any]:
    is_topic = "words" in item or "summary" in item
    return {key: value for key, value in item.items() if not (is_topic and key == "id")}


def _unequal(what: str, mine: Any, theirs: Any) -> Iterator[str]:
    if mine != theirs:
        yield f"{what}: {str(mine)[:300]} != {str(theirs)[:300]}"
