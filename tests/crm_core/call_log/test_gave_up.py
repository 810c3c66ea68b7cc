"""Who gave up and was not reached: the rule on both databases, and what it costs on a large table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event, insert, literal, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.call_log.gave_up import count_gave_up, gave_up
from crm_core.call_log.models import Call
from crm_core.db import engine_of, reading, transaction
from crm_core.events import CallQueued, CallStarted, Direction, Event, Outcome, PassEntered
from crm_core.ids import CallId
from tests.crm_core.call_log.builders import BOOT, PBX, at
from tests.crm_core.calls_of_a_day import abandoned_call, answered_call, as_call
from tests.crm_core.test_call_queries import a_log
from tests.crm_core.test_recorder import a_recorder

ONE, OTHER = "+8613800138000", "+8613700137000"


async def told(engine: AsyncEngine, *calls: list[Event]) -> None:
    async with a_recorder(engine) as running:
        for events in calls:
            await running.record(events)


def gives_up(minute: int, number: str = ONE) -> list[Event]:
    return as_call(abandoned_call(), 100 + minute, begin=at(60 * minute), caller=number)


def talks(minute: int, number: str = ONE) -> list[Event]:
    return as_call(answered_call(), 200 + minute, begin=at(60 * minute), caller=number)


async def listed(engine: AsyncEngine, **more: Any) -> list[tuple[str, int, datetime]]:
    async with reading(engine) as connection:
        page = await gave_up(connection, true(), at(-60), **more)
        count = await count_gave_up(connection, true(), at(-60))
    assert len(page.items) == count or more
    return [(one.number, one.times, one.last_at) for one in page.items]


async def test_a_number_is_one_row_with_how_often_and_when_last(engine: AsyncEngine) -> None:
    await a_log(engine)
    await told(engine, gives_up(1), gives_up(5), gives_up(3, OTHER))

    assert await listed(engine) == [(ONE, 2, at(300)), (OTHER, 1, at(180))]


async def test_a_later_conversation_ends_it_and_an_earlier_one_does_not(
    engine: AsyncEngine,
) -> None:
    await a_log(engine)
    await told(engine, talks(1), gives_up(5), gives_up(6, OTHER), talks(9, OTHER))
    assert await listed(engine) == [(ONE, 1, at(300))]

    await told(engine, gives_up(20, OTHER))
    assert await listed(engine) == [(OTHER, 2, at(1200)), (ONE, 1, at(300))], "in the period"


async def test_a_call_of_ours_that_was_answered_ends_it(engine: AsyncEngine) -> None:
    await a_log(engine)
    await told(engine, gives_up(1))
    async with transaction(engine) as connection:
        await connection.execute(
            insert(Call).values(
                **a_row(1, at(600), ONE, project=2),
                direction=Direction.OUTBOUND,
                answered_at=at(610),
            )
        )
    assert await listed(engine) == []


async def test_who_was_rung_back_is_reached_whatever_the_project_of_that_call(
    engine: AsyncEngine,
) -> None:
    await a_log(engine)
    await told(engine, gives_up(1))
    async with transaction(engine) as connection:
        rung = {**a_row(1, at(600), ONE, project=1), "direction": Direction.OUTBOUND}
        await connection.execute(insert(Call).values(**rung))
    assert await listed(engine) == [(ONE, 1, at(60))], "nobody answered"
    async with transaction(engine) as connection:
        rung = {**a_row(2, at(700), ONE, project=1), "direction": Direction.OUTBOUND}
        await connection.execute(insert(Call).values(**rung, answered_at=at(710)))
    assert await listed(engine) == []


async def test_a_conversation_of_another_project_does_not_end_it(engine: AsyncEngine) -> None:
    await a_log(engine)
    await told(engine, gives_up(1))
    async with transaction(engine) as connection:
        await connection.execute(
            insert(Call).values(
                **a_row(1, at(600), ONE, project=1),
                direction=Direction.INBOUND,
                answered_at=at(610),
            )
        )
    assert await listed(engine) == [(ONE, 1, at(60))]


async def test_withheld_numbers_and_other_endings_are_not_in_it(engine: AsyncEngine) -> None:
    await a_log(engine)
    withheld = [
        replace(each, caller_number=None)
        if isinstance(each, CallStarted | CallQueued | PassEntered)
        else each
        for each in gives_up(1)
    ]
    await told(engine, withheld, talks(2))
    assert await listed(engine) == []


async def test_pages_by_key_lack_nothing_and_double_nothing(engine: AsyncEngine) -> None:
    await a_log(engine)
    numbers = [f"+86138001380{place:02}" for place in range(7)]
    await told(
        engine,
        *(
            as_call(abandoned_call(), place, begin=at(60 * (place // 2)), caller=number)
            for place, number in enumerate(numbers)
        ),
    )
    found: list[str] = []
    cursor: str | None = None
    async with reading(engine) as connection:
        while True:
            page = await gave_up(connection, true(), at(-60), limit=3, cursor=cursor)
            found += [one.number for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert sorted(found) == numbers
    assert len(found) == 7


def a_row(number: int, began: datetime, caller: str, *, project: int | None) -> dict[str, Any]:
    return {
        "call_id": CallId(f"{number:032}"),
        "pbx": PBX,
        "boot": BOOT,
        "project_id": project,
        "customer_number": caller,
        "started_at": began,
        "at_is_receipt": False,
        "ended_at": began + timedelta(seconds=30),
        "confidence": "complete",
    }


# --- what it costs --------------------------------------------------------------------------------

FILL = """
INSERT INTO calls (call_id, pbx, boot, direction, project_id, customer_number, started_at,
  at_is_receipt, answered_at, ended_at, outcome, confidence)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
