"""Every setting there is, validated into one frozen object and passed on from then on.

Precedence: flag > `MIGRATE_*` (sections joined by `__`) > --config or `MIGRATE_CONFIG` >
./migrate.toml, or `[tool.migrate]` of ./pyproject.toml > user file > system file > default.
An unknown key is an error that names the nearest known one. Secrets come by environment or by
a `*_file` key, never in the file itself.

    sections.py     the tables of migrate.toml, with defaults and bounds
    whole.py        all of them together: Settings
    sources.py      where settings stand: files, environment, secrets' files
    loading.py      sources in, one valid Settings or one clear error out
    shown_url.py    a URL without its password, for people and logs
    readiness.py    the file by which a process says that it serves
"""

from __future__ import annotations

from reflector_migrate.settings.loading import load_settings, origins, settings_stamp
from reflector_migrate.settings.readiness import mark_ready, ready_file
from reflector_migrate.settings.sections import (
    BudgetSettings,
    CandidateSettings,
    ConductorSettings,
    PipelineSettings,
    Price,
    ReflectorSettings,
    RouteSettings,
    S3Settings,
    SecondarySettings,
    Section,
    ServicesSettings,
    ShadowSettings,
    WorkerSettings,
)
from reflector_migrate.settings.shown_url import without_user
from reflector_migrate.settings.sources import file_here
from reflector_migrate.settings.whole import APP, Settings

__all__ = [
    "APP",
    "BudgetSettings",
    "CandidateSettings",
    "ConductorSettings",
    "PipelineSettings",
    "Price",
    "ReflectorSettings",
    "RouteSettings",
    "S3Settings",
    "SecondarySettings",
    "Section",
    "ServicesSettings",
    "Settings",
    "ShadowSettings",
    "WorkerSettings",
    "file_here",
    "load_settings",
    "mark_ready",
    "origins",
    "ready_file",
    "settings_stamp",
    "without_user",
]
