"""What `queue_log` tells of queue members, by name: kept as it came, read as intervals.

On a site whose agents never sign in to Zuoxi this is all that is known of who belonged to which queue,
and who was paused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.agents.models import MemberChangeRow
from crm_core.db import insert_into
from crm_core.events import Event, MemberChange, MemberTold
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass

OPENS = {MemberChange.ADDED: MemberChange.REMOVED, MemberChange.PAUSED: MemberChange.UNPAUSED}
"""What begins an interval, and what ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpan:
    """A member belonged to a queue (`added`), or was paused in it, from–to; None: as far as is told."""

    name: str
    queue: str
    what: MemberChange
    began_at: datetime | None
    ended_at: datetime | None
    reason: str | None = None


async def write_members(connection: AsyncConnection, batch: Sequence[Event]) -> int:
    """Write what `batch` tells of members; how much of it was news."""
    rows = {
        (event.pbx, event.name, event.queue, event.at, event.change): {
            "pbx": event.pbx,
            "name": event.name[:128],
            "queue": event.queue[:79],
            "at": event.at,
            "change": event.change,
            "reason": event.reason[:128] if event.reason else None,
        }
        for event in batch
        if isinstance(event, MemberTold)
    }
    if not rows:
        return 0
    before = await _count(connection, rows.keys())
    insert = insert_into(connection.dialect.name, MemberChangeRow).on_conflict_do_nothing()
    await connection.execute(insert, list(rows.values()))
    return await _count(connection, rows.keys()) - before


async def _count(connection: AsyncConnection, keys: Collection[tuple[Any, ...]]) -> int:
    """How many changes are stored of the time that these are of."""
    moments = [at for _, _, _, at, _ in keys]
    counted = select(func.count()).where(
        MemberChangeRow.pbx.in_({pbx for pbx, *_ in keys}),
        MemberChangeRow.at >= min(moments),
        MemberChangeRow.at <= max(moments),
    )
    return await connection.scalar(counted) or 0


async def changes_between(
    connection: AsyncConnection, pbx: PbxId, began_from: datetime, began_to: datetime
) -> tuple[MemberTold, ...]:
    """What was told in [began_from, began_to), oldest first."""
    rows = await connection.execute(
        select(MemberChangeRow.__table__)
        .where(
            MemberChangeRow.pbx == pbx,
            MemberChangeRow.at >= began_from,
            MemberChangeRow.at < began_to,
        )
        .order_by(MemberChangeRow.at, MemberChangeRow.name, MemberChangeRow.queue)
    )
    return tuple(
        MemberTold(
            at=row.at,
            pbx=PbxId(row.pbx),
            queue=row.queue,
            name=row.name,
            change=MemberChange(row.change),
            reason=row.reason,
        )
        for row in rows
    )


def member_spans(changes: Iterable[MemberTold]) -> list[MemberSpan]:
    """The intervals that these changes begin and end, in order of what is told first. Pure.

    An end whose beginning is not told began before; a second beginning changes nothing.
    """
    opened: dict[tuple[str, str, MemberChange], MemberTold] = {}
    found: list[MemberSpan] = []
    for change in changes:
        what = next((kind for kind, end in OPENS.items() if change.change in (kind, end)))
        place = (change.name, change.queue, what)
        if change.change is what:
            opened.setdefault(place, change)
            continue
        began = opened.pop(place, None)
        found.append(_span(place, began, change.at))
    found += [_span(place, began, None) for place, began in opened.items()]
    return sorted(found, key=lambda span: (span.began_at or span.ended_at, span.name, span.queue))


def _span(
    place: tuple[str, str, MemberChange], began: MemberTold | None, ended_at: datetime | None
) -> MemberSpan:
    name, queue, what = place
    return MemberSpan(
        name=name,
        queue=queue,
        what=what,
        began_at=began.at if began else None,
        ended_at=ended_at,
        reason=began.reason if began else None,
    )
