"""Each minute: does the call table say what Asterisk's own book says? One task beside the feeds.

It reads `queue_log` on its own (its own tail, its own reading of the rows), asks the records to compare
(`CompareBooks`) and gives way: a few kilobytes at a time, so that no ringing phone waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from crm_core.bus import Bus
from crm_core.call_log.log_book import LogBook, LoggedPass, Torn
from crm_core.call_log.reconcile import EDGE
from crm_core.commands import BooksStand, BooksStandAt, CompareBooks, LoggedStay
from crm_core.ids import PbxId
from telephony.log_history import DamageReader
from telephony.queue_log.parser import Row
from telephony.queue_log.tail import QueueLogTail

log = logging.getLogger("zuoxi.telephony")

EVERY_SECONDS = 60.0
FIRST_SECONDS = 10.0
"""How soon after the start the first check comes."""
WRITTEN = timedelta(seconds=2)
"""A row of `queue_log` is in the file this soon."""
SETTLED = timedelta(seconds=7)
"""What was entered this long ago is compared: by then both feeds have told it."""
PIECE_BYTES = 8 * 1024
PAUSE_SECONDS = 0.005
"""Between two pieces (1 ms of work each): a day's backlog takes no more than a fifth of the loop."""
MOST_PASSES = 150
"""In one question."""
OLDEST_OPEN = timedelta(hours=4)
"""A pass without a closing row is not read again after a restart when it is older: its row is lost."""
STRETCH = timedelta(hours=1)
"""So much of a backlog at once: what is remembered stays small."""
AHEAD = timedelta(minutes=1)
"""Rows later than now were written under a clock that was wrong: they are not waited for."""
ASK_SECONDS = 30.0


