"""The only way from a step to the world outside its run.

`LiveEffects` does it; `RecordedEffects` keeps exactly what would have been done.
Both write media and messages only where their namespace allows.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.pipeline.services.storage import Stored, address
from reflector_migrate.pipeline.services.webhook import EVENT, Delivery, Told, Webhook, is_taken
from reflector_migrate.pipeline.services.zulip import Zulip
from reflector_migrate.pipeline.sinks import Listeners, Media, Once
from reflector_migrate.store.canonical_json import sha256_of
from reflector_migrate.store.effects import EffectLog


@dataclass(frozen=True, slots=True)
class Post:
    """A Zulip message; `message_id` is that of an earlier one to change instead.

    `marker` is a part of the content that no other recording's message has.
    """

    stream: str
    topic: str
    content: str
    marker: str
    message_id: int | None = None


class Effects(Protocol):
    """What a step may do to the world."""

    def broadcast(
        self, user_id: str | None, event: str, data: Mapping[str, Any], *, key: str
    ) -> None:
        """Publish to the listeners; `key` names the state, which is published once."""

    def put_media(self, key: str, path: Path) -> Stored:
        """Store a file in the namespace's media bucket."""

    def delete_media(self, key: str) -> None:
        """Delete an object of the namespace's media bucket."""

    def delete_track(self, bucket: str, key: str) -> None:
        """Delete a raw track."""

    def delete_local(self, path: Path) -> None:
        """Delete a file of the namespace's data folder."""

    def discard(self, folder: Path) -> None:
        """Remove a folder of unfinished files, which no reader ever sees."""

    def post_zulip(self, post: Post) -> int:
        """Post or change; the message's id."""

    def last_told(self) -> Told | None:
        """The event that the receiver may have heard last: taken, refused, or unknown."""

    def send_webhook(self, delivery: Delivery) -> int | None:
        """Deliver; the receiver's status, None when nothing was really sent."""


@dataclass(frozen=True, slots=True)
class LiveEffects:
    """Does it. With `once`, a step that runs again neither posts nor sends again."""

    listeners: Listeners
    media: Media
    zulip: Zulip
    webhook: Webhook
    once: Once | None

    def broadcast(
        self, user_id: str | None, event: str, data: Mapping[str, Any], *, key: str
    ) -> None:
        """Tell the listeners."""
        self.listeners.tell(user_id, event, data, key)

    def put_media(self, key: str, path: Path) -> Stored:
        """Store a file in the namespace's media bucket."""
        return self.media.put(key, path)

    def delete_media(self, key: str) -> None:
        """Delete an object of the namespace's media bucket."""
        self.media.delete(key)

    def delete_track(self, bucket: str, key: str) -> None:
        """Delete a raw track."""
        self.media.storage.delete(address(bucket, key))

    def delete_local(self, path: Path) -> None:
        """Delete a file of the namespace's data folder."""
        self.media.unlink(path)

    def discard(self, folder: Path) -> None:
        """Remove a folder of unfinished files."""
        self.media.discard(folder)

    def post_zulip(self, post: Post) -> int:
        """Change the earlier message, or post; after an unknown outcome look for it first."""
        digest = sha256_of([post.stream, post.topic, post.content])
        done = self.once.done("zulip", digest) if self.once else None
        if done is not None:
            return int(done["message_id"])
        message_id = self._changed(post, post.message_id)
        if message_id is None and self.once and self.once.is_begun("zulip"):
            found = self.zulip.find(post.stream, post.topic, post.marker)
            message_id = self._changed(post, found)
        if message_id is None:
            if self.once:
                self.once.begin("zulip")
            message_id = self.zulip.post(post.stream, post.topic, post.content)
        if self.once:
            self.once.finish("zulip", digest, message_id=message_id)
        return message_id

    def last_told(self) -> Told | None:
        """The event that this run last began to deliver."""
        last = self.once.last("webhook") if self.once else None
        return Told(last["digest"], last.get("event_id")) if last else None

    def send_webhook(self, delivery: Delivery) -> int | None:
        """Deliver unless the receiver took the same payload, or has just refused it.

        What it refused is delivered again once a person has the run retried or run again.
        """
        if self.once is None:
            return self.webhook.send(delivery)
        done, go = self.once.done("webhook", delivery.digest), self.once.go
        if done is not None and (is_taken(done["status"]) or done.get("go", 0) == go):
            return int(done["status"])
        self.once.begin("webhook", digest=delivery.digest, event_id=delivery.event_id)
        status = self.webhook.send(delivery)
        self.once.finish("webhook", delivery.digest, status=status, go=go)
        return status

    def _changed(self, post: Post, message_id: int | None) -> int | None:
        """The id if the message could be changed; None: post a new one.

        Without an engine that retries, any failure means a new message, as legacy does.
        """
        if message_id is None:
            return None
        try:
            self.zulip.update(message_id, post.topic, post.content)
        except TransientStepError:
            if self.once:
                raise
            return None
        except TerminalStepError:
            return None
        return message_id


