"""What the sandbox's outside services recorded: their control endpoint, read and never set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from reflector_migrate.errors import ServerUnreachableError
from reflector_migrate.settings import Settings

Json = Mapping[str, Any]

TIMEOUT_S = 10.0


class ServiceRecords(NamedTuple):
    """Messages and deliveries that arrived, as the services list them."""

    zulip: tuple[Json, ...]
    webhooks: tuple[Json, ...]


def read_records(settings: Settings) -> ServiceRecords | None:
    """None outside of a sandbox, where no service says what it received."""
    url = settings.sandbox.control_url
    if url is None:
        return None
    return ServiceRecords(tuple(_get(url, "/zulip")), tuple(_get(url, "/webhooks")))


def read_conditions(settings: Settings) -> dict[str, Any]:
    """The noise that is switched on (its seed does not count), and whether answers are replayed.

    Empty outside of a sandbox.
    """
    url = settings.sandbox.control_url
    if url is None:
        return {}
    noises, replayed, answers = (_get(url, path) for path in ("/noise", "/replay", "/answers"))
    return {
        "noise": {s: {k: v for k, v in n.items() if k != "seed"} for s, n in noises.items() if n},
        "replayed": bool(replayed["llm"] or replayed["recogniser"] or answers["mode"] == "replay"),
    }


def _get(url: str, path: str) -> Any:
    try:
        answer = httpx.get(f"{url.rstrip('/')}/control{path}", timeout=TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        said = f"the sandbox's services do not answer: {type(error).__name__}"
        raise ServerUnreachableError(said, hint="migrate sandbox status") from None
    return answer.json()
