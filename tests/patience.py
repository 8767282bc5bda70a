"""Settings for servers that tests start: a busy machine boots them slowly."""

from __future__ import annotations

from reflector_migrate.settings import Settings

PATIENT = Settings.model_validate({"sandbox": {"start_timeout_s": 240.0, "keeps_refused": True}})
