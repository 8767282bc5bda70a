"""The log as JSON, for what collects it."""

from __future__ import annotations

import json
import logging


class JsonLines(logging.Formatter):
    """One JSON object a line, whatever the message or the traceback holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, room, message; the traceback when there is one."""
        line = {"at": self.formatTime(record), "level": record.levelname, "room": record.name}
        line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
