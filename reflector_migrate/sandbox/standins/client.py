"""A typed client of the control endpoint, for tests and the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

Json = dict[str, Any]


class StandinControl:
    """Talks to `{base_url}/control`; every call raises httpx.HTTPError when refused."""

    def __init__(self, base_url: str, *, timeout_s: float = 10.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=f"{self.base_url}/control", timeout=timeout_s, trust_env=False
        )

    def __enter__(self) -> Self:
        """Use as a context manager to close the connections."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def url(self, service: str) -> str:
        """The base URL to configure for a service: daily, recogniser, llm, zulip, webhook."""
        paths = {"daily": "daily/v1", "llm": "llm/v1"}
        return f"{self.base_url}/{paths.get(service, service)}"

    def health(self) -> Json:
        """Versions and services of the running process."""
        return dict(self._call("GET", "/health"))

    def set_fault(
        self,
        service: str,
        kind: str,
        *,
        times: int | None = None,
        after: int = 0,
        match: str = "",
        latency_s: float | None = None,
        status: int | None = None,
    ) -> None:
        """Switch a fault on; faults.py lists the kinds."""
        fault = {"service": service, "kind": kind, "times": times, "after": after, "match": match}
        self._call("PUT", "/faults", fault | {"latency_s": latency_s, "status": status})

    def faults(self) -> list[Json]:
        """Every switch with how often it was met (`seen`) and applied (`fired`)."""
        return list(self._call("GET", "/faults"))

    def clear_faults(self, service: str = "") -> None:
        """Switch off the faults of one service, or all."""
        self._call("DELETE", "/faults", service=service)

    def set_noise(self, service: str, **noise: float | str | bool) -> None:
        """Switch noise on: rate, seed, facts, vary (llm); wer, seed (recogniser); latency_s."""
        self._call("PUT", "/noise", {"service": service, **noise})

    def clear_noise(self, service: str = "") -> None:
        """Switch off the noise of one service, or all."""
        self._call("DELETE", "/noise", service=service)

    def noises(self) -> Json:
        """Every service's noise as it is set."""
        return dict(self._call("GET", "/noise"))

    def requests(self, service: str = "", since: int = 0) -> list[Json]:
        """What was asked of a service (or all), oldest first, numbers above `since`."""
        return list(self._call("GET", "/requests", service=service, since=str(since)))

    def zulip_messages(self) -> list[Json]:
        """Every message that stands on the Zulip stand-in."""
        return list(self._call("GET", "/zulip"))

    def webhooks(self) -> list[Json]:
        """Every delivery: path, headers, raw body, time, the status it was answered with."""
        return list(self._call("GET", "/webhooks"))

    def set_webhook_status(self, path: str, status: int, times: int | None = None) -> None:
        """Answer deliveries to `path` with `status`, `times` times or from now on."""
        self._call("PUT", "/webhooks", {"path": path, "status": status, "times": times})

    def put_daily_recording(
        self, recording: Mapping[str, Any], participants: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Make Daily know a recording and who took part."""
        people = None if participants is None else [dict(one) for one in participants]
        self._call(
            "PUT", "/daily/recordings", {"recording": dict(recording), "participants": people}
        )

    def put_daily_presence(self, room: str, data: Sequence[Mapping[str, Any]]) -> None:
        """Make Daily report who is in a room now."""
        self._call("PUT", "/daily/presence", {"room": room, "data": [dict(one) for one in data]})

    def replay(
        self,
        *,
        llm: Iterable[Mapping[str, Any]] | None = None,
        recogniser: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        """Replay these answers from the start (fields: replay.py); neither: answer freely."""
        replayed: dict[str, Any] = {}
        if llm is not None:
            replayed["llm"] = [dict(one) for one in llm]
        if recogniser is not None:
            replayed["recogniser"] = [dict(one) for one in recogniser]
        self._call("PUT", "/replay", replayed)

    def replay_run(self, run: Path) -> None:
        """Replay a recorded run's folder (its http.jsonl and scenario.json)."""
        self.replay(**recorded_answers(run))

    def replay_status(self) -> Json:
        """What is replayed, how many answers were served and missed."""
        return dict(self._call("GET", "/replay"))

    def answers(self, mode: str, kept: Mapping[str, Any] | None = None) -> Json:
        """Keep the answers of the run that follows (`record`), or answer by them (`replay`)."""
        given = {name: dict((kept or {})[name]) for name in ("llm", "recogniser") if kept}
        return dict(self._call("PUT", "/answers", {"mode": mode, **given}))

    def answers_status(self) -> Json:
        """Mode, and how many answers are kept, were served, were asked for in vain."""
        return dict(self._call("GET", "/answers"))

    def kept_answers(self) -> Json:
        """Everything that is kept, as `answers` takes it back."""
        return dict(self._call("GET", "/answers/kept"))

    def reset(self, keep: Sequence[str] = ()) -> None:
        """Forget everything but `keep`: faults, noise, requests, daily, zulip, webhooks, replay."""
        self._call("POST", "/reset", keep=",".join(keep))

    def _call(self, method: str, path: str, body: Json | None = None, **query: str) -> Any:
        answer = self._http.request(method, path, json=body, params=query)
        answer.raise_for_status()
        return answer.json()


def recorded_answers(run: Path) -> dict[str, list[Json]]:
    """The arguments of `StandinControl.replay` that a recorded run's files hold."""
    scenario = json.loads((run / "scenario.json").read_text(encoding="utf-8"))
    lines = (run / "http.jsonl").read_text(encoding="utf-8").splitlines()
    calls = [json.loads(line) for line in lines if line.strip()]
    replies = [{"kind": c["llm_kind"], "reply": c["reply"]} for c in calls if c["kind"] == "llm"]
    heard = [c for c in calls if c["kind"] == "gpu"]
    words = _words(run / "rows.json")
    return {
        "llm": replies,
        "recogniser": [_heard(n, call, scenario, words.get(n)) for n, call in enumerate(heard)],
    }


def _words(rows: Path) -> dict[int, list[Json]]:
    """The recogniser's words by track, as the run stored them.

    They could be computed, but the recorded onsets are rounded to a millisecond.
    """
    transcript = json.loads(rows.read_text(encoding="utf-8"))["transcript"]
    row = transcript[0] if isinstance(transcript, list) else transcript
    topics = json.loads(row["topics"]) if isinstance(row["topics"], str) else row["topics"]
    by_track: dict[int, list[Json]] = {}
    for word in (w for topic in topics or [] for w in topic["words"]):
        told = {"word": word["text"], "start": word["start"], "end": word["end"]}
        by_track.setdefault(word["speaker"], []).append(told)
    return by_track


def _heard(index: int, call: Json, scenario: Json, words: list[Json] | None) -> Json:
    audio = call.get("audio") or {}
    meta = scenario["meta"][audio.get("track", index)]
    # a track that starts at 0 is sent as it is, any other padded: either name may come
    item: Json = {"match": [f"padded_{index}.", meta["key"].rsplit("/", 1)[-1]]}
    if "answered" in call and call["answered"] != 200:
        return item | {"status": call["answered"]}
    item |= {"onset_s": audio["onset_s"], "length_s": audio["dur_s"], "words": words}
    return item | {"text": meta["text"]}
