"""The recorder: facts from the bus become rows, in group commits of at most 50 ms.

It reads the bus at its own pace and blocks nobody. While the database is away it keeps what comes
and tries again; nothing is lost until `keep` events wait, and then a row in the gap book says what.
The position of a feed is committed in the same transaction as the rows it covers, neither earlier
nor later: rows that were committed without it would be told again after a kill.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.bus import Bus, Envelope
from crm_core.call_log.ownership import Normalise
from crm_core.call_log.writer import RECORDED, CallWriter
from crm_core.centre.holders import HolderBook
from crm_core.customers.phone_numbers import normalise
from crm_core.db import transaction
from crm_core.db_trouble import is_away, sentence
from crm_core.durations import Durations
from crm_core.events import (
    Event,
    FactsLost,
    Feed,
    FeedAdvanced,
    FeedHeard,
    FromQueueLog,
    GapRecorded,
)
from crm_core.ids import PbxId

log = logging.getLogger("zuoxi.recorder")

WINDOW_SECONDS = 0.04
"""How long the first fact of a batch waits for company: with the commit itself below 50 ms."""

BATCH = 2_000
"""About so many facts in one transaction."""

KEEP = 200_000
"""So many facts may wait while the database is away: half an hour at five calls a second."""

SLOW_SECONDS = 3.0
"""A commit that takes longer is trouble: a lock, a dead disk, a network that swallows everything."""

SLOW = "The database does not answer."

COMMIT_STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0)
"""Seconds of a batch's transaction, as `/metrics` shows them."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0


@dataclass(slots=True)
class Loss:
    """What did not fit while the database was away, of one PBX."""

    began_at: datetime
    ended_at: datetime
    events: int = 0


