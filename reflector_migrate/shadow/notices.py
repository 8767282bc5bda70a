"""What people are called for: sent to chat once for each change of state, and to a step's summary.

A channel that does not answer is named in the log and in what is returned, and is tried again the
next time. It stops nothing. Addresses are secrets: no log, error or entry has them.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.decisions import record
from reports.text import visible

KIND, WHO = "notice", "notices"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """How something stands: `state` is compared with the one sent last about this topic."""

    topic: str
    state: str
    is_bad: bool
    text: str


def send(harness: Harness, notices: Sequence[Notice]) -> tuple[str, ...]:
    """Send what has changed; returns what could not be sent, a sentence each.

    A topic begins as good: nothing is sent before it is bad for the first time. What a channel
    got stands in the audit log.
    """
    faults = list(_summarised(harness.settings.notify.step_summary, notices))
    channels = _channels(harness.settings)
    if channels:
        known = _known(harness)
        for notice in notices:
            faults += _sent(harness, channels, known.get(notice.topic, {}), notice)
    for fault in faults:
        log.warning("notice not delivered: %s", fault)
    return tuple(faults)


def _channels(settings: Settings) -> Mapping[str, Callable[[Notice], None]]:
    addresses = {"slack": settings.notify.slack_url, "zulip": settings.notify.zulip_url}
    return {
        name: _poster(address.get_secret_value(), settings.notify.timeout_s)
        for name, address in addresses.items()
        if address is not None and address.get_secret_value()
    }


def _known(harness: Harness) -> dict[str, dict[str, str]]:
    """Topic -> channel -> the state that it got last."""
    found: dict[str, dict[str, str]] = {}
    for entry in harness.audit.all(KIND):
        body = entry["body"]
        for channel in body["channels"]:
            found.setdefault(body["topic"], {})[channel] = body["state"]
    return found


def _sent(
    harness: Harness,
    channels: Mapping[str, Callable[[Notice], None]],
    known: Mapping[str, str],
    notice: Notice,
) -> Iterator[str]:
    """Send to each channel that does not know this state, and note which ones got it."""
    got = []
    for name, post in channels.items():
        is_news = notice.is_bad if name not in known else known[name] != notice.state
        if not is_news:
            continue
        try:
            post(notice)
            got.append(name)
        except (OSError, HTTPException, ValueError) as error:
            yield f"{name}: {_reason(error)}"
    if got:
        body = {"topic": notice.topic, "state": notice.state, "channels": got}
        record(harness, KIND, body, who=WHO, evidence=notice.text)


def _poster(address: str, timeout_s: float) -> Callable[[Notice], None]:
    """Posts a notice as `{"text": …}`: Slack's incoming webhooks take it, and Zulip's for Slack.

    Not by httpx: its log has each address at INFO, and these addresses are keys.
    """
    opener = urllib.request.build_opener(_NoRedirect)

    def post(notice: Notice) -> None:
        mark = "✗" if notice.is_bad else "✓"
        body = json.dumps({"text": _harmless(f"{mark} {notice.text}")}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(address, body, headers, method="POST")  # noqa: S310 - http(s) by the settings
        with opener.open(request, timeout=timeout_s):
            pass

    return post


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a failure: it would be followed without the text."""

    def redirect_request(self, *_: object) -> None:
        """Do not follow."""


def _reason(error: Exception) -> str:
    """What went wrong, without the address: errors of URLs quote it."""
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        return type(error.reason).__name__ if isinstance(error.reason, Exception) else "no answer"
    return type(error).__name__


def _harmless(text: str) -> str:
    """One line in which no name mentions a person, and no bracket makes a link or a command."""
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u200b")


def _summarised(path: Path | None, notices: Sequence[Notice]) -> Iterator[str]:
    """Append the notices to a step's summary (Markdown): each step has its own, so always."""
    if path is None or not notices:
        return
    lines = [f"- {'❌' if one.is_bad else '✅'} {_harmless(one.text)}" for one in notices]
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        yield f"step summary: {error.strerror}"
