"""Compares the call table with Asterisk's own book, pass by pass, and says every difference aloud.

Pure: the rows of `queue_log` come in by `Comparison.read`, those of the call table a window at a time
by `Comparison.window`. What is remembered is one window and the calls that are open, however long the
period is. A difference has a reason (`Reason`); some reasons mean that nothing is wrong with the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from crm_core.call_log.log_book import LogBook, LoggedPass, LogRow, Torn
from crm_core.call_log.pairing import NEAR, Stay, pair
from crm_core.events import Outcome
from crm_core.quick_dataclass import dataclass

EDGE = timedelta(seconds=10)
"""Read on both sides of a window, so that a pass at its edge has its partner."""

LOOK_BACK = timedelta(hours=1)
"""Rows before the period: a pass that was entered then and ends in it is not taken for a torn one."""


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
    ended_at: datetime | None = None
    """When it was over, by the book it is from; it is not compared."""


class Kind(StrEnum):
    """What differs."""

    MISSING = "missing"
    EXTRA = "extra"
    QUEUE = "queue"
    AGENT = "agent"
    OUTCOME = "outcome"
    WAIT = "wait"
    TALK = "talk"


class Reason(StrEnum):
    """Why the books differ, as far as can be told. One reason a difference, the first that fits."""

    NOT_RECORDED_THEN = "not_recorded_then"
    """The pass was entered before this product followed that PBX for the first time."""
    OPEN = "open"
    """`queue_log`, as far as it was read, does not reach the end of the pass."""
    TORN_ROW = "torn_row"
    """Asterisk's own book is damaged there (a full disk): AMI saw what its rows do not tell."""
    GAP = "gap"
    """The gap book has an interval in which AMI was not heard, and the pass touches it."""
    SECOND_CUT = "second_cut"
    """One second apart: the table has measured what `queue_log` cuts to whole seconds."""
    UNEXPLAINED = "unexplained"


EXCUSES = frozenset({Reason.NOT_RECORDED_THEN, Reason.OPEN, Reason.TORN_ROW})
"""With these the call table is right, or nobody can say; they are shown apart and no difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the two books do not agree about."""

    kind: Kind
    of: ComparedPass
    expected: str | None = None
    actual: str | None = None
    reason: Reason = Reason.UNEXPLAINED

    @property
    def is_excused(self) -> bool:
        return self.reason in EXCUSES

    def __str__(self) -> str:
        where = f"{self.of.entered_at:%Y-%m-%d %H:%M:%S} {self.of.queue} {self.of.unique_id}"
        return f"{where}: {self._what()} [{self.reason}]"

    def _what(self) -> str:
        if self.kind is Kind.MISSING:
            return "queue_log has this pass, the call table does not"
        if self.kind is Kind.EXTRA:
            return "the call table has this pass, queue_log does not"
        expected, actual = self.expected or "nothing", self.actual or "nothing"
        return f"{self.kind} is {expected} in queue_log and {actual} in the call table"


Interval = tuple[datetime, datetime]
"""From and to, both within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What explains differences: all of one PBX."""

    recorded_from: datetime | None = None
    """The first moment that this product has recorded. None: not known, so nothing is excused by it."""
    gaps: tuple[Interval, ...] = ()


def passes_of(rows: Iterable[LogRow], begin: datetime, end: datetime) -> list[ComparedPass]:
    """The passes that were entered in [begin, end) by these rows, which come in the file's order.

    Give rows from some time before `begin` and after `end`, or passes at the edges look torn.
    """
    book = LogBook()
    for row in rows:
        book.read(row)
    found = [as_compared(each) for each in book.take_entered() if begin <= each.entered_at < end]
    return sorted(found, key=lambda each: (each.entered_at, each.unique_id, each.queue))


def as_compared(told: LoggedPass) -> ComparedPass:
    """A pass of `queue_log` as it is now."""
    return ComparedPass(
        unique_id=told.unique_id,
        queue=told.queue,
        entered_at=told.entered_at,
        outcome=told.outcome,
        agent=told.agent,
        wait_seconds=told.wait_seconds,
        talk_seconds=told.talk_seconds,
        ended_at=told.closed_at,
    )