SELECT printf('%032d', i + :first), 'lab', 'b1', 'inbound', NULL, '+8613' || (i % 5000),
  :begin + i * 1000000, 0,
  CASE WHEN i % 20 THEN :begin + i * 1000000 + 5000000 END, :begin + i * 1000000 + 60000000,
  CASE WHEN i % 20 THEN 'answered' ELSE 'abandoned' END, 'complete' FROM n
"""


async def test_what_the_table_holds_besides_does_not_matter(sqlite_url: str) -> None:
    """Steps of SQLite's machine for the same week, in a table of 2,000 calls and of 60,000."""
    path = sqlite_url.removeprefix("sqlite:///")
    week = 1_700_000_000_000_000

    def fill(first: int, count: int, begin: int) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(FILL, {"first": first, "count": count, "begin": begin})
            database.execute("ANALYZE")

    fill(0, 2_000, week)
    small = await steps_of(sqlite_url, week)
    fill(10_000, 60_000, week - 90 * 86_400_000_000)
    large = await steps_of(sqlite_url, week)

    assert small[1] == large[1] > 0, "the same numbers"
    assert large[0] < 1.5 * small[0]


async def steps_of(url: str, week: int) -> tuple[int, int]:
    """(hundreds of steps, rows) of the count and the first page."""
    engine = engine_of(url)
    began = datetime.fromtimestamp(week / 1_000_000, at(0).tzinfo)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    try:
        async with reading(engine) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await connection.scalar(select(literal(1)))
            watch: Callable[..., Any] = driver.set_progress_handler
            await watch(step, 100)
            count = await count_gave_up(connection, true(), began)
            await gave_up(connection, true(), began)
            await watch(None, 0)
    finally:
        await engine.dispose()
    return steps, count


async def test_abandoned_calls_are_found_by_their_own_index(sqlite_url: str) -> None:
    said: list[tuple[str, Any]] = []
    engine = engine_of(sqlite_url)

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(_1: Any, _2: Any, statement: str, parameters: Any, _3: Any, _4: Any) -> None:
        said.append((statement, parameters))

    async with reading(engine) as connection:
        await count_gave_up(connection, true(), at(0))
    await engine.dispose()
    statement, parameters = said[-1]
    path = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    assert "SEARCH calls USING INDEX ix_calls_gave_up (started_at>?)" in plan
    later = [line for line in plan if "later" in line]
    assert any("project_id=? AND customer_number=? AND answered_at>?" in line for line in later)
    assert not [line for line in later if "SCAN" in line]


def test_outcome_of_the_index_is_that_of_the_rule() -> None:
    [index] = [one for one in Call.__table__.indexes if one.name == "ix_calls_gave_up"]
    assert index.info["where"] == f"outcome = '{Outcome.ABANDONED.value}'"
