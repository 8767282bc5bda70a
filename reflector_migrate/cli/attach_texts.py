"""What a person puts beside Reflector's worker: the command, and snippets to copy."""

from __future__ import annotations

import sys
from pathlib import Path

TEXTS = """
The plugin's folder: {plugin}

Reflector's worker, as before and with:

  PYTHONPATH={plugin} MIGRATE_SHADOW=true \\
      celery -A reflector.worker.app worker --loglevel=info -I reflector_shadow

systemd, /etc/systemd/system/YOUR-WORKER.service.d/migrate.conf:

  [Service]
  Environment=PYTHONPATH={plugin} MIGRATE_SHADOW=true
  ExecStart=
  ExecStart=YOUR-COMMAND -I reflector_shadow

compose, beside Reflector's own file:

  services:
    worker:
      volumes: ["{plugin}:/opt/reflector-plugin:ro"]
      environment: {{PYTHONPATH: /opt/reflector-plugin, MIGRATE_SHADOW: "true"}}
      command: celery -A reflector.worker.app worker --loglevel=info -I reflector_shadow

Our workers, each in a terminal or a unit of its own:

  {migrate} --config {config} worker run conductor
  {migrate} --config {config} worker run dispatcher
  {migrate} --config {config} worker run collector
  {migrate} --config {config} worker run beat

Then set `[shadow] enabled = true` in {config}, and: {migrate} --config {config} doctor
"""


def texts(plugin: Path, config: Path) -> str:
    """All of it, for these places."""
    return TEXTS.format(
        plugin=plugin, config=config, migrate=Path(sys.executable).parent / "migrate"
    )