def compare(expected: Sequence[ComparedPass], actual: Sequence[ComparedPass]) -> list[Difference]:
    """Every difference between `queue_log` (expected) and the call table (actual); [] is equality."""
    found = [each for told, kept in matched(expected, actual) for each in differences(told, kept)]
    return sorted(found, key=lambda each: (each.of.entered_at, each.of.unique_id, each.kind))


Match = tuple[ComparedPass | None, ComparedPass | None]


def matched(expected: Sequence[ComparedPass], actual: Sequence[ComparedPass]) -> list[Match]:
    """Which pass of the one book is which of the other; None: it is not there."""
    found: list[Match] = []
    missing: list[ComparedPass] = []
    extra: list[ComparedPass] = []
    theirs, ours = _by_place(expected), _by_place(actual)
    for place in {**theirs, **ours}:
        told, kept = theirs.get(place, []), ours.get(place, [])
        for i, j in _pairs(kept, told):
            if i is None and j is not None:
                missing.append(told[j])
            elif j is None and i is not None:
                extra.append(kept[i])
            elif i is not None and j is not None:
                found.append((told[j], kept[i]))
    for lost in missing:
        other = next((each for each in extra if _same_entry(lost, each)), None)
        if other is not None:
            extra.remove(other)
        found.append((lost, other))
    return found + [(None, each) for each in extra]


def _by_place(passes: Iterable[ComparedPass]) -> dict[tuple[str, str], list[ComparedPass]]:
    found: dict[tuple[str, str], list[ComparedPass]] = defaultdict(list)
    for each in sorted(passes, key=lambda each: each.entered_at):
        found[each.unique_id, each.queue].append(each)
    return found


def _pairs(
    kept: Sequence[ComparedPass], told: Sequence[ComparedPass]
) -> Sequence[tuple[int | None, int | None]]:
    if (
        len(kept) == len(told) == 1
        and abs(kept[0].entered_at - told[0].entered_at) <= NEAR  # nearly always
    ):
        return ((0, 0),)
    return pair(
        [Stay(each.entered_at, each.entered_at) for each in kept],
        [Stay(each.entered_at, each.entered_at) for each in told],
    )


def _same_entry(one: ComparedPass, other: ComparedPass) -> bool:
    near = abs(one.entered_at - other.entered_at) <= NEAR
    return near and one.unique_id == other.unique_id and one.queue != other.queue


def differences(told: ComparedPass | None, kept: ComparedPass | None) -> list[Difference]:
    """What two passes that are one, or one without its partner, do not agree about."""
    if told is None:
        return [Difference(kind=Kind.EXTRA, of=kept)] if kept is not None else []
    if kept is None:
        return [Difference(kind=Kind.MISSING, of=told)]
    if told.queue != kept.queue:
        return [Difference(kind=Kind.QUEUE, of=told, expected=told.queue, actual=kept.queue)]
    values: list[tuple[Kind, object, object]] = [
        (Kind.OUTCOME, told.outcome, kept.outcome),
        (Kind.WAIT, told.wait_seconds, kept.wait_seconds),
        (Kind.TALK, told.talk_seconds, kept.talk_seconds),
    ]
    if told.agent not in kept.rung:  # a pick-up: queue_log names who rang, we name who talked
        values.append((Kind.AGENT, told.agent, kept.agent))
    if told.outcome is None and kept.outcome is None:
        values = values[3:] if told.agent else []  # seconds are told when it is over
    return [
        Difference(kind=kind, of=told, expected=_word(theirs), actual=_word(ours))
        for kind, theirs, ours in values
        if theirs != ours
    ]


def _word(value: object) -> str | None:
    return None if value is None else str(value)


def explained(found: Difference, evidence: Evidence, torn: Sequence[Interval] = ()) -> Difference:
    """The difference with its reason."""
    return replace(found, reason=_reason(found, evidence, torn))


