"""Compares the call table with Asterisk's own book, pass by pass, and says every difference aloud.

Reads the rows of `queue_log` on its own: it must not share a mistake with the fold that fills the
table (`telephony.queue_log.merge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from crm_core.call_log.pairing import NEAR, Stay, pair
from crm_core.events import Outcome
from crm_core.quick_dataclass import dataclass


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPass:
    """One stay in one queue, as either book has it. `agent` is the agent number (member's name)."""

    unique_id: str
    queue: str
    entered_at: datetime
    outcome: Outcome | None
    agent: str | None
    wait_seconds: int | None
    talk_seconds: int | None
    rung: frozenset[str] = frozenset()
    """In our book, for a pass somebody picked up: at whom it rang. `queue_log` names one of them."""


class Kind(StrEnum):
    """What differs."""

    MISSING = "missing"
    EXTRA = "extra"
    QUEUE = "queue"
    AGENT = "agent"
    OUTCOME = "outcome"
    WAIT = "wait"
    TALK = "talk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the two books do not agree about."""

    kind: Kind
    of: ComparedPass
    expected: str | None = None
    actual: str | None = None

    def __str__(self) -> str:
        where = f"{self.of.entered_at:%Y-%m-%d %H:%M:%S} {self.of.queue} {self.of.unique_id}"
        if self.kind is Kind.MISSING:
            return f"{where}: queue_log has this pass, the call table does not"
        if self.kind is Kind.EXTRA:
            return f"{where}: the call table has this pass, queue_log does not"
        expected, actual = self.expected or "nothing", self.actual or "nothing"
        return f"{where}: {self.kind} is {expected} in queue_log and {actual} in the call table"


ANSWERED = ("COMPLETEAGENT", "COMPLETECALLER", "BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER")
UNANSWERED = {
    "ABANDON": Outcome.ABANDONED,
    "EXITWITHTIMEOUT": Outcome.TIMEOUT,
    "EXITEMPTY": Outcome.EXIT_EMPTY,
    "EXITWITHKEY": Outcome.EXIT_KEY,
    "WITHDRAW": Outcome.WITHDRAWN,
}
TURNED_AWAY = {
    "FULL": Outcome.FULL,
    "JOINEMPTY": Outcome.JOIN_EMPTY,
    "JOINUNAVAIL": Outcome.JOIN_EMPTY,
}


def passes_of(rows: Iterable[LogRow], begin: datetime, end: datetime) -> list[ComparedPass]:
    """The passes that were entered in [begin, end) by these rows, which come in the file's order.

    Give rows from some time before `begin` and after `end`, or passes at the edges look torn.
    """
    book = _Book()
    for row in rows:
        book.read(row)
    found = [each for each in book.closed + book.unclosed if begin <= each.entered_at < end]
    return sorted(found, key=lambda each: (each.entered_at, each.unique_id, each.queue))


def compare(expected: Sequence[ComparedPass], actual: Sequence[ComparedPass]) -> list[Difference]:
    """Every difference between `queue_log` (expected) and the call table (actual); [] is equality."""
    found: list[Difference] = []
    missing: list[ComparedPass] = []
    extra: list[ComparedPass] = []
    theirs, ours = _by_place(expected), _by_place(actual)
    for place in sorted({*theirs, *ours}):
        told, kept = theirs[place], ours[place]
        pairs = pair(
            [Stay(each.entered_at, each.entered_at) for each in kept],
            [Stay(each.entered_at, each.entered_at) for each in told],
        )
        for i, j in pairs:
            if i is None and j is not None:
                missing.append(told[j])
            elif j is None and i is not None:
                extra.append(kept[i])
            elif i is not None and j is not None:
                found += _differences(told[j], kept[i])
    for lost in missing:
        other = next((each for each in extra if _same_entry(lost, each)), None)
        if other is None:
            found.append(Difference(kind=Kind.MISSING, of=lost))
            continue
        extra.remove(other)
        found.append(Difference(kind=Kind.QUEUE, of=lost, expected=lost.queue, actual=other.queue))
    found += [Difference(kind=Kind.EXTRA, of=each) for each in extra]
    return sorted(found, key=lambda each: (each.of.entered_at, each.of.unique_id, each.kind))


def _by_place(passes: Iterable[ComparedPass]) -> dict[tuple[str, str], list[ComparedPass]]:
    found: dict[tuple[str, str], list[ComparedPass]] = defaultdict(list)
    for each in sorted(passes, key=lambda each: each.entered_at):
        found[(each.unique_id, each.queue)].append(each)
    return found


def _same_entry(one: ComparedPass, other: ComparedPass) -> bool:
    near = abs(one.entered_at - other.entered_at) <= NEAR
    return near and one.unique_id == other.unique_id and one.queue != other.queue


def _differences(told: ComparedPass, kept: ComparedPass) -> list[Difference]:
    values: list[tuple[Kind, object, object]] = [
        (Kind.OUTCOME, told.outcome, kept.outcome),
        (Kind.WAIT, told.wait_seconds, kept.wait_seconds),
        (Kind.TALK, told.talk_seconds, kept.talk_seconds),
    ]
    if told.agent not in kept.rung:  # a pick-up: queue_log names who rang, we name who talked
        values.append((Kind.AGENT, told.agent, kept.agent))
    return [
        Difference(kind=kind, of=told, expected=_word(theirs), actual=_word(ours))
        for kind, theirs, ours in values
        if theirs != ours
    ]


def _word(value: object) -> str | None:
    return None if value is None else str(value)


class _Book:
    """Passes as the rows tell them; the simplest reading that can be right."""

    def __init__(self) -> None:
        self.unclosed: list[ComparedPass] = []
        self.closed: list[ComparedPass] = []
        self._dumped: set[tuple[str, str]] = set()

    def read(self, row: LogRow) -> None:
        if row.verb == "QUEUESTART":
            self._asterisk_died()
        elif row.verb == "ENTERQUEUE":
            self._enter(row, row.at)
        elif row.verb == "CONNECT":
            self._connect(row)
        elif row.verb in ANSWERED:
            self._answered(row)
        elif row.verb in UNANSWERED:
            self._unanswered(row)
        elif row.verb == "AGENTDUMP":
            self._dumped.add((row.unique_id, row.queue))
        elif row.verb == "ZX_LEFT" and row.data[0] in TURNED_AWAY:
            self._close(self._enter(row, row.at), outcome=TURNED_AWAY[row.data[0]], wait_seconds=0)

    def _enter(self, row: LogRow, at: datetime) -> ComparedPass:
        entered = ComparedPass(
            unique_id=row.unique_id,
            queue=row.queue,
            entered_at=at,
            outcome=None,
            agent=None,
            wait_seconds=None,
            talk_seconds=None,
        )
        self.unclosed.append(entered)
        return entered

    def _find(self, row: LogRow, *, talking: bool) -> ComparedPass | None:
        here = [e for e in self.unclosed if (e.unique_id, e.queue) == (row.unique_id, row.queue)]
        fitting = [each for each in here if (each.agent is not None) == talking]
        found = fitting or here
        return (found[0] if talking else found[-1]) if found else None

    def _connect(self, row: LogRow) -> None:
        wait = int(row.data[0])
        waiting = self._find(row, talking=False)
        waiting = waiting or self._enter(row, row.at - timedelta(seconds=wait))
        self.unclosed.remove(waiting)
        self.unclosed.append(replace(waiting, agent=row.agent, wait_seconds=wait))
        self._dumped.discard((row.unique_id, row.queue))

    def _answered(self, row: LogRow) -> None:
        wait, talk = int(row.data[-3]), int(row.data[-2])
        talked = self._find(row, talking=True)
        talked = talked or self._enter(row, row.at - timedelta(seconds=wait + talk))
        talked = self._close(talked, outcome=Outcome.ANSWERED, wait_seconds=wait, agent=row.agent)
        self.closed[-1] = replace(talked, talk_seconds=talk)

    def _unanswered(self, row: LogRow) -> None:
        told = row.data[2:3] if row.verb == "WITHDRAW" else row.data[-1:]
        wait = int(told[0]) if told and told[0].isdecimal() else None
        waited = self._find(row, talking=False)
        waited = waited or self._enter(row, row.at - timedelta(seconds=wait or 0))
        self._close(waited, outcome=UNANSWERED[row.verb], wait_seconds=wait)

    def _close(
        self,
        each: ComparedPass,
        *,
        outcome: Outcome,
        wait_seconds: int | None,
        agent: str | None = None,
    ) -> ComparedPass:
        self.unclosed.remove(each)
        self.closed.append(replace(each, outcome=outcome, wait_seconds=wait_seconds, agent=agent))
        return self.closed[-1]

    def _asterisk_died(self) -> None:
        """A pass without a closing row before the next start has an end that nobody knows."""
        for each in self.unclosed:
            dumped = (each.unique_id, each.queue) in self._dumped
            outcome = Outcome.AGENT_DUMP if dumped else Outcome.UNKNOWN_END
            self.closed.append(replace(each, outcome=outcome))
        self.unclosed = []
        self._dumped.clear()