@dataclass(frozen=True, slots=True)
class RecordedEffects:
    """Keeps what would have been done to others; the run's own media really come and go."""

    run_id: str
    listeners: Listeners
    media: Media
    log: EffectLog

    def broadcast(
        self, user_id: str | None, event: str, data: Mapping[str, Any], *, key: str
    ) -> None:
        """Tell the candidate's own listeners."""
        self.listeners.tell(user_id, event, data, key)

    def put_media(self, key: str, path: Path) -> Stored:
        """Store a file in the candidate's bucket, and record it."""
        stored = self.media.put(key, path)
        self._record("s3_put", key, {}, stored.sha256, stored.size_bytes)
        return stored

    def delete_media(self, key: str) -> None:
        """Delete an object of the candidate's bucket, and record it."""
        self._record("s3_delete", key, {})  # first: a retry may find the object gone
        self.media.delete(key)

    def delete_track(self, bucket: str, key: str) -> None:
        """Record only: the raw tracks are production's."""
        self._record("s3_delete", key, {"bucket": bucket})

    def delete_local(self, path: Path) -> None:
        """Delete a file of the candidate's folder, and record it."""
        self._record("local_delete", path.name, {})
        self.media.unlink(path)

    def discard(self, folder: Path) -> None:
        """Remove a folder of unfinished files, which no reader needs."""
        self.media.discard(folder)

    def post_zulip(self, post: Post) -> int:
        """Record the form that would have been sent; answer as Zulip would, with an id.

        The id is negative, so that it can never be a real message's, and the
        same for a run, so that a retried step records nothing twice.
        """
        own_id = -1 - zlib.crc32(self.run_id.encode()) // 2
        form: dict[str, Any] = {"topic": post.topic, "content": post.content}
        if post.message_id is None or post.message_id == own_id:
            self._record("zulip_message", post.topic, {"type": "stream", "to": post.stream, **form})
            return own_id
        self._record("zulip_update", post.topic, {"message_id": post.message_id, **form})
        return post.message_id

    def last_told(self) -> Told | None:
        """Nothing ever is."""
        return None

    def send_webhook(self, delivery: Delivery) -> int | None:
        """Record address, headers and body to the byte."""
        body, sha256 = delivery.body, hashlib.sha256(delivery.body).hexdigest()
        payload = {"url": delivery.url, "headers": delivery.headers, "body": body.decode()}
        self._record("webhook", EVENT, payload, sha256, len(body))
        return None

    def _record(
        self,
        kind: str,
        key: str,
        payload: Mapping[str, Any],
        sha256: str | None = None,
        size_bytes: int | None = None,
    ) -> None:
        self.log.record(self.run_id, kind, key, payload, sha256=sha256, size_bytes=size_bytes)