class Recorder:
    """One task reads the bus and owns the rows of calls. `run` ends when `close` was called."""

    def __init__(
        self,
        bus: Bus,
        engine: AsyncEngine,
        holders: HolderBook,
        *,
        region: str = "CN",
        normalised: Normalise | None = None,
        window: float = WINDOW_SECONDS,
        keep: int = KEEP,
    ) -> None:
        self.trouble: str | None = None
        """A sentence while the database cannot be written, shown on pages; None: all is well."""
        self.recorded_until: str | None = None
        """The `seq` of the last event whose rows are committed."""
        self.commits = Durations(COMMIT_STEPS)
        self.lost = 0
        """Facts that did not fit in memory while the database was away."""
        self.refused = 0
        """Facts that the database will never take; each is in the log."""
        self._engine, self._bus = engine, bus
        self._writer = CallWriter(
            holders, normalised or (lambda raw: normalise(raw, region).number)
        )
        self._window, self._keep = window, keep
        self._stream = bus.stream()
        self._pending: deque[Envelope] = deque()
        self._hurry, self._progress = asyncio.Event(), asyncio.Event()
        self._drawn = self._done = 0
        self._losses: dict[PbxId, Loss] = {}
        self._frozen: set[tuple[PbxId, Feed]] = set()

    @property
    def waiting(self) -> int:
        """Events not yet committed."""
        return len(self._stream) + len(self._pending)

    async def run(self) -> None:
        """Record until `close`; what came before is written first."""
        while await self._stream.wait():
            await self._company()
            self._draw()
            while self._pending:
                await self._commit_first()

    def close(self) -> None:
        """No more events: `run` ends once it has written what is there."""
        self._stream.close()
        self._hurry.set()

    async def drain(self) -> None:
        """Return when everything published before is committed. `run` must be running."""
        target = self._drawn + len(self._stream)
        while self._done < target:
            self._hurry.set()
            await self._progress.wait()

    async def _company(self) -> None:
        """Let a batch gather, unless somebody waits for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._window):
                await self._hurry.wait()
        self._hurry.clear()

    # --- in ---------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Take what the bus has; where it does not fit, remember what is lost."""
        drawn = self._stream.drain()
        self._drawn += len(drawn)
        for envelope in drawn:
            if isinstance(envelope.event, FactsLost):
                # On its way to us: nor may the position pass what was lost there.
                self._frozen.add((envelope.event.pbx, Feed.QUEUE_LOG))
            if self._losses or len(self._pending) >= self._keep:
                self._lose(envelope)
            else:
                self._pending.append(envelope)

    def _lose(self, envelope: Envelope) -> None:
        """From the first lost fact on everything is lost until room is made: one gap, not many."""
        event = envelope.event
        self._done += 1
        if type(event) not in RECORDED:
            return
        if not self._losses:
            log.error("%d events wait for the database: those that follow are lost", self._keep)
        loss = self._losses.setdefault(event.pbx, Loss(began_at=event.at, ended_at=event.at))
        loss.ended_at = max(loss.ended_at, event.at)
        loss.events += 1
        self.lost += 1
        if isinstance(event, FromQueueLog | FeedAdvanced):
            # The position must not pass rows that are lost: it stays until somebody asks for it, to
            # read them from queue_log again.
            self._frozen.add((event.pbx, Feed.QUEUE_LOG))

    def thaw(self, pbx: PbxId, feed: Feed) -> None:
        """Who asked where this feed stands begins there again: from now on its position counts.

        What was told before the question must have been drained.
        """
        self._frozen.discard((pbx, feed))

    def _confess(self) -> list[Event]:
        """The gap rows for what was lost, once everything that was kept is written."""
        return [
            GapRecorded(
                at=loss.ended_at,
                pbx=pbx,
                began_at=loss.began_at,
                boot_changed=False,
                reason=f"the database was away too long: {loss.events} facts did not fit in memory",
            )
            for pbx, loss in self._losses.items()
        ]

    # --- out --------------------------------------------------------------------------------------

    async def _commit_first(self) -> None:
        """Write the oldest batch, however often that takes."""
        batch = self._first_batch()
        last = len(batch) == len(self._pending)
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._write([e.event for e in batch], self._confess() if last else [])
                break
            except Exception as wrong:  # `_write` has sorted them: this one passes by waiting
                self._say(sentence(wrong))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            self._draw()
            last = last and len(batch) == len(self._pending)
        self._written(batch, all_of_it=last)

    def _first_batch(self) -> list[Envelope]:
        """The oldest `BATCH`, and what belongs to it: the rest of a piece of `queue_log` that begins
        in it, to the position that ends the piece.

        A piece is told in one go, so its end is waiting too, unless it was lost.
        """
        batch: list[Envelope] = []
        begun: set[PbxId] = set()
        for envelope in self._pending:
            if len(batch) >= BATCH and not begun:
                break
            batch.append(envelope)
            event = envelope.event
            if isinstance(event, FeedAdvanced):
                begun.discard(event.pbx)
            elif (
                isinstance(event, FromQueueLog) and (event.pbx, Feed.QUEUE_LOG) not in self._frozen
            ):
                begun.add(event.pbx)
        return batch

    def _written(self, batch: Sequence[Envelope], *, all_of_it: bool) -> None:
        for _ in batch:
            self._pending.popleft()
        self._done += len(batch)
        self.recorded_until = batch[-1].seq
        self._bus.committed(self.recorded_until)
        if all_of_it:
            losses, self._losses = self._losses, {}
            for pbx, loss in losses.items():
                self._bus.publish(FactsLost(at=loss.ended_at, pbx=pbx, began_at=loss.began_at))
        self._say(None)
        self._progress.set()
        self._progress = asyncio.Event()

    async def _write(self, events: Sequence[Event], gaps: Sequence[Event] = ()) -> None:
        """One transaction; where the database refuses a fact for good, all others are written.

        Raises only what `is_away` knows.
        """
        wanted = [event for event in events if self._is_wanted(event)] + list(gaps)
        if not wanted:
            return
        slow = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._say, SLOW)
        began = perf_counter()
        try:
            async with transaction(self._engine) as connection:
                await self._writer.write(connection, wanted)
            self.commits.add(perf_counter() - began)
        except BaseException as wrong:
            self._writer.forget()
            if is_away(wrong) or not isinstance(wrong, Exception):
                raise
            await self._write_in_parts(wanted, wrong)
        finally:
            slow.cancel()

    async def _write_in_parts(self, events: Sequence[Event], wrong: Exception) -> None:
        """Halve until the one is alone that cannot be written. Order is kept."""
        if len(events) == 1:
            log.error("a fact cannot be folded into rows: %r", events[0], exc_info=wrong)
            await self._keep_fact(events[0])
            return
        half = len(events) // 2
        await self._write(events[:half])
        await self._write(events[half:])

    async def _keep_fact(self, event: Event) -> None:
        """The fact alone: what cannot be computed from it today may be some day."""
        try:
            async with transaction(self._engine) as connection:
                await self._writer.write(connection, [event], rows=False)
        except Exception as wrong:
            if is_away(wrong):
                raise
            self.refused += 1
            log.exception("a fact is lost: %r", event)
        finally:
            self._writer.forget()

    def _is_wanted(self, event: Event) -> bool:
        if isinstance(event, FeedAdvanced | FeedHeard):
            return (event.pbx, event.feed) not in self._frozen
        return type(event) in RECORDED

    def _say(self, trouble: str | None) -> None:
        """One line in the log for each change."""
        if trouble is not None and self.trouble is None:
            log.error("%s Events are kept and written later.", trouble)
        elif trouble is None and self.trouble is not None:
            log.info("the database can be written again; %d events waited", self.waiting)
        self.trouble = trouble
