"""What the queues did today: passes offered, answered, abandoned, overflowed, and the service level.

Pure, and equal to the table `queue_passes`: it begins with the rows of today (`day_rows`) and folds
the same facts as the rows do. How a pass ended only `queue_log` says (`PassClosed`), for AMI calls
every exit an abandon; until then it is *open*. A fact told twice changes nothing.

Figures count passes, not calls (F33). At every queue and at any moment:
offered = answered + abandoned + overflowed + withdrawn + otherwise + open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm_core.events import (
    CallAnswered,
    CallQueued,
    Event,
    Outcome,
    PassClosed,
    PassConnected,
    PassEntered,
)
from crm_core.ids import PbxId, QueuePassKey
from crm_core.quick_dataclass import dataclass

SERVICE_LEVEL_SECONDS = 20
"""T of the service level."""


class PassKind(StrEnum):
    """Which figure a pass is counted in."""

    OPEN = "open"
    """It waits, or left and `queue_log` has not yet said how."""
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    OVERFLOWED = "overflowed"
    WITHDRAWN = "withdrawn"
    OTHERWISE = "otherwise"
    """Refused by the agent, continued elsewhere, or its end was not seen."""


KINDS: Mapping[Outcome, PassKind] = {
    Outcome.ANSWERED: PassKind.ANSWERED,
    Outcome.ABANDONED: PassKind.ABANDONED,
    Outcome.TIMEOUT: PassKind.OVERFLOWED,
    Outcome.EXIT_EMPTY: PassKind.OVERFLOWED,
    Outcome.EXIT_KEY: PassKind.OVERFLOWED,
    Outcome.FULL: PassKind.OVERFLOWED,
    Outcome.JOIN_EMPTY: PassKind.OVERFLOWED,
    Outcome.WITHDRAWN: PassKind.WITHDRAWN,
    Outcome.AGENT_DUMP: PassKind.OTHERWISE,
    Outcome.CONTINUED: PassKind.OTHERWISE,
    Outcome.UNKNOWN_END: PassKind.OTHERWISE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """The day of one queue, or of several added up. Passes; `within` are those answered in time."""

    offered: int = 0
    answered: int = 0
    within: int = 0
    abandoned: int = 0
    overflowed: int = 0
    withdrawn: int = 0
    otherwise: int = 0
    open: int = 0

    @property
    def service_level(self) -> float | None:
        """answered within T / offered (F33); None: nothing was offered yet."""
        return self.within / self.offered if self.offered else None

    @property
    def answer_rate(self) -> float | None:
        """answered / offered."""
        return self.answered / self.offered if self.offered else None

    @property
    def abandon_rate(self) -> float | None:
        """abandoned / offered."""
        return self.abandoned / self.offered if self.offered else None


NOTHING_YET = QueueCounts()


def added(days: Iterable[QueueCounts]) -> QueueCounts:
    """The figures of several queues together; passes may be added up over queues."""
    totals: dict[str, int] = defaultdict(int)
    for day in days:
        for name in _NAMES:
            totals[name] += getattr(day, name)
    return QueueCounts(**totals)


_NAMES = ("offered", "within", *(kind.value for kind in PassKind))


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRow:
    """A pass as its row in `queue_passes` has it."""

    pbx: PbxId
    queue_pass: QueuePassKey
    entered_at: datetime
    answered_at: datetime | None
    outcome: Outcome | None
    wait_seconds: int | None


@plain_dataclass(slots=True)
class _Pass:
    """What has been told of one pass."""

    entered_at: datetime
    answered_at: datetime | None = None
    told_wait: int | None = None
    """Asterisk's own figure, in whole seconds; without it the two instants tell."""
    outcome: Outcome | None = None
    closed: bool = False
    """Whether the closing row was told here. A row of the tables may know the outcome without it, by
    what AMI saw, and then its wait is not the last word."""
    counted: tuple[str, ...] = ()
    """The figures that it has raised."""


