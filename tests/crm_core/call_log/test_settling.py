"""The standing check's questions on real rows: what differs is kept until the books agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.call_log import settling
from crm_core.call_log.books import DifferenceRow
from crm_core.call_log.models import Gap, QueuePass
from crm_core.call_log.periods import comparison_of, differences_between
from crm_core.call_log.queries import passes_between
from crm_core.call_log.reconcile import ComparedPass, Kind, Reason
from crm_core.call_log.reconciled import open_differences, standings
from crm_core.commands import BooksStand, CompareBooks, LoggedStay
from crm_core.db import reading, transaction
from crm_core.events import BooksCompared, Outcome
from crm_core.ids import PbxId
from tests.crm_core.call_log.builders import CALLER, PBX, at
from tests.crm_core.calls_of_a_day import abandoned_call, answered_call, call_of_two_queues
from tests.crm_core.test_call_queries import a_log
from tests.crm_core.test_recorder import add

HOUR = timedelta(hours=1)


def stay(each: ComparedPass) -> LoggedStay:
    """The pass as `queue_log` has it: whole seconds."""
    return LoggedStay(
        unique_id=each.unique_id,
        queue=each.queue,
        entered_at=each.entered_at.replace(microsecond=0),
        outcome=each.outcome,
        agent=each.agent,
        wait_seconds=each.wait_seconds,
        talk_seconds=each.talk_seconds,
        ended_at=each.ended_at,
    )


async def told(engine: AsyncEngine) -> tuple[LoggedStay, ...]:
    """What Asterisk's book holds where nothing is wrong."""
    async with reading(engine) as connection:
        found = await passes_between(connection, PBX, at(-60), at(3600))
    return tuple(map(stay, found))


async def check(
    engine: AsyncEngine,
    passes: tuple[LoggedStay, ...],
    began: datetime = at(-60),  # noqa: B008  a value
    until: datetime = at(3600),  # noqa: B008
    **more: Any,
) -> BooksCompared:
    asked = CompareBooks(
        pbx=PBX,
        began=began,
        until=until,
        recorded_from=at(-60),
        position="1:2:3",
        passes=passes,
        **more,
    )
    async with reading(engine) as connection:
        found = await settling.look(connection, asked)
    async with transaction(engine) as connection:
        return await settling.keep(connection, asked, found, until)


async def kept(engine: AsyncEngine) -> list[tuple[str, str, bool]]:
    """(kind, reason, is it settled?) of the rows, the oldest first."""
    async with reading(engine) as connection:
        rows = await connection.execute(
            select(DifferenceRow.kind, DifferenceRow.reason, DifferenceRow.settled_at).order_by(
                DifferenceRow.id
            )
        )
        return [(row.kind, row.reason, row.settled_at is not None) for row in rows]


async def test_equal_books_are_no_difference_and_the_row_says_how_far(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call(), abandoned_call(), call_of_two_queues())
    async with reading(engine) as connection:
        assert await settling.books_stand(connection, PBX) == BooksStand()

    compared = await check(engine, await told(engine))

    assert (compared.differences, compared.until, compared.pbx) == (0, at(3600), PBX)
    assert await kept(engine) == []
    async with reading(engine) as connection:
        assert await settling.books_stand(connection, PBX) == BooksStand(
            until=at(3600), recorded_from=at(-60), position="1:2:3"
        )


async def test_each_planted_error_is_kept_once_and_settled_when_it_is_mended(
    engine: AsyncEngine,
) -> None:
    await a_log(engine, answered_call(), abandoned_call())
    book = await told(engine)
    async with transaction(engine) as connection:
        await connection.execute(
            update(QueuePass).where(QueuePass.talk_seconds == 60).values(talk_seconds=50)
        )
    for _ in range(2):
        assert (await check(engine, book)).differences == 1
    assert await kept(engine) == [("talk", "unexplained", False)]

    async with transaction(engine) as connection:
        await connection.execute(update(QueuePass).values(talk_seconds=60))
        await connection.execute(
            update(QueuePass).where(QueuePass.outcome == "abandoned").values(talk_seconds=None)
        )
    later = await check(engine, (), at(3600), at(3660))

    assert later.differences == 0
    assert await kept(engine) == [("talk", "unexplained", True)]


async def test_a_pass_only_one_book_has_is_missing_or_extra(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call(), abandoned_call())
    book = await told(engine)
    async with transaction(engine) as connection:
        await connection.execute(delete(QueuePass).where(QueuePass.outcome == "abandoned"))

    assert (await check(engine, book[1:])).differences == 2
    assert {kind for kind, _, _ in await kept(engine)} == {"missing", "extra"}
    # The row that the file had not yet, a minute later.
    late = await check(engine, book[:1], at(3600), at(3660))
    assert late.differences == 1
    assert [each for each in await kept(engine) if each[2]] == [("extra", "unexplained", True)]


