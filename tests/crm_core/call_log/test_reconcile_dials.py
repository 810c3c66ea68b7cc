"""Calls without a queue: the call table against our dialplan's rows, and each planted difference."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.call_log.models import Call, CallEventRow
from crm_core.call_log.reconcile_dials import channels_between, compare_dials, dials_of
from crm_core.call_log.writer import CallWriter
from crm_core.centre.holders import HolderBook
from crm_core.db import reading, transaction
from crm_core.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    Direction,
    LegParty,
    LegStarted,
    Member,
)
from crm_core.ids import BootId, PbxId, call_id
from telephony.queue_log.importing import import_queue_log
from telephony.queue_log.parser import QueueLogParser

PBX = PbxId("lab")
EPOCH = 1764000000
ROWS = f"""\
{EPOCH}|NONE|NONE|NONE|QUEUESTART|
{EPOCH + 10}|u.1|NONE|NONE|ZX_DIALLED|8002|8001|PJSIP/8001
{EPOCH + 20}|u.2|NONE|NONE|ZX_DIALLED|8002|8003|PJSIP/8003
{EPOCH + 35}|u.1|NONE|NONE|ZX_ENDED|ANSWER|16|20
{EPOCH + 40}|u.2|NONE|NONE|ZX_ENDED|NOANSWER|19|
{EPOCH + 50}|u.3|NONE|NONE|ZX_DIALLED|8002|8001|PJSIP/8001
{EPOCH + 55}|u.3|NONE|NONE|ZX_DIALLED|8002|8003|PJSIP/8003
{EPOCH + 70}|u.3|NONE|NONE|ZX_ENDED|ANSWER|16|9
{EPOCH + 70}|u.3|NONE|NONE|ZX_ENDED|ANSWER|16|9
{EPOCH + 80}|u.4|NONE|NONE|ZX_DIALLED|8002|8001|PJSIP/8001
{EPOCH + 90}|NONE|NONE|NONE|QUEUESTART|
"""


def at(second: float) -> datetime:
    return datetime.fromtimestamp(EPOCH + second, UTC)


async def differences(engine: AsyncEngine) -> list[str]:
    told = dials_of(QueueLogParser().feed(ROWS.encode()), at(0), at(100))
    assert len(told) == 5
    async with reading(engine) as connection:
        kept = await channels_between(connection, PBX, at(-3600), at(100))
    return [str(each) for each in compare_dials(told, kept)]


@pytest.fixture
async def imported(engine: AsyncEngine, tmp_path: Path) -> AsyncEngine:
    path = tmp_path / "queue_log"
    path.write_text(ROWS)
    await import_queue_log(engine, [path], PBX, now=at(1000))
    return engine


async def test_calls_that_only_the_rows_saw_agree(imported: AsyncEngine) -> None:
    assert await differences(imported) == []


async def test_call_that_ami_saw_agrees_too(imported: AsyncEngine) -> None:
    call = call_id(PBX, BootId(f"b{EPOCH}"), "u.1")
    told: dict[str, Any] = {"pbx": PBX, "call": call}
    writer = CallWriter(HolderBook(), lambda raw: raw)
    async with transaction(imported) as connection:
        await writer.write(
            connection,
            [
                CallStarted(
                    at=at(10.2),
                    boot=BootId(f"b{EPOCH}"),
                    unique_id="u.1",
                    direction=Direction.INTERNAL,
                    caller_number="8002",
                    called_number="8001",
                    **told,
                ),
                LegStarted(
                    at=at(10.2),
                    unique_id="u.1",
                    linked_id="u.1",
                    party=LegParty.AGENT,
                    **told,
                ),
                CallAnswered(
                    at=at(15.4),
                    queue_pass=None,
                    member=Member(interface="PJSIP/8001"),
                    **told,
                ),
                CallEnded(at=at(35.6), cause=16, **told),
            ],
        )

    assert await differences(imported) == []
    async with reading(imported) as connection:
        [(confidence, talked)] = await connection.execute(
            Call.__table__.select()
            .with_only_columns(Call.confidence, Call.talk_seconds)
            .where(Call.call_id == call)
        )
    assert (confidence, talked) == ("complete", 20)


async def test_each_planted_difference_is_told(imported: AsyncEngine) -> None:
    first = Call.call_id == call_id(PBX, BootId(f"b{EPOCH}"), "u.1")
    second = call_id(PBX, BootId(f"b{EPOCH}"), "u.2")
    async with transaction(imported) as connection:
        await connection.execute(update(Call).where(first).values(talk_seconds=25))
        await connection.execute(delete(CallEventRow).where(CallEventRow.call_id == second))
        await connection.execute(delete(Call).where(Call.call_id == second))

    assert await differences(imported) == [
        f"{at(10):%Y-%m-%d %H:%M:%S} u.1: talk is 20 in queue_log and 25 in the call table",
        f"{at(20):%Y-%m-%d %H:%M:%S} u.2: "
        "queue_log has this call without a queue, the call table does not",
    ]
