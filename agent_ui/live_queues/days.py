"""The day of every queue, kept up to date: the rows once, then every fact as it is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.db import reading
from crm_core.db_trouble import is_away
from crm_core.events import Event, GapRecorded
from crm_core.ids import PbxId
from crm_core.live_board.day_rows import passes_since
from crm_core.live_board.queue_day import FACTS, PassRow, QueueCounts, QueueDay

log = logging.getLogger("zuoxi.live")

AGAIN_SECONDS = 1.0
PATIENCE_SECONDS = 3.0
"""How long a read may take to its end when the server stops."""

Read = TypeVar("Read")


class QueueDays:
    """`feed` every event of the bus; `run` is the task that reads rows."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        settled: Callable[[], Awaitable[None]],
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        self._engine, self._settled = engine, settled
        self._zone, self._now = zone, now
        self._day = QueueDay(began_at=self._midnight())
        self._known = False
        self._meanwhile: list[Event] | None = []
        """What is told while rows are read: they may hold it already, or not yet."""
        self._wanted = asyncio.Event()

    @property
    def began_at(self) -> datetime:
        """The midnight from which on the figures count."""
        return self._day.began_at

    def of(self, pbx: PbxId, queue: str) -> QueueCounts | None:
        """The figures of today; None until the rows have been read."""
        return self._day.of(pbx, queue) if self._known else None

    def feed(self, event: Event) -> None:
        """Take a fact. What nobody saw of a gap, the rows know once they are settled."""
        if isinstance(event, FACTS):
            self._day.feed(event)
            if self._meanwhile is not None:
                self._meanwhile.append(event)
        elif isinstance(event, GapRecorded):
            self._wanted.set()

    async def run(self) -> None:
        """For ever: at the start, at each midnight of the centre, and after a gap."""
        while True:
            self._wanted.clear()
            try:
                await self._read()
            except Exception as wrong:
                if not is_away(wrong):
                    log.exception("the day of the queues could not be read")
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_midnight()):
                    await self._wanted.wait()

    async def _read(self) -> None:
        # Afresh: what was told before this moment is in the rows once they are settled.
        self._meanwhile = []
        await self._settled()
        began_at = self._midnight()
        rows = await _to_its_end(self._rows_since(began_at))
        # No await from here on: no fact may fall between the rows and those told meanwhile.
        self._day.begin(began_at, rows)
        for event in self._meanwhile:
            self._day.feed(event)
        self._meanwhile, self._known = None, True

    async def _rows_since(self, began_at: datetime) -> Sequence[PassRow]:
        async with reading(self._engine) as connection:
            return await passes_since(connection, began_at)

    def _midnight(self) -> datetime:
        here = self._now().astimezone(self._zone)
        return here.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def _until_midnight(self) -> float:
        here = self._now().astimezone(self._zone)
        tomorrow = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (tomorrow.astimezone(UTC) - self._now()).total_seconds()


async def _to_its_end(read: Coroutine[Any, Any, Read]) -> Read:
    """A read that is cancelled half-way, as the server stops, would leave its connection open."""
    reading_on = asyncio.ensure_future(read)
    try:
        return await asyncio.shield(reading_on)
    except asyncio.CancelledError:
        done, late = await asyncio.wait({reading_on}, timeout=PATIENCE_SECONDS)
        for task in late:
            task.cancel()
        for task in done:
            with suppress(Exception):
                task.result()
        raise
