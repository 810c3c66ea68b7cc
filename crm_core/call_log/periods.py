"""Compares any period of one PBX, however long: windows of the call table against rows as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.gap_book import gap_intervals
from crm_core.call_log.log_book import LogRow, Torn
from crm_core.call_log.models import QueuePass
from crm_core.call_log.queries import passes_between
from crm_core.call_log.reconcile import EDGE, LOOK_BACK, Comparison, Difference, Evidence
from crm_core.call_log.settling import passes_at, recorded_from
from crm_core.ids import PbxId

WINDOW = timedelta(hours=3)
"""So much of the call table is in memory at once."""
ROWS_AT_ONCE = 1000


async def comparison_of(
    connection: AsyncConnection, pbx: PbxId, began: datetime, ended: datetime
) -> Comparison:
    """A comparison that knows the reasons of this period."""
    return Comparison(
        Evidence(
            recorded_from=await recorded_from(connection, pbx),
            gaps=tuple(await gap_intervals(connection, pbx, began, ended)),
        )
    )


async def differences_between(
    connection: AsyncConnection,
    comparison: Comparison,
    pbx: PbxId,
    rows: Iterator[LogRow | Torn],
    began: datetime,
    ended: datetime,
) -> AsyncIterator[Difference]:
    """Every difference of the passes entered in [began, ended), about in order of time.

    `rows` begin `LOOK_BACK` before and go on as long as they are asked for.
    """
    ahead = _Ahead(rows)
    begin = began
    while begin < ended:
        end, quiet = min(begin + WINDOW, ended), True
        for row in ahead.until(end + LOOK_BACK):
            comparison.read(row)
            quiet = False
        for found in await _late(connection, comparison, pbx):
            yield found
        kept = await passes_between(connection, pbx, begin - EDGE, end + EDGE)
        for found in comparison.window(begin, end, kept):
            yield found
        begin = end
        if quiet and not kept:
            begin = await _begins_again(connection, pbx, ahead, end, ended)
    while comparison.waits and (more := ahead.some()):
        for row in more:
            comparison.read(row)
    for found in await _late(connection, comparison, pbx, all_of_them=True):
        yield found


async def _begins_again(
    connection: AsyncConnection, pbx: PbxId, ahead: _Ahead, end: datetime, ended: datetime
) -> datetime:
    """Where either book goes on: nobody waits for years in which nothing was written."""
    entered = await connection.scalar(
        select(func.min(QueuePass.entered_at)).where(
            QueuePass.pbx == pbx, QueuePass.entered_at >= end - EDGE
        )
    )
    written = ahead.next_at()
    moments = [entered - EDGE] if entered else []
    moments += [written - LOOK_BACK] if written else []
    return max(end, min(moments, default=ended))


async def _late(
    connection: AsyncConnection, comparison: Comparison, pbx: PbxId, *, all_of_them: bool = False
) -> list[Difference]:
    """Differences of passes that went on when their window was over."""
    over = comparison.take_over(all_of_them=all_of_them)
    if not over:
        return []
    kept = await passes_at(connection, pbx, [each.entered_at for each in over])
    return list(comparison.late(over, kept))


class _Ahead:
    """Rows one by one, with the one that was read too far."""

    def __init__(self, rows: Iterator[LogRow | Torn]) -> None:
        self._rows = iter(rows)

    def until(self, moment: datetime) -> Iterator[LogRow | Torn]:
        for row in self._rows:
            if (row.to if isinstance(row, Torn) else row.at) >= moment:
                self._rows = chain((row,), self._rows)
                return
            yield row

    def next_at(self) -> datetime | None:
        """The moment of the row that comes next; None: there is none."""
        for row in self._rows:
            self._rows = chain((row,), self._rows)
            return row.to if isinstance(row, Torn) else row.at
        return None

    def some(self) -> list[LogRow | Torn]:
        return list(islice(self._rows, ROWS_AT_ONCE))
