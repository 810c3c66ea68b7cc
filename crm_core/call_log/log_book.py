"""Queue passes as the rows of `queue_log` tell them: the simplest reading that can be right. Pure.

It is the second opinion that the call table is compared with, and shares nothing with the fold that
fills the table (`telephony.queue_log.merge`): a mistake of one must not be a mistake of the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from crm_core.events import Outcome


class LogRow(Protocol):
    """A row of `queue_log`, as `telephony.queue_log.parser` reads it."""

    @property
    def at(self) -> datetime: ...
    @property
    def unique_id(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def agent(self) -> str: ...
    @property
    def verb(self) -> str: ...
    @property
    def data(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Torn:
    """Between these two moments something stood in the file that was no row."""

    since: datetime
    to: datetime


ANSWERED = frozenset(
    {"COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER"}
)
UNANSWERED: Mapping[str, Outcome] = {
    "ABANDON": Outcome.ABANDONED,
    "EXITWITHTIMEOUT": Outcome.TIMEOUT,
    "EXITEMPTY": Outcome.EXIT_EMPTY,
    "EXITWITHKEY": Outcome.EXIT_KEY,
    "WITHDRAW": Outcome.WITHDRAWN,
}
TURNED_AWAY: Mapping[str, Outcome] = {
    "FULL": Outcome.FULL,
    "JOINEMPTY": Outcome.JOIN_EMPTY,
    "JOINUNAVAIL": Outcome.JOIN_EMPTY,
}


@dataclass(slots=True, eq=False)
class LoggedPass:
    """One stay in one queue. It changes while rows about it come; `outcome` None: it goes on."""

    unique_id: str
    queue: str
    entered_at: datetime
    outcome: Outcome | None = None
    agent: str | None = None
    """The agent number (member's name) of who answered."""
    wait_seconds: int | None = None
    talk_seconds: int | None = None
    last_row_at: datetime | None = None
    closed_at: datetime | None = None
    """The moment of the row that closed it: the next QUEUESTART where Asterisk died with it."""
    dumped: bool = False

    @property
    def is_open(self) -> bool:
        return self.outcome is None


class LogBook:
    """Fed every row once, in the order of the file. Rows may be missing, at the beginning too."""

    def __init__(self) -> None:
        self._entered: list[LoggedPass] = []
        self._closed: list[LoggedPass] = []
        self._open: dict[tuple[str, str], list[LoggedPass]] = defaultdict(list)

    def take_entered(self) -> list[LoggedPass]:
        """The passes that were entered by rows since the last question."""
        taken, self._entered = self._entered, []
        return taken

    def take_closed(self) -> list[LoggedPass]:
        """The passes that were closed by rows since the last question."""
        taken, self._closed = self._closed, []
        return taken

    def open_passes(self) -> list[LoggedPass]:
        """Those that no row has closed yet."""
        return [each for some in self._open.values() for each in some]

    def read(self, row: LogRow) -> None:
        verb = row.verb
        if verb == "ENTERQUEUE":
            self._enter(row, row.at)
        elif verb == "CONNECT":
            self._connect(row)
        elif verb in ANSWERED:
            self._answered(row)
        elif verb in UNANSWERED:
            self._unanswered(row)
        elif verb == "QUEUESTART":
            self._asterisk_died(row)
        elif verb == "AGENTDUMP":
            for each in self._here(row)[-1:]:
                each.dumped = True
        elif verb == "ZX_LEFT" and row.data[0] in TURNED_AWAY:
            refused = self._enter(row, row.at)
            refused.wait_seconds = 0
            self._close(refused, TURNED_AWAY[row.data[0]], row)

    def _here(self, row: LogRow) -> list[LoggedPass]:
        return self._open.get((row.unique_id, row.queue), [])

    def _enter(self, row: LogRow, at: datetime) -> LoggedPass:
        entered = LoggedPass(row.unique_id, row.queue, at, last_row_at=row.at)
        self._open[row.unique_id, row.queue].append(entered)
        self._entered.append(entered)
        return entered

    def _find(self, row: LogRow, seconds_since_entry: int, *, talking: bool) -> LoggedPass:
        """The pass that this row is about; entered now where its ENTERQUEUE is not known."""
        here = self._here(row)
        fitting = [each for each in here if (each.agent is not None) == talking] or here
        if not fitting:
            return self._enter(row, row.at - timedelta(seconds=seconds_since_entry))
        return fitting[0] if talking else fitting[-1]

    def _connect(self, row: LogRow) -> None:
        wait = int(row.data[0])
        waiting = self._find(row, wait, talking=False)
        waiting.agent, waiting.wait_seconds = row.agent, wait
        waiting.last_row_at, waiting.dumped = row.at, False

    def _answered(self, row: LogRow) -> None:
        wait, talk = int(row.data[-3]), int(row.data[-2])
        talked = self._find(row, wait + talk, talking=True)
        talked.agent, talked.wait_seconds, talked.talk_seconds = row.agent, wait, talk
        self._close(talked, Outcome.ANSWERED, row)

    def _unanswered(self, row: LogRow) -> None:
        told = row.data[2:3] if row.verb == "WITHDRAW" else row.data[-1:]
        wait = int(told[0]) if told and told[0].isdecimal() else None
        waited = self._find(row, wait or 0, talking=False)
        waited.agent, waited.wait_seconds = None, wait
        self._close(waited, UNANSWERED[row.verb], row)

    def _close(self, each: LoggedPass, outcome: Outcome, row: LogRow) -> None:
        place = (each.unique_id, each.queue)
        self._open[place].remove(each)
        if not self._open[place]:
            del self._open[place]
        each.outcome, each.closed_at = outcome, row.at
        if row.verb != "QUEUESTART":
            each.last_row_at = row.at
        self._closed.append(each)

    def _asterisk_died(self, row: LogRow) -> None:
        """A pass without a closing row before the next start has an end that nobody knows."""
        for each in self.open_passes():
            outcome = Outcome.AGENT_DUMP if each.dumped else Outcome.UNKNOWN_END
            self._close(each, outcome, row)