async def test_a_pass_that_goes_on_is_compared_when_it_is_over(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call())
    [whole] = await told(engine)
    goes_on = replace(whole, outcome=None, talk_seconds=None, ended_at=None)

    assert (await check(engine, (goes_on,))).differences == 0
    wrong = replace(whole, agent="1009")
    assert (await check(engine, (wrong,), at(3600), at(3660))).differences == 1
    assert await kept(engine) == [("agent", "unexplained", False)]


async def test_a_difference_is_counted_for_seven_days_and_listed_for_good(
    engine: AsyncEngine,
) -> None:
    await a_log(engine, answered_call())
    [whole] = await told(engine)
    assert (await check(engine, (replace(whole, agent="1009"),))).differences == 1
    for days, counted in ((6, 1), (8, 0)):
        later = at(3600) + timedelta(days=days)
        assert (await check(engine, (), later, later + HOUR)).differences == counted
        async with reading(engine) as connection:
            [(_, _, _, count)] = await standings(connection, later + HOUR)
            listed, total = await open_differences(connection, [PBX], 10)
        assert count == counted
        assert (len(listed), total) == (1, 1)


async def test_what_asterisk_has_torn_is_shown_and_not_counted(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call())

    compared = await check(engine, (), torn=((at(0), at(2)),))

    assert compared.differences == 0
    assert await kept(engine) == [("extra", "torn_row", False)]


async def test_a_difference_within_a_gap_says_so(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call())
    gap = {"began_at": at(20), "ended_at": at(30), "boot_changed": False, "calls_touched": 1}
    await add(engine, Gap, id=1, pbx=PBX, reason="", **gap)
    [whole] = await told(engine)

    assert (await check(engine, (replace(whole, agent="1009"),))).differences == 1
    assert await kept(engine) == [("agent", "gap", False)]


async def test_another_pbx_with_the_same_channels_is_not_mixed_in(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call())
    book = await told(engine)
    asked = CompareBooks(
        pbx=PbxId("other"),
        began=at(-60),
        until=at(3600),
        recorded_from=at(-60),
        position=None,
        passes=book,
    )
    async with reading(engine) as connection:
        found = await settling.look(connection, asked)

    assert [each.kind for each in found.differences] == [Kind.MISSING]


# --- any period, as `zuoxi reconcile` walks it ----------------------------------------------------


class Row:
    """A row of `queue_log`."""

    def __init__(self, second: float, verb: str, *data: str, agent: str = "NONE") -> None:
        self.at, self.unique_id, self.queue = at(second), f"{CALLER}0", "support"
        self.agent, self.verb, self.data = agent, verb, data


BOOK = (
    Row(1, "ENTERQUEUE", "", "138", "1"),
    Row(5, "CONNECT", "4", "x", "3", agent="1001"),
    Row(65, "COMPLETECALLER", "4", "60", "1", agent="1001"),
)


async def over(engine: AsyncEngine, began: datetime, ended: datetime) -> list[tuple[Kind, Reason]]:
    async with reading(engine) as connection:
        comparison = await comparison_of(connection, PBX, began, ended)
        return [
            (found.kind, found.reason)
            async for found in differences_between(
                connection, comparison, PBX, iter(BOOK), began, ended
            )
        ]


async def test_a_period_is_walked_window_by_window(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call())
    assert await over(engine, at(-7 * 3600), at(7 * 3600)) == []
    assert await over(engine, at(-3600), at(3)) == [], "it ends after the period"

    async with transaction(engine) as connection:
        await connection.execute(update(QueuePass).values(outcome=Outcome.ABANDONED))
    wrong = [(Kind.OUTCOME, Reason.UNEXPLAINED)]
    assert await over(engine, at(-7 * 3600), at(7 * 3600)) == wrong
    assert await over(engine, at(-3600), at(3)) == wrong
    assert await over(engine, at(3), at(3600)) == []


async def test_what_came_before_the_first_start_was_not_recorded_then(engine: AsyncEngine) -> None:
    await a_log(engine, abandoned_call(), answered_call())
    async with transaction(engine) as connection:
        await connection.execute(delete(QueuePass).where(QueuePass.outcome == "abandoned"))

    assert await over(engine, at(-60), at(50)) == [(Kind.MISSING, Reason.NOT_RECORDED_THEN)]
