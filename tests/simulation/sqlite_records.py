"""The database of a story as it is in production: the recorder, its group commits, and SQLite.

The story itself knows no event loop; each of its steps here runs one until it has answered.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.bus import MemoryBus
from crm_core.call_log import resuming
from crm_core.call_log.models import Call, Gap, Leg, OfferAttempt, QueuePass
from crm_core.call_log.records import CallRecord
from crm_core.call_log.timeline import record
from crm_core.call_log.writer import facts_of
from crm_core.centre.holders import HolderBook
from crm_core.commands import FeedState, KnownBoot, OpenCall
from crm_core.db import engine_of, reading
from crm_core.events import AgentSignedIn, AgentStateChanged, Feed, GapRecorded, NextStateChosen
from crm_core.ids import CallId
from crm_core.recorder import Recorder
from tests.simulation.product import PBX
from tests.simulation.records import FoldedRecords

Answer = TypeVar("Answer")

FAILS = 0.05
"""Share of the transactions that fail in the moment of their commit, and are tried again."""


class SqliteRecords(FoldedRecords):
    """Agents' states stay in memory: they are rows of people, whom a story does not have."""

    def __init__(
        self, agents: Iterable[AgentSignedIn], migrated: Path, folder: Path, seed: int
    ) -> None:
        super().__init__(agents)
        path = folder / "story.db"
        for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            each.unlink(missing_ok=True)
        shutil.copy(migrated, path)
        self._loop = asyncio.new_event_loop()
        self._engine = engine_of(f"sqlite:///{path}")
        self._dice, self.failed = Random(seed), 0
        event.listen(self._engine.sync_engine, "commit", self._may_fail)
        self._recorder: Recorder | None = None
        self._task: asyncio.Task[None] | None = None

    def _may_fail(self, _: Any) -> None:
        if self._dice.random() < FAILS:
            self.failed += 1
            raise OSError("the wire is cut")

    def commit(self, *, told: bool) -> None:
        self._run(self._write_waiting())
        super().commit(told=told)

    async def _write_waiting(self) -> None:
        if self._recorder is None:
            self._bus = MemoryBus()
            self._recorder = Recorder(
                self._bus, self._engine, HolderBook(), normalised=lambda raw: raw, window=0.0
            )
            self._task = asyncio.create_task(self._recorder.run())
        for each in self.waiting:
            if not isinstance(each, AgentStateChanged | NextStateChosen):
                self._bus.publish(each)
        await self._recorder.drain()

    def forget(self) -> None:
        super().forget()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        self._recorder = self._task = None

    def boots(self) -> list[KnownBoot]:
        return list(self._read(lambda connection: resuming.known_boots(connection, PBX)))

    def heard_until(self) -> datetime | None:
        state = self._state(Feed.AMI)
        return state.heard_until if state is not None else None

    def queue_log(self) -> FeedState | None:
        return self._state(Feed.QUEUE_LOG)

    def _state(self, feed: Feed) -> FeedState | None:
        return self._read(lambda connection: resuming.feed_state(connection, PBX, feed))

    def open_calls(self) -> tuple[OpenCall, ...]:
        return self._read(lambda connection: resuming.open_calls(connection, PBX))

    def gaps(self) -> list[GapRecorded]:
        rows = self._read(lambda connection: connection.execute(select(Gap.__table__)))
        return [
            GapRecorded(
                at=row.ended_at, pbx=PBX, began_at=row.began_at, boot_changed=row.boot_changed
            )
            for row in rows
        ]

    def calls(self) -> list[CallRecord]:
        """From the timelines that are stored."""
        return self._read(self._stored)

    async def _stored(self, connection: AsyncConnection) -> list[CallRecord]:
        calls = [CallId(call) for call in await connection.scalars(select(Call.call_id))]
        timelines: dict[CallId, list[Any]] = {call: [] for call in calls}
        for call, fact in await facts_of(connection, calls):
            timelines[call].append(fact)
        return [record(facts) for facts in timelines.values()]

    def wrong_rows(self) -> list[str]:
        """Rows that are not what the stored timelines say."""
        return self._read(self._compared)

    async def _compared(self, connection: AsyncConnection) -> list[str]:
        kept = {each.call_id: each for each in await self._stored(connection)}
        found = []
        for row in await connection.execute(select(Call.__table__)):
            of = kept[row.call_id]
            if (row.started_at, row.ended_at, row.confidence) != (
                of.started_at, of.ended_at, of.confidence.value,
            ):  # fmt: skip
                found.append(f"the row of call {row.call_id} is not what its timeline says")
        parts = (
            (QueuePass, sum(len(each.passes) for each in kept.values())),
            (Leg, sum(len(each.legs) for each in kept.values())),
            (
                OfferAttempt,
                sum(
                    len(each.attempts) + sum(len(one.attempts) for one in each.passes)
                    for each in kept.values()
                ),
            ),
        )
        for table, count in parts:
            rows = (await connection.execute(select(table.__table__))).all()
            if len(rows) != count:
                found.append(f"{len(rows)} rows in {table.__tablename__} for {count}")
        return found

    def close(self) -> None:
        self.forget()
        self._loop.run_until_complete(self._engine.dispose())
        self._loop.close()

    def _read(self, query: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
        async def once() -> Answer:
            async with reading(self._engine) as connection:
                return await query(connection)

        return self._run(once())

    def _run(self, work: Awaitable[Answer]) -> Answer:
        async def once() -> Answer:
            return await work

        return self._loop.run_until_complete(once())
