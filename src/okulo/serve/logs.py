"""Structured logs: one JSON object a line, with the request's id. Set up by the command line only."""

import json
import logging
import sys
from datetime import UTC, datetime

from okulo.serve.http import request_id

EXTRA = ("status", "ms", "model")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, message, the request's id where there is one, and the error's traceback."""
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if identity := request_id.get():
            said["request_id"] = identity
        said |= {name: getattr(record, name) for name in EXTRA if hasattr(record, name)}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)


def set_up(level: int = logging.INFO) -> None:
    """Send okulo's and uvicorn's logs to standard error: JSON lines, or plain ones on a terminal."""
    to = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        to.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    else:
        to.setFormatter(JsonLines())
    for name in ("okulo", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [to], False
        logger.setLevel(level if name == "okulo" else logging.WARNING)
