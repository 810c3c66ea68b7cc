"""Logs: one line a fact, as text for people or JSON for machines; no number whole, no secret at all.

Every line of ours and of the libraries ends here, and is masked whatever made it: the sentence, its
values, a traceback. `about` puts beside a line what it is about (`request`, `call_id`); a line that
names a call in its sentence has `call_id` by itself.

Libraries tell warnings and errors only, at every level of ours: in their details (SQL and its values,
the frames of sockets, the fields of forms) are the customers.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from crm_core.log_masks import SHORTEST_SECRET, masked, without_secrets

OURS = "zuoxi"
"""All our loggers are below it."""

_about: ContextVar[Mapping[str, str]] = ContextVar("about")
_CALL = re.compile(r"\bcall ([0-9a-f]{32})\b")
_AS_THEY_ARE = frozenset({"timestamp", "request", "call_id"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@contextmanager
def about(**what: str) -> Iterator[None]:
    """Lines from here on, in this task and those it starts, are about this."""
    token = _about.set({**_about.get({}), **what})
    try:
        yield
    finally:
        _about.reset(token)


def configure(level: str, style: str, secrets: Iterable[str] = ()) -> None:
    """Send all logging to standard error, as `style` (`text` or `json`) says.

    `secrets` are never written, wherever they come from.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(style, secrets))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(level.upper())
    logging.captureWarnings(True)


class Lines(logging.Formatter):
    """structlog's, made with the first record: a start that has nothing to tell need not load it."""

    def __init__(self, style: str, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._text_or_json = style
        # The longest first: one may begin another.
        self._secrets = sorted(
            {each for each in secrets if len(each) >= SHORTEST_SECRET}, key=len, reverse=True
        )

    @cached_property
    def _formatter(self) -> logging.Formatter:
        return _formatter(self._text_or_json, self._clean)

    def format(self, record: logging.LogRecord) -> str:
        try:
            return self._formatter.format(record)
        except Exception as wrong:  # what logging itself would print then is masked by nobody
            where = f"{record.name}, {record.filename}:{record.lineno}"
            said = f"a line of the log could not be written: {where}: {type(wrong).__name__}"
            return json.dumps({"event": said}) if self._text_or_json == "json" else said

    def _clean(
        self, _logger: Any, _name: str, entry: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for name, value in entry.items():
            if name not in _AS_THEY_ARE:
                entry[name] = masked(without_secrets(str(value), self._secrets))
        # A traceback has lines; in what is said, a line break may be somebody's who forges a line.
        entry["event"] = _CONTROL.sub(lambda found: repr(found[0])[1:-1], str(entry.get("event")))
        return entry


def _about_what(
    _logger: Any, _name: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    entry.update(_about.get({}))
    call = _CALL.search(str(entry.get("event", "")))
    if call is not None:
        entry["call_id"] = call[1]
    return entry


def _formatter(style: str, clean: Any) -> logging.Formatter:
    import structlog  # 35 ms

    before: list[Any] = [
        _about_what,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if style == "text":
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            clean,
            last,
        ],
    )
