"""The call table's side of the standing check: compare what it asks, keep what differs, say how it is.

A difference stays until the books agree about it: each check looks at those of seven days again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.books import DifferenceRow, Reconciliation
from crm_core.call_log.gap_book import gap_intervals
from crm_core.call_log.models import QueuePass
from crm_core.call_log.queries import passes_between
from crm_core.call_log.reconcile import (
    EDGE,
    ComparedPass,
    Difference,
    Evidence,
    Interval,
    differences,
    explained,
    matched,
)
from crm_core.call_log.reconciled import COUNTED, count_differences
from crm_core.commands import BooksStand, CompareBooks, LoggedStay
from crm_core.db import insert_into
from crm_core.events import BooksCompared, Outcome
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass

MOST_AGAIN = 200
"""So many old differences are looked at again by one check, the newest first."""
SHORT = 128
"""Characters of a value that is kept."""

Place = tuple[str, str, datetime]
"""Uniqueid, queue, entered_at"""


async def books_stand(connection: AsyncConnection, pbx: PbxId) -> BooksStand:
    """How far the standing check of this PBX has come."""
    row = (
        await connection.execute(select(Reconciliation.__table__).where(Reconciliation.pbx == pbx))
    ).one_or_none()
    if row is None:
        return BooksStand()
    return BooksStand(
        until=row.compared_until, recorded_from=row.recorded_from, position=row.position
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one comparison found."""

    differences: tuple[Difference, ...]
    told: dict[Place, ComparedPass]
    again: frozenset[int]
    """Rows of `differences` that were looked at again."""
    compared: int


async def look(connection: AsyncConnection, asked: CompareBooks) -> Found:
    """Compare; reads only."""
    old = await _open_differences(connection, asked.pbx, asked.until - COUNTED)
    told: dict[Place, ComparedPass] = {}
    for row in old:
        if row.told is not None:
            again = _of_json(row.told)
            told[_place(again)] = again
    told |= {_place(each): each for each in map(_as_pass, asked.passes)}
    moments = [each.entered_at for each in told.values()] + [row.entered_at for row in old]
    kept = await passes_at(connection, asked.pbx, moments, (asked.began, asked.until))
    again_at = {(row.unique_id, row.queue, row.entered_at) for row in old}
    evidence = await evidence_of(
        connection, asked.pbx, moments, asked.recorded_from, until=asked.until
    )
    found = []
    for theirs, ours in matched(list(told.values()), kept):
        if _concerns(asked, theirs, ours, again_at):
            found += [explained(d, evidence, asked.torn) for d in differences(theirs, ours)]
    within = sum(asked.began <= each.entered_at < asked.until for each in asked.passes)
    return Found(
        differences=tuple(found),
        told=told,
        again=frozenset(row.id for row in old),
        compared=within,
    )


def _concerns(
    asked: CompareBooks,
    told: ComparedPass | None,
    kept: ComparedPass | None,
    again_at: set[Place],
) -> bool:
    """Is it in the interval, told because it has ended, or looked at again? And is it over?"""
    if told is not None:
        # Of one that goes on in queue_log only its being there is compared.
        return told.outcome is not None if kept is not None else told.entered_at < asked.until
    assert kept is not None
    return asked.began <= kept.entered_at < asked.until or _place(kept) in again_at


async def keep(
    connection: AsyncConnection, asked: CompareBooks, found: Found, now: datetime
) -> BooksCompared:
    """Write what was found, and how far that is."""
    await _settle(connection, found, now)
    if found.differences:
        await _insert(connection, asked.pbx, found, now)
    insert = insert_into(connection.dialect.name, Reconciliation)
    new = insert.excluded
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=["pbx"],
            set_={
                "compared_until": new.compared_until,
                "checked_at": new.checked_at,
                "position": new.position,
                "compared": Reconciliation.compared + new.compared,
            },
        ),
        {
            "pbx": asked.pbx,
            "recorded_from": asked.recorded_from,
            "compared_until": asked.until,
            "checked_at": now,
            "compared": found.compared,
            "position": asked.position,
        },
    )
    return BooksCompared(
        at=now,
        pbx=asked.pbx,
        until=asked.until,
        recorded_from=asked.recorded_from,
        differences=(await count_differences(connection, now)).get(asked.pbx, 0),
    )


async def _settle(connection: AsyncConnection, found: Found, now: datetime) -> None:
    """All that was looked at again; what still differs is opened anew by `_insert`."""
    if found.again:
        await connection.execute(
            update(DifferenceRow).where(DifferenceRow.id.in_(found.again)).values(settled_at=now)
        )


