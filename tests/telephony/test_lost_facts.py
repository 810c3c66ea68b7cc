"""The database away for longer than facts fit in memory, with the real records: all that can be told
twice is told again, without a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core import migrations
from crm_core.call_log.models import Call, FeedRow, Gap, QueuePass
from crm_core.db import engine_of, reading
from crm_core.events import (
    CallEnded,
    CallOffered,
    CallStarted,
    FactsLost,
    FeedAdvanced,
    LinkState,
    Member,
    PassClosed,
    PassEntered,
    QueueMemberSeen,
)
from crm_core.ids import BootId, call_id
from crm_core.recorder import Recorder
from crm_core.service import CrmCore
from crm_core.settings import Settings
from tests.telephony.a_pbx import (
    A_CALL_ENDS,
    A_CALL_IS_ANSWERED,
    A_CALL_RINGS,
    BOOTED,
    CALLER,
    LAB,
    NOW,
    PHONE,
    Site,
    a_site,
    of_channel,
)
from tests.telephony.ami.scripted import an_event, eventually

BOOT = BootId(f"b{int(BOOTED.timestamp())}")
THE_CALL = call_id(LAB, BOOT, CALLER)
LATER = "lab-1795515100.9"
"""A caller who comes while facts are lost, and stays."""
ROWS = f"""1795515000|{CALLER}|support|NONE|ENTERQUEUE||13800138000|1
1795515003|{CALLER}|support|1001|CONNECT|3|{PHONE}|2
1795515063|{CALLER}|support|1001|COMPLETECALLER|3|60|1
1795515100|{LATER}|support|NONE|ENTERQUEUE||13800138000|1
"""
KEEP = 20


def another_caller() -> tuple[str, ...]:
    return of_channel(
        LATER,
        Channel="PJSIP/trunk-00000009",
        ChannelStateDesc="Up",
        Context="zuoxi-inbound",
        Linkedid=LATER,
        CallerIDNum="13800138000",
    )


class SmallMemory(CrmCore):
    """The records, which keep few facts while the database is away."""

    def __init__(self, site: Site, engine: AsyncEngine, settings: Settings) -> None:
        super().__init__(site.bus, engine, settings)
        self.recorder = Recorder(site.bus, engine, self.holders, keep=KEEP, window=0.001)


@asynccontextmanager
async def small_memory(site: Site) -> AsyncIterator[SmallMemory]:
    url = f"sqlite:///{site.folder}/zuoxi.db"
    await migrations.upgrade(url)
    engine = engine_of(url)

    @event.listens_for(engine.sync_engine, "connect")
    def impatient(connection: Any, _record: Any) -> None:
        connection.cursor().execute("PRAGMA busy_timeout=20")

    core = SmallMemory(site, engine, Settings(database_url=url))
    await core.start()
    try:
        yield core
    finally:
        await core.stop()
        await engine.dispose()


async def test_after_the_overflow_rows_are_read_again_and_calls_are_told_again(
    tmp_path: Path,
) -> None:
    async with a_site(tmp_path) as site, small_memory(site) as core:
        site.queue_log = tmp_path / "queue_log"
        site.queue_log.write_text("1795514400|NONE|NONE|NONE|QUEUESTART|\n")
        async with site.followed():
            await site.link(LinkState.UP)
            site.asterisk.says(*A_CALL_RINGS)
            await site.fact(CallOffered)
            await site.fact(FeedAdvanced)
            await core.recorder.drain()

            with closing(sqlite3.connect(tmp_path / "zuoxi.db", isolation_level=None)) as lock:
                lock.execute("BEGIN IMMEDIATE")
                filler = QueueMemberSeen(
                    at=NOW, pbx=LAB, queue="q", member=Member(interface="x"), paused=False
                )
                site.asterisk.says(*A_CALL_IS_ANSWERED)  # something that has to be written
                await eventually(lambda: core.recorder.trouble is not None)
                for _ in range(KEEP):
                    site.bus.publish(filler)
                site.asterisk.says(*A_CALL_ENDS, an_event("Newchannel", *another_caller()))
                with site.queue_log.open("a") as file:
                    file.write(ROWS)
                await site.fact(PassClosed)
                await site.fact(CallStarted, 2)
                end_of_file = (await site.fact(FeedAdvanced, 2)).position
                lock.execute("ROLLBACK")

            lost = await site.fact(FactsLost)
            await site.fact(PassEntered, 3)  # of the first and of the second reading
            await site.fact(FeedAdvanced, 3)
            assert not (await site.fact(CallEnded, 2)).seen
            await site.fact(CallStarted, 3)
            await core.recorder.drain()
        async with reading(core._engine) as connection:
            calls = {row.call_id: row for row in await connection.execute(select(Call.__table__))}
            passes = list(await connection.execute(select(QueuePass.__table__)))
            [gap] = await connection.execute(select(Gap.__table__))
            position = await connection.scalar(
                select(FeedRow.position).where(FeedRow.feed == "queue_log")
            )
    assert position == end_of_file
    ended, living = calls[THE_CALL], calls[call_id(LAB, BOOT, LATER)]
    assert (ended.confidence, ended.ended_at is not None) == ("gap", True)
    assert living.ended_at is None
    assert {row.outcome for row in passes} == {"answered", None}
    assert gap.began_at == lost.began_at


async def test_a_loss_at_another_pbx_is_nothing_to_this_one(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        site.queue_log = tmp_path / "queue_log"
        site.queue_log.write_text(ROWS)
        async with site.followed() as service:
            await site.fact(FeedAdvanced)
            site.bus.publish(FactsLost(at=NOW, pbx=type(LAB)("other"), began_at=NOW))
            assert not service._rows_lost.is_set()
            assert not service._calls_lost.is_set()
