"""Zulip's messages: post, change, find."""

from __future__ import annotations

import json
from typing import Any

from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.pipeline.services.http import Caller, json_of
from reflector_migrate.settings import ServicesSettings

RECENT = 200


class Zulip:
    """The bot's account. `zulip_url` is scheme and host, without `/api`."""

    def __init__(self, caller: Caller, settings: ServicesSettings) -> None:
        self._caller, self._settings = caller, settings

    def post(self, stream: str, topic: str, content: str) -> int:
        """Post to a stream; the message's id."""
        form = {"type": "stream", "to": stream, "topic": topic, "content": content}
        answer = self._call("POST", "/messages", data=form)
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
            raise TransientStepError("zulip (services.zulip_url) answered without a message id")
        return int(answer["id"])

    def update(self, message_id: int, topic: str, content: str) -> None:
        """Change a message in its place."""
        self._call("PATCH", f"/messages/{message_id}", data={"topic": topic, "content": content})

    def find(self, stream: str, topic: str, marker: str) -> int | None:
        """The bot's newest message there whose text holds `marker`, among the recent ones."""
        narrow = [
            {"operator": "stream", "operand": stream},
            {"operator": "topic", "operand": topic},
            {"operator": "sender", "operand": self._settings.zulip_bot_email},
        ]
        query = {"anchor": "newest", "num_before": RECENT, "num_after": 0}
        answer = self._call(
            "GET",
            "/messages",
            params=query | {"narrow": json.dumps(narrow), "apply_markdown": "false"},
        )
        messages = answer.get("messages", ()) if isinstance(answer, dict) else ()
        found = [m["id"] for m in messages if marker in str(m.get("content", ""))]
        return max(found, default=None)

    def _call(self, method: str, path: str, **request: Any) -> Any:
        s = self._settings
        if not (s.zulip_url and s.zulip_bot_email and s.zulip_api_key):
            raise TerminalStepError("services.zulip_url, zulip_bot_email, zulip_api_key: not set")
        url = f"{s.zulip_url.rstrip('/')}/api/v1{path}"
        auth = (s.zulip_bot_email, s.zulip_api_key.get_secret_value())
        return json_of(self._caller.send(method, url, auth=auth, **request), "zulip")
