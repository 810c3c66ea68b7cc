"""The records as a running service: the recorder, the holders, the lease, and telephony's questions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.agents.queries import known_agents
from crm_core.bus import Bus, Envelope
from crm_core.call_log import settling
from crm_core.call_log.call_lines import CallLines
from crm_core.call_log.resuming import feed_state, known_boots, open_calls
from crm_core.call_log.settling import books_stand
from crm_core.centre.door import who_calls
from crm_core.centre.holders import HolderBook
from crm_core.centre.queries import holdings, people
from crm_core.centre.switch_plan import switch_plan
from crm_core.commands import (
    AgentsOf,
    BooksStandAt,
    CompareBooks,
    FeedPosition,
    FeedState,
    HowRecords,
    KnownBoots,
    OpenCalls,
    PlanOf,
    RecordsStand,
    WhoCalls,
)
from crm_core.customers.phone_numbers import normalise
from crm_core.db import reading, transaction
from crm_core.db_trouble import Answer, patiently
from crm_core.events import BooksCompared
from crm_core.lease import Lease, lease_of
from crm_core.recorder import Recorder
from crm_core.recordings.index import RecordingIndex, folders_of
from crm_core.settings import Settings

log = logging.getLogger("zuoxi.crm_core")
log_of_calls = logging.getLogger("zuoxi.calls")

REMEMBERED = timedelta(days=30)
"""How far back it is known who held which interface: for facts that come late."""

REFRESH_SECONDS = 30.0
"""A user that another process adds (`zuoxi user add`) is known this soon."""

PATIENCE_SECONDS = 10.0
"""How long `stop` waits for a database that is away."""


class CrmCore:
    """`start` before anything publishes; `stop` when nobody does any more."""

    def __init__(
        self, bus: Bus, engine: AsyncEngine, settings: Settings, lease: Lease | None = None
    ) -> None:
        """`lease`: one that is held already, and whose end is somebody else's business."""
        self.holders = HolderBook()
        self.recorder = Recorder(bus, engine, self.holders, region=settings.region)
        self.recordings = RecordingIndex(bus, engine, folders_of(settings))
        self.lease = lease or lease_of(engine)
        self._is_ours = lease is None
        self._bus, self._engine = bus, engine
        self._normalise = lambda raw: normalise(raw, settings.region).number
        self._call_lines = CallLines()
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Take the lease, prime, record, answer. With the database away it waits, with a sentence.

        Raises `SettingError`: another process has the lease.
        """
        if self._is_ours:
            await patiently(self.lease.take)
        self._unsubscribe = self._bus.subscribe(self._told)
        await self._read(prime_holders, self.holders)
        self._tasks = [
            asyncio.create_task(self.recorder.run(), name="recorder"),
            asyncio.create_task(self._refresh(), name="holders"),
            asyncio.create_task(self.recordings.run(), name="recordings"),
        ]
        self.recordings.start()
        self._bus.answer(KnownBoots, lambda asked: self._recorded(known_boots, asked.pbx))
        self._bus.answer(OpenCalls, lambda asked: self._recorded(open_calls, asked.pbx))
        self._bus.answer(FeedPosition, self._position)
        self._bus.answer(AgentsOf, lambda asked: self._recorded(known_agents, asked.pbx))
        self._bus.answer(HowRecords, self._stand)
        self._bus.answer(PlanOf, lambda asked: self._read(switch_plan, asked.pbx))
        self._bus.answer(
            WhoCalls, lambda asked: self._read(who_calls, asked, self._normalise, datetime.now(UTC))
        )
        self._bus.answer(BooksStandAt, lambda asked: self._read(books_stand, asked.pbx))
        self._bus.answer(CompareBooks, self._compare)

    async def stop(self) -> None:
        """Write what is still held, give the lease back."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self.recorder.close()
        if self._tasks:
            recording, *others = self._tasks
            self.recordings.stop()
            for task in others:
                task.cancel()
            _, late = await asyncio.wait([recording], timeout=PATIENCE_SECONDS)
            if late:
                log.error("%d events could not be recorded", self.recorder.waiting)
                recording.cancel()
            for task in self._tasks:
                with suppress(asyncio.CancelledError):
                    await task
        if self._is_ours:
            await self.lease.give_back()

    def _told(self, envelope: Envelope) -> None:
        self.holders.feed(envelope.event)
        line = self._call_lines.feed(envelope.event)
        if line is not None:
            # Not in this turn of the loop: a ringing phone may be next.
            asyncio.get_running_loop().call_soon(log_of_calls.info, line)

    async def _recorded(self, query: Callable[..., Awaitable[Answer]], *asked: Any) -> Answer:
        """The answer of the database once it holds all that was published before the question."""
        await self.recorder.drain()
        return await self._read(query, *asked)

    async def _stand(self, _: HowRecords) -> RecordsStand:
        recorder = self.recorder
        return RecordsStand(
            lease_held=self.lease.held,
            waiting=recorder.waiting,
            trouble=recorder.trouble,
            lost=recorder.lost,
            refused=recorder.refused,
            commits=recorder.commits,
        )

    async def _compare(self, asked: CompareBooks) -> BooksCompared:
        """The standing check's question; the answer is told to everybody."""
        found = await self._recorded(settling.look, asked)

        async def keep() -> BooksCompared:
            async with transaction(self._engine) as connection:
                return await settling.keep(connection, asked, found, datetime.now(UTC))

        compared = await patiently(keep)
        self._bus.publish(compared)
        return compared

    async def _position(self, asked: FeedPosition) -> FeedState | None:
        """Where telephony goes on to read; it tells nothing of this feed before it has the answer."""
        await self.recorder.drain()
        self.recorder.thaw(asked.pbx, asked.feed)
        return await self._read(feed_state, asked.pbx, asked.feed)

    async def _read(self, query: Callable[..., Awaitable[Answer]], *asked: Any) -> Answer:
        async def once() -> Answer:
            async with reading(self._engine) as connection:
                return await query(connection, *asked)

        return await patiently(once)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self._read(prime_holders, self.holders)
            except Exception:
                log.exception("who holds what could not be read again")


async def prime_holders(connection: AsyncConnection, holders: HolderBook) -> None:
    """Users and who held what, as the tables have it now."""
    holders.know(await people(connection))
    for pbx, interface, holding in await holdings(connection, datetime.now(UTC) - REMEMBERED):
        holders.hold(pbx, interface, holding)
