"""The calls in which something waits for an explanation that may never come. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from crm_core.ids import CallId
from telephony.calls.book import CallBook
from telephony.calls.call import Call
from telephony.calls.rings import SETTLES_AFTER

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Settling:
    """`due_at` is when the one that has waited longest has waited long enough."""

    def __init__(self, book: CallBook) -> None:
        self.due_at = _NEVER
        self._book = book
        self._waiting: dict[CallId, tuple[datetime, Call]] = {}
        """Since when; the first has waited longest."""

    def __len__(self) -> int:
        return len(self._waiting)

    def look_at(self, call: Call, at: datetime) -> None:
        """Something happened in this call: it may be over, or wait for an explanation now."""
        if not call.is_live:
            self._waiting.pop(call.id, None)
            self._book.forget(call)
        elif call.unsettled and call.id not in self._waiting:
            if not self._waiting:
                self.due_at = at + SETTLES_AFTER
            self._waiting[call.id] = (at, call)

    def settle(self, at: datetime) -> None:
        """Explain what has waited long enough."""
        while self._waiting:
            since, call = next(iter(self._waiting.values()))
            self.due_at = since + SETTLES_AFTER
            if at <= self.due_at:
                return
            del self._waiting[call.id]
            call.settle(at)
            self.look_at(call, at)
        self.due_at = _NEVER

    def clear(self) -> None:
        self._waiting.clear()
        self.due_at = _NEVER
