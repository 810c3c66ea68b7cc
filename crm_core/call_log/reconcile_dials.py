"""Compares calls without a queue with our dialplan's own rows (`ZX_DIALLED`, `ZX_ENDED`), as `reconcile`
does with passes: it reads the rows on its own.

Only what the rows promise is asked: each channel that dialled is in a call of the table, and where it
dialled once and no queue was entered, the seconds agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.gap_book import gap_intervals
from crm_core.call_log.log_book import LogRow
from crm_core.call_log.models import Call, CallEventRow, Leg, QueuePass
from crm_core.call_log.records import Confidence
from crm_core.events import CallDialled
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass

NEAR = timedelta(seconds=5)
"""A channel is there before it dials: its Uniqueid counts for a dial so long after its beginning, at
least, and for as long as its call lasts."""

OFF_BY_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldDial:
    """One dial by its rows. `talk_seconds` None: its end is not told, or those of another dial are."""

    unique_id: str
    dialled_at: datetime
    talk_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChannel:
    """A channel as the call table has it. `talk_seconds` None: not one known conversation."""

    unique_id: str
    began_at: datetime
    ended_at: datetime | None
    talk_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DialDifference:
    """One thing that the rows and the call table do not agree about."""

    of: ToldDial
    actual: int | None = None
    is_missing: bool = False

    def __str__(self) -> str:
        where = f"{self.of.dialled_at:%Y-%m-%d %H:%M:%S} {self.of.unique_id}"
        if self.is_missing:
            return f"{where}: queue_log has this call without a queue, the call table does not"
        told = f"talk is {self.of.talk_seconds} in queue_log"
        return f"{where}: {told} and {self.actual} in the call table"


def dials_of(rows: Iterable[LogRow], begin: datetime, end: datetime) -> list[ToldDial]:
    """The dials in [begin, end) by these rows, which come in the file's order."""
    found: list[ToldDial] = []
    open_dials: dict[str, int] = {}
    """Channel → place in `found`; −1 once it has dialled again, for its seconds are the last one's."""
    for row in rows:
        if row.verb == "QUEUESTART":
            open_dials.clear()
        elif row.verb == "ZX_DIALLED":
            open_dials[row.unique_id] = -1 if row.unique_id in open_dials else len(found)
            found.append(ToldDial(unique_id=row.unique_id, dialled_at=row.at, talk_seconds=None))
        elif row.verb == "ZX_ENDED" and open_dials.get(row.unique_id, -1) >= 0:
            place = open_dials.pop(row.unique_id)
            talked = row.data[2] if len(row.data) > 2 and row.data[0] == "ANSWER" else ""
            found[place] = ToldDial(
                unique_id=row.unique_id,
                dialled_at=found[place].dialled_at,
                talk_seconds=int(talked) if talked.isdecimal() else 0,
            )
    return [dial for dial in found if begin <= dial.dialled_at < end]


def compare_dials(
    expected: Sequence[ToldDial], actual: Sequence[KeptChannel]
) -> list[DialDifference]:
    """Every difference; [] is equality."""
    kept: dict[str, list[KeptChannel]] = {}
    for channel in actual:
        kept.setdefault(channel.unique_id, []).append(channel)
    found = []
    for dial in expected:
        there = [each for each in kept.get(dial.unique_id, []) if _is_of(dial, each)]
        seconds = [each.talk_seconds for each in there if each.talk_seconds is not None]
        if not there:
            found.append(DialDifference(of=dial, is_missing=True))
        elif dial.talk_seconds is not None and seconds:
            nearest = min(seconds, key=lambda each: abs(each - (dial.talk_seconds or 0)))
            if abs(nearest - dial.talk_seconds) > OFF_BY_SECONDS:
                found.append(DialDifference(of=dial, actual=nearest))
    return found


def _is_of(dial: ToldDial, channel: KeptChannel) -> bool:
    over = channel.ended_at is not None and channel.ended_at + NEAR < dial.dialled_at
    return channel.began_at - NEAR <= dial.dialled_at and not over


async def channels_between(
    connection: AsyncConnection, pbx: PbxId, began_from: datetime, began_to: datetime
) -> list[KeptChannel]:
    """The channels of calls that began then: by AMI's legs, and those of the rows themselves, whose
    seconds count where AMI saw nothing. (A consultation dials by half of a Local channel: no leg.)"""
    within = (Call.pbx == pbx, Call.started_at >= began_from, Call.started_at < began_to)
    gaps = await gap_intervals(connection, pbx, began_from, began_to)

    def in_gap(began_at: datetime, ended_at: datetime) -> bool:
        """AMI came to it late, or left it early: its seconds are not all there are."""
        return any(began <= ended_at and began_at <= ended for began, ended in gaps)

    queued = select(QueuePass.call_id).where(QueuePass.call_id == Call.call_id).exists()
    facts = (Call.call_id, Call.started_at, Call.ended_at, Call.talk_seconds, Call.answered_at)
    legs = await connection.execute(
        select(Leg.unique_id, *facts, Call.confidence, queued.label("queued"))
        .join(Leg, Leg.call_id == Call.call_id)
        .where(*within)
    )
    rows = await connection.execute(
        select(CallEventRow.key, *facts, Call.confidence, queued.label("queued"))
        .join(CallEventRow, CallEventRow.call_id == Call.call_id)
        .where(*within, CallEventRow.kind == CallDialled.__name__)
    )
    found = []
    for name, _, began_at, ended_at, talked, answered_at, confidence, was_queued in legs:
        unsure = (
            was_queued
            or confidence == Confidence.GAP
            or ended_at is None
            or in_gap(began_at, ended_at)
        )
        seconds = talked if answered_at else 0
        found.append(_channel(name, began_at, ended_at, None if unsure else seconds))
    for key, _, began_at, ended_at, talked, answered_at, confidence, was_queued in rows:
        unsure = was_queued or confidence != Confidence.QUEUE_LOG_ONLY or ended_at is None
        seconds = talked if answered_at else 0
        name = key.rpartition("/")[0]
        found.append(_channel(name, began_at, ended_at, None if unsure else seconds))
    return found


def _channel(
    unique_id: str, began_at: datetime, ended_at: datetime | None, talk_seconds: int | None
) -> KeptChannel:
    return KeptChannel(
        unique_id=unique_id, began_at=began_at, ended_at=ended_at, talk_seconds=talk_seconds
    )