@plain_dataclass(slots=True)
class QueueDay:
    """Today, queue by queue. `begin` at the start, at midnight, and after what nobody saw."""

    began_at: datetime
    """The midnight of the centre; a pass belongs to the day in which it was entered."""
    _passes: dict[tuple[PbxId, QueuePassKey], _Pass] = field(default_factory=dict)
    _totals: dict[tuple[PbxId, str], dict[str, int]] = field(default_factory=dict)

    def of(self, pbx: PbxId, queue: str) -> QueueCounts:
        """The figures of one queue."""
        totals = self._totals.get((pbx, queue))
        return QueueCounts(**totals) if totals else NOTHING_YET

    def begin(self, began_at: datetime, rows: Iterable[PassRow]) -> None:
        """Forget everything and take the rows as they are: those of the day, and older open ones."""
        self.began_at = began_at
        self._passes.clear()
        self._totals.clear()
        for row in rows:
            one = _Pass(
                entered_at=row.entered_at,
                answered_at=row.answered_at,
                told_wait=row.wait_seconds,
                outcome=row.outcome,
            )
            self._passes[row.pbx, row.queue_pass] = one
            self._count(row.pbx, row.queue_pass.queue, one)

    def feed(self, event: Event) -> bool:
        """Take one fact; whether a figure changed."""
        step = _STEPS.get(type(event))
        queue_pass: QueuePassKey | None = getattr(event, "queue_pass", None)
        if step is None or queue_pass is None:
            return False
        one = self._passes.get((event.pbx, queue_pass))
        if one is None:
            one = self._passes[event.pbx, queue_pass] = _Pass(entered_at=event.at)
        step(one, event)
        return self._count(event.pbx, queue_pass.queue, one)

    def _count(self, pbx: PbxId, queue: str, one: _Pass) -> bool:
        counted = _counted(one) if one.entered_at >= self.began_at else ()
        if counted == one.counted:
            return False
        totals = self._totals.setdefault((pbx, queue), defaultdict(int))
        for name in one.counted:
            totals[name] -= 1
        for name in counted:
            totals[name] += 1
        one.counted = counted
        return True


def _counted(one: _Pass) -> tuple[str, ...]:
    """The figures of `QueueCounts` that a pass raises by one."""
    if one.outcome is not None:
        kind = KINDS[one.outcome]
    else:
        kind = PassKind.OPEN if one.answered_at is None else PassKind.ANSWERED
    wait = _wait_of(one)
    if kind is PassKind.ANSWERED and wait is not None and wait <= SERVICE_LEVEL_SECONDS:
        return ("offered", kind.value, "within")
    return ("offered", kind.value)


def _wait_of(one: _Pass) -> int | None:
    if one.told_wait is not None or one.answered_at is None:
        return one.told_wait
    return max(0, int((one.answered_at - one.entered_at).total_seconds()))


# --- one step per kind of fact --------------------------------------------------------------------


def _entered(_one: _Pass, _event: CallQueued | PassEntered) -> None:
    """That it is there is all: the first of the two feeds that tells it names the instant."""


def _answered(one: _Pass, event: CallAnswered) -> None:
    one.answered_at = one.answered_at or event.at


def _connected(one: _Pass, event: PassConnected) -> None:
    one.answered_at = one.answered_at or event.at
    if one.outcome is None:
        one.told_wait = event.wait_seconds


def _closed(one: _Pass, event: PassClosed) -> None:
    if not one.closed:
        one.closed, one.outcome = True, event.outcome
        if event.wait_seconds is not None:
            one.told_wait = event.wait_seconds


_STEPS: dict[type[Event], Callable[[_Pass, Any], None]] = {
    CallQueued: _entered,
    PassEntered: _entered,
    CallAnswered: _answered,
    PassConnected: _connected,
    PassClosed: _closed,
}

FACTS = tuple(_STEPS)
"""The events that `QueueDay.feed` takes."""
