"""Logs: one line a fact, as text for people or JSON for machines, numbers masked.

`call_id` and other context are bound with `structlog.contextvars`; the standard library's loggers
(ours, uvicorn's, SQLAlchemy's) all end here.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_NUMBER = re.compile(r"(?<![\w.:-])(\+?\d{3})\d{4,12}(\d{4})(?![\w.:-])")


def masked(text: str) -> str:
    """`text` with every run of digits that looks like a phone number reduced to its ends."""
    return _NUMBER.sub(r"\1****\2", text)


def _mask(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    entry["event"] = masked(str(entry.get("event", "")))
    return entry


def configure(level: str, style: str) -> None:
    """Send all logging to standard error, as `style` (`text` or `json`) says."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if style == "text":
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                _mask,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("uvicorn.access", "aiosqlite", "alembic", "asyncio", "panoramisk"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