async def _insert(connection: AsyncConnection, pbx: PbxId, found: Found, now: datetime) -> None:
    insert = insert_into(connection.dialect.name, DifferenceRow)
    new = insert.excluded
    changes = {name: new[name] for name in ("expected", "actual", "reason", "told")}
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=["pbx", "unique_id", "queue", "entered_at", "kind"],
            set_={**changes, "settled_at": None},
        ),
        [_row(pbx, each, found.told, now) for each in found.differences],
    )


def _row(
    pbx: PbxId, found: Difference, told: dict[Place, ComparedPass], now: datetime
) -> dict[str, Any]:
    of = found.of
    theirs = told.get(_place(of))
    return {
        "pbx": pbx,
        "unique_id": of.unique_id,
        "queue": of.queue[:79],
        "entered_at": of.entered_at,
        "kind": found.kind,
        "expected": found.expected[:SHORT] if found.expected else None,
        "actual": found.actual[:SHORT] if found.actual else None,
        "reason": found.reason,
        "told": _as_json(theirs) if theirs is not None else None,
        "found_at": now,
        "settled_at": None,
    }


async def _open_differences(
    connection: AsyncConnection, pbx: PbxId, since: datetime
) -> Sequence[Any]:
    rows = await connection.execute(
        select(DifferenceRow.__table__)
        .where(
            DifferenceRow.pbx == pbx,
            DifferenceRow.settled_at.is_(None),
            DifferenceRow.found_at >= since,
        )
        .order_by(DifferenceRow.found_at.desc(), DifferenceRow.id.desc())
        .limit(MOST_AGAIN)
    )
    return rows.all()


async def passes_at(
    connection: AsyncConnection,
    pbx: PbxId,
    moments: Iterable[datetime],
    interval: Interval | None = None,
) -> list[ComparedPass]:
    """Our passes entered in the interval or about these moments, each once."""
    wanted = [(at - EDGE, at + EDGE) for at in moments]
    if interval is not None:
        wanted.append((interval[0] - EDGE, interval[1] + EDGE))
    found: list[ComparedPass] = []
    for began, ended in _joined(wanted):
        found += await passes_between(connection, pbx, began, ended)
    return found


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same moments in as few intervals, which do not overlap."""
    found: list[Interval] = []
    for began, ended in sorted(intervals):
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(ended, found[-1][1]))
        else:
            found.append((began, ended))
    return found


async def evidence_of(
    connection: AsyncConnection,
    pbx: PbxId,
    moments: Sequence[datetime],
    recorded_from: datetime | None,
    *,
    until: datetime,
) -> Evidence:
    """What explains differences of passes entered at these moments."""
    since = min([*moments, until]) - EDGE
    return Evidence(
        recorded_from=recorded_from,
        gaps=tuple(await gap_intervals(connection, pbx, since, None)),
    )


async def recorded_from(connection: AsyncConnection, pbx: PbxId) -> datetime | None:
    """The first moment recorded of this PBX: as the standing check knows it, or the first pass."""
    known: datetime | None = await connection.scalar(
        select(Reconciliation.recorded_from).where(Reconciliation.pbx == pbx)
    )
    first: datetime | None = await connection.scalar(
        select(func.min(QueuePass.entered_at)).where(QueuePass.pbx == pbx)
    )
    # Older files may have been imported since.
    return min((at for at in (known, first) if at is not None), default=None)


def _place(each: ComparedPass) -> Place:
    return each.unique_id, each.queue, each.entered_at


def _as_pass(told: LoggedStay) -> ComparedPass:
    return ComparedPass(
        unique_id=told.unique_id,
        queue=told.queue,
        entered_at=told.entered_at,
        outcome=told.outcome,
        agent=told.agent,
        wait_seconds=told.wait_seconds,
        talk_seconds=told.talk_seconds,
        ended_at=told.ended_at,
    )


def _as_json(each: ComparedPass) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(
        orjson.dumps(
            {
                name: getattr(each, name)
                for name in (
                    "unique_id",
                    "queue",
                    "entered_at",
                    "outcome",
                    "agent",
                    "wait_seconds",
                    "talk_seconds",
                    "ended_at",
                )
            }
        )
    )
    return found


def _of_json(told: dict[str, Any]) -> ComparedPass:
    ended_at = told["ended_at"]
    outcome = told["outcome"]
    return ComparedPass(
        unique_id=told["unique_id"],
        queue=told["queue"],
        entered_at=datetime.fromisoformat(told["entered_at"]),
        outcome=Outcome(outcome) if outcome else None,
        agent=told["agent"],
        wait_seconds=told["wait_seconds"],
        talk_seconds=told["talk_seconds"],
        ended_at=datetime.fromisoformat(ended_at) if ended_at else None,
    )
