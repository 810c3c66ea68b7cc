"""Our dialplan's rows about calls without a queue, folded: `ZX_DIALLED` and `ZX_ENDED` (decision 23). Pure.

A channel may dial again (it was transferred to another extension), and hangs up once: its hangup
handlers then write one `ZX_ENDED` for each dial, all with the figures of the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_core.events import CallDialled, DialClosed, Event
from crm_core.ids import BootId, CallId, PbxId
from telephony.queue_log.parser import Row


@dataclass(slots=True)
class _Dial:
    call: CallId
    boot: BootId
    nth: int
    told_at: datetime
    is_closed: bool = False


class DialFold:
    """Fed the two kinds of row in the order of the file."""

    def __init__(self, pbx: PbxId) -> None:
        self._pbx = pbx
        self._dials: dict[str, _Dial] = {}
        """The last one of each channel, until its run of Asterisk is over or it has ended."""

    def feed(self, row: Row, call: CallId, boot: BootId) -> list[Event]:
        if row.verb == "ZX_DIALLED":
            return self._dialled(row, call, boot)
        return self._ended(row, call, boot)

    def call_of(self, unique_id: str) -> CallId | None:
        dial = self._dials.get(unique_id)
        return dial.call if dial is not None else None

    def end_other_runs(self, boot: BootId) -> list[Event]:
        """Asterisk died: how these ended nobody wrote."""
        gone = {uid: dial for uid, dial in self._dials.items() if dial.boot != boot}
        for unique_id in gone:
            del self._dials[unique_id]
        return [
            self._closed(unique_id, dial, dial.told_at)
            for unique_id, dial in gone.items()
            if not dial.is_closed
        ]

    def _dialled(self, row: Row, call: CallId, boot: BootId) -> list[Event]:
        former = self._dials.get(row.unique_id)
        found: list[Event] = []
        if former is not None and not former.is_closed:
            found.append(self._closed(row.unique_id, former, row.at))
        dial = _Dial(call, boot, former.nth + 1 if former else 1, row.at)
        self._dials[row.unique_id] = dial
        caller, called, interface, *_ = [*(part or None for part in row.data), None, None, None]
        found.append(
            CallDialled(
                at=row.at,
                pbx=self._pbx,
                call=call,
                boot=boot,
                unique_id=row.unique_id,
                nth=dial.nth,
                caller_number=caller,
                called_number=called,
                interface=interface,
            )
        )
        return found

    def _ended(self, row: Row, call: CallId, boot: BootId) -> list[Event]:
        dial = self._dials.get(row.unique_id) or _Dial(call, boot, 1, row.at)
        if dial.is_closed:
            return []  # the handler of a dial that another one followed
        dial.is_closed = True
        self._dials.pop(row.unique_id, None)
        if dial.nth > 1:
            self._dials[row.unique_id] = dial  # the handlers of those before it are still to come
        status = row.data[0] or None
        return [
            self._closed(row.unique_id, dial, row.at, status, row.number(1), row.number(2) or 0)
        ]

    def _closed(
        self,
        unique_id: str,
        dial: _Dial,
        at: datetime,
        status: str | None = None,
        cause: int | None = None,
        talk_seconds: int | None = None,
    ) -> DialClosed:
        return DialClosed(
            at=at,
            pbx=self._pbx,
            call=dial.call,
            unique_id=unique_id,
            nth=dial.nth,
            status=status,
            cause=cause,
            talk_seconds=talk_seconds if status == "ANSWER" else None,
        )