def _reason(found: Difference, evidence: Evidence, torn: Sequence[Interval]) -> Reason:
    of = found.of
    if evidence.recorded_from is not None and of.entered_at < evidence.recorded_from:
        return Reason.NOT_RECORDED_THEN
    # A pass that only queue_log has is never its rows' fault.
    if found.kind is not Kind.MISSING and _touches(of, torn):
        return Reason.TORN_ROW
    if found.kind not in (Kind.MISSING, Kind.EXTRA) and of.outcome is None:
        return Reason.OPEN
    if _touches(of, evidence.gaps):
        return Reason.GAP
    if found.kind in (Kind.WAIT, Kind.TALK) and found.expected and found.actual:
        apart = abs(int(found.expected) - int(found.actual))
        return Reason.SECOND_CUT if apart == 1 else Reason.UNEXPLAINED
    return Reason.UNEXPLAINED


def _touches(of: ComparedPass, intervals: Sequence[Interval]) -> bool:
    began = of.entered_at - NEAR
    ended = of.ended_at + NEAR if of.ended_at is not None else None
    return any(to >= began and (ended is None or since <= ended) for since, to in intervals)


class Comparison:
    """One PBX over any period. Feed rows (`read`) until one is later than the window's end by
    `LOOK_BACK`, then ask for the window: the windows in order of time, each once. Passes that went on
    when their window was over come later: `take_over`, `late`."""

    def __init__(self, evidence: Evidence) -> None:
        self.compared = 0
        """Passes of `queue_log` in the windows so far."""
        self._evidence = evidence
        self._book = LogBook()
        self._told: list[LoggedPass] = []
        self._waiting: list[LoggedPass] = []
        self._torn: list[Interval] = []

    def read(self, row: LogRow | Torn) -> None:
        if not isinstance(row, Torn):
            self._book.read(row)
        elif self._torn and self._torn[-1][1] >= row.since:
            former = self._torn.pop()
            self._torn.append((former[0], max(row.to, former[1])))
        else:
            self._torn.append((row.since, row.to))

    def window(
        self, begin: datetime, end: datetime, kept: Sequence[ComparedPass]
    ) -> Iterator[Difference]:
        """Differences of the passes that were entered in [begin, end) and are over.

        `kept` is the call table's side, entered from begin - EDGE to end + EDGE.
        """
        self._told += self._book.take_entered()
        self._book.take_closed()
        within = [e for e in self._told if begin - EDGE <= e.entered_at < end + EDGE]
        seen = [as_compared(told) for told in within]
        goes_on = {id(one): told for one, told in zip(seen, within, strict=True) if told.is_open}
        for told, ours in matched(seen, kept):
            anchor = told or ours
            if anchor is None or not begin <= anchor.entered_at < end:
                continue
            self.compared += told is not None
            if id(told) in goes_on and ours is not None:
                self._waiting.append(goes_on[id(told)])
            else:
                yield from self._explained(told, ours)
        self._told = [each for each in self._told if each.entered_at >= end - EDGE]

    def take_over(self, *, all_of_them: bool = False) -> list[LoggedPass]:
        """Passes of former windows that rows have closed since; or all that went on."""
        over = [each for each in self._waiting if all_of_them or not each.is_open]
        if over:
            taken = set(map(id, over))
            self._waiting = [each for each in self._waiting if id(each) not in taken]
        return over

    @property
    def waits(self) -> bool:
        """Are there passes of former windows that rows may still close?"""
        return any(each.is_open for each in self._waiting)

    def late(
        self, over: Sequence[LoggedPass], kept: Sequence[ComparedPass]
    ) -> Iterator[Difference]:
        """Differences of what `take_over` gave; `kept` holds the call table's rows of these."""
        for told, ours in matched([as_compared(each) for each in over], kept):
            if told is not None:
                yield from self._explained(told, ours)

    def _explained(
        self, told: ComparedPass | None, kept: ComparedPass | None
    ) -> Iterator[Difference]:
        for found in differences(told, kept):
            yield explained(found, self._evidence, self._torn)