class StandingCheck:
    """`run` until cancelled. `caught_up` says when the product had read all that was in the file."""

    def __init__(
        self,
        pbx: PbxId,
        path: Path,
        bus: Bus,
        caught_up: Callable[[], datetime | None],
        now: Callable[[], datetime],
    ) -> None:
        self._pbx, self._path, self._bus = pbx, path, bus
        self._caught_up, self._now = caught_up, now
        self._book = LogBook()
        self._held: deque[Row | Torn] = deque()
        """Read already, but of the next check."""
        self._recent: list[LoggedPass] = []
        """Entered in the interval of this check, or shortly before."""
        self._late: list[LoggedPass] = []
        """Closed since the last check."""
        self._torn: list[tuple[datetime, datetime]] = []
        self._marks: deque[tuple[datetime, str]] = deque()
        """Moment of a row → the position of the piece that it is in."""
        self._until: datetime | None = None
        self._recorded_from: datetime | None = None
        self._position: str | None = None

    async def run(self) -> None:
        """For ever: where the records or the file are away, the next check does it."""
        stand = await self._stand()
        self.resume(stand)
        tail = QueueLogTail(self._path, stand.position)
        reader = DamageReader(stand.until or self._now())
        wait = FIRST_SECONDS
        try:
            while True:
                await asyncio.sleep(wait)
                wait = EVERY_SECONDS
                try:
                    await self.check(tail, reader)
                except Exception:
                    log.exception("%s: the two books could not be compared", self._pbx)
        finally:
            tail.close()

    def resume(self, stand: BooksStand) -> None:
        """Go on where a former check was."""
        self._until, self._recorded_from = stand.until, stand.recorded_from
        self._position = stand.position

    async def _stand(self) -> BooksStand:
        while True:
            stand: BooksStand | None = await self._bus.ask(BooksStandAt(pbx=self._pbx), ASK_SECONDS)
            if stand is not None:
                return stand
            await asyncio.sleep(1.0)

    async def check(self, tail: QueueLogTail, reader: DamageReader) -> None:
        """Compare what has come since the last check, unless the product is still behind itself."""
        caught_up = self._caught_up()
        if caught_up is None:
            return
        read_to = min(caught_up, self._now()) - WRITTEN
        if self._recorded_from is None:
            await self._begin(tail, reader, read_to)
        while True:
            base = self._until or self._recorded_from or read_to
            goal = min(read_to, base + STRETCH)
            await self._read(tail, reader, goal)
            until = goal - (SETTLED - WRITTEN)
            if tail.trouble is not None or until <= base or not await self._compare(base, until):
                return

    async def _begin(self, tail: QueueLogTail, reader: DamageReader, read_to: datetime) -> None:
        """What the file's first row tells: the product has recorded from there on."""
        while not self._held and await self._read_piece(tail, reader):
            pass
        first = _at(self._held[0]) if self._held else read_to
        self._recorded_from = min(first, read_to - (SETTLED - WRITTEN))

    # --- reading ----------------------------------------------------------------------------------

    async def _read(self, tail: QueueLogTail, reader: DamageReader, goal: datetime) -> None:
        """All rows before `goal`."""
        horizon = self._now() + AHEAD
        while self._held or await self._read_piece(tail, reader):
            while self._held and not goal <= _at(self._held[0]) < horizon:
                self._take(self._held.popleft())
            if self._held:
                break
        self._recent += self._book.take_entered()
        self._late += self._book.take_closed()

    async def _read_piece(self, tail: QueueLogTail, reader: DamageReader) -> bool:
        """The next few kilobytes; false where there is nothing new."""
        position = tail.position
        data, _ = tail.read(PIECE_BYTES)
        if not data:
            return False
        found = list(reader.feed(data))
        if found and position is not None:
            self._marks.append((_at(found[0]), position))
        self._held += found
        await asyncio.sleep(PAUSE_SECONDS)
        return True

    def _take(self, each: Row | Torn) -> None:
        if isinstance(each, Torn):
            self._torn.append((each.since, each.to))
        else:
            self._book.read(each)

    # --- comparing --------------------------------------------------------------------------------

    async def _compare(self, began: datetime, until: datetime) -> bool:
        """Ask in pieces. False: one was not answered; it is asked again by the next check."""
        position = self._position_for(until)
        for begin, end, passes in self._pieces(began, until):
            assert self._recorded_from is not None
            answer = await self._bus.ask(
                CompareBooks(
                    pbx=self._pbx,
                    began=begin,
                    until=end,
                    recorded_from=self._recorded_from,
                    position=position,
                    passes=tuple(map(_stay, passes)),
                    torn=tuple(self._torn),
                ),
                ASK_SECONDS,
            )
            if answer is None:
                log.warning("%s: the records did not compare up to %s", self._pbx, end)
                return False
            self._until = end
            await asyncio.sleep(PAUSE_SECONDS)
        self._late = [each for each in self._late if each.entered_at >= until]
        self._recent = [each for each in self._recent if each.entered_at >= until - EDGE]
        self._torn = [each for each in self._torn if each[1] >= until - EDGE]
        return True

    def _pieces(
        self, began: datetime, until: datetime
    ) -> Iterator[tuple[datetime, datetime, list[LoggedPass]]]:
        """Intervals with few passes each, edges included; those that have ended late come first."""
        # What was closed before was told before, perhaps by another process.
        late = [
            each
            for each in self._late
            if each.entered_at < began and each.closed_at and each.closed_at >= began - EDGE
        ]
        for place in range(0, len(late), MOST_PASSES):
            yield began, began, late[place : place + MOST_PASSES]
        recent = sorted(self._recent, key=_entered_at)

        def place_of(at: datetime) -> int:
            return bisect_left(recent, at, key=_entered_at)

        begin = began
        while begin < until:
            cut = place_of(begin) + MOST_PASSES
            end = recent[cut].entered_at if cut < len(recent) else until
            end = min(max(end, begin + EDGE), until)
            yield begin, end, recent[place_of(begin - EDGE) : place_of(end + EDGE)]
            begin = end

    def _position_for(self, until: datetime) -> str | None:
        """From where a later process must read to know every pass that goes on."""
        oldest = min(
            (e.entered_at for e in self._book.open_passes() if e.entered_at > until - OLDEST_OPEN),
            default=until,
        )
        oldest = min(oldest, until) - EDGE
        while len(self._marks) > 1 and self._marks[1][0] < oldest:
            self._marks.popleft()
        if self._marks and self._marks[0][0] < oldest:
            self._position = self._marks[0][1]
        return self._position


def _at(each: Row | Torn) -> datetime:
    return each.at if isinstance(each, Row) else each.to


def _entered_at(each: LoggedPass) -> datetime:
    return each.entered_at


def _stay(each: LoggedPass) -> LoggedStay:
    return LoggedStay(
        unique_id=each.unique_id,
        queue=each.queue,
        entered_at=each.entered_at,
        outcome=each.outcome,
        agent=each.agent,
        wait_seconds=each.wait_seconds,
        talk_seconds=each.talk_seconds,
        ended_at=each.closed_at,
    )
