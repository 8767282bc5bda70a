"""Daily's REST API: what it knows of a recording, and who was in the meeting."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reflector_migrate.errors import TransientStepError
from reflector_migrate.pipeline.contracts import PersonInMeeting
from reflector_migrate.pipeline.services.http import Caller, bearer, json_of
from reflector_migrate.settings import ServicesSettings

M = TypeVar("M", bound=BaseModel)


class DailyRecording(BaseModel):
    """The fields of Daily's answer that the pipeline uses; duration in seconds."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    room_name: str | None = None
    duration: float | None = None
    session_id: str | None = Field(default=None, alias="mtgSessionId")


class _Participants(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    data: tuple[PersonInMeeting, ...] = ()


class Daily:
    """Raises TransientStepError and TerminalStepError; what they mean is the step's affair."""

    def __init__(self, caller: Caller, settings: ServicesSettings) -> None:
        self._caller, self._base = caller, settings.daily_url.rstrip("/")
        self._headers = bearer(settings.daily_api_key) | {"Content-Type": "application/json"}

    def recording(self, recording_id: str) -> DailyRecording:
        """GET /recordings/{id}."""
        return _valid(DailyRecording, self._get(f"/recordings/{quote(recording_id, safe='')}"))

    def participants(self, session_id: str) -> tuple[PersonInMeeting, ...]:
        """GET /meetings/{id}/participants: the first page, as legacy asks."""
        body = self._get(f"/meetings/{quote(session_id, safe='')}/participants")
        known = {"participant_id", "user_name", "user_id"}
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise TransientStepError("daily (services.daily_url) answered no list of participants")
        people = [{k: p[k] for k in known & set(p)} for p in rows if isinstance(p, dict)]
        return _valid(_Participants, {"data": people}).data

    def _get(self, path: str) -> Any:
        response = self._caller.send("GET", self._base + path, headers=self._headers)
        return json_of(response, "daily")


def _valid(model: type[M], body: Any) -> M:
    try:
        return model.model_validate(body)
    except ValidationError as invalid:
        where = ".".join(str(part) for part in invalid.errors()[0]["loc"])
        raise TransientStepError(f"daily answered an unexpected {where or 'body'}") from None
