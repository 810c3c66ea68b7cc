"""How rows of recordings are written: what was told of, what was found, and how each ended."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.models import Call, Leg, OfferAttempt
from crm_core.db import insert_into
from crm_core.events import AttemptResult
from crm_core.ids import CallId, PbxId
from crm_core.quick_dataclass import dataclass
from crm_core.recordings.files import OWN_FILE, Found, Sound
from crm_core.recordings.models import Recording
from crm_core.recordings.records import RecordingState

LOOKED_AT_ONCE = 500
LINKED_FOR = timedelta(days=2)
"""So long it is tried to find the call, or the file, that was not there."""
LOOK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A recording that began, `file` below the folder of its PBX."""

    pbx: PbxId
    file: str
    call: CallId | None
    unique_id: str | None
    started_at: datetime


async def write(connection: AsyncConnection, told: Iterable[Told]) -> None:
    """Rows of these; one that is there keeps what it says, and learns its call."""
    for one in told:
        values = {
            "recording_id": secrets.token_hex(16),
            "pbx": one.pbx,
            "file": one.file,
            "call_id": one.call,
            "unique_id": one.unique_id,
            "started_at": one.started_at,
            "state": RecordingState.RECORDING,
        }
        new = insert_into(connection.dialect.name, Recording).values(values)
        await connection.execute(
            new.on_conflict_do_update(
                index_elements=["pbx", "file"],
                set_={
                    "call_id": func.coalesce(Recording.call_id, new.excluded.call_id),
                    "unique_id": func.coalesce(Recording.unique_id, new.excluded.unique_id),
                },
            )
        )


async def unknown(
    connection: AsyncConnection, pbx: PbxId, found: Sequence[Found]
) -> tuple[Found, ...]:
    """Those of the files that have no row."""
    known: set[str] = set()
    for begin in range(0, len(found), LOOKED_AT_ONCE):
        some = [one.file for one in found[begin : begin + LOOKED_AT_ONCE]]
        rows = await connection.scalars(
            select(Recording.file).where(Recording.pbx == pbx, Recording.file.in_(some))
        )
        known.update(rows)
    return tuple(one for one in found if one.file not in known)


async def claimed(connection: AsyncConnection, pbx: PbxId, file: str) -> tuple[str, CallId] | None:
    """(Uniqueid, call) of a file whose name tells its channel; None where one call is not sure."""
    named = OWN_FILE.fullmatch(file)
    if named is None:
        return None
    calls = set(
        await connection.scalars(
            select(Leg.call_id)
            .join(Call, Call.call_id == Leg.call_id)
            .where(Leg.unique_id == named["unique_id"], Call.pbx == pbx)
        )
    )
    # A Uniqueid comes again after the clock went back: then it says nothing for sure.
    return (named["unique_id"], CallId(calls.pop())) if len(calls) == 1 else None


async def without_call(
    connection: AsyncConnection, since: datetime
) -> Sequence[Row[*tuple[Any, ...]]]:
    """(id, pbx, file) of rows whose call may still become known."""
    return (
        await connection.execute(
            select(Recording.recording_id, Recording.pbx, Recording.file)
            .where(Recording.call_id.is_(None), Recording.started_at > since)
            .limit(LOOKED_AT_ONCE)
        )
    ).all()


async def link(connection: AsyncConnection, recording_id: str, claim: tuple[str, CallId]) -> None:
    unique_id, call = claim
    await connection.execute(
        update(Recording)
        .where(Recording.recording_id == recording_id)
        .values(unique_id=unique_id, call_id=call)
    )


async def to_look_at(connection: AsyncConnection, now: datetime) -> Sequence[Row[*tuple[Any, ...]]]:
    """(id, pbx, file, started_at, ended_at, talked) of rows that may be over.

    `ended_at` is when the recorded channel ended, else its call; None: it goes on, or nobody knows.
    `talked`: an agent answered after it had begun.
    """
    ended_at = func.coalesce(Leg.ended_at, Call.ended_at, type_=Call.ended_at.type)
    talked = or_(
        Call.answered_at >= Recording.started_at,
        exists().where(
            OfferAttempt.call_id == Recording.call_id,
            OfferAttempt.result == AttemptResult.ANSWERED,
            OfferAttempt.ended_at >= Recording.started_at,
        ),
    )
    goes_on = and_(Call.call_id.is_not(None), ended_at.is_(None))
    return (
        await connection.execute(
            select(
                Recording.recording_id,
                Recording.pbx,
                Recording.file,
                Recording.started_at,
                ended_at.label("ended_at"),
                talked.label("talked"),
            )
            .outerjoin(Call, Call.call_id == Recording.call_id)
            .outerjoin(
                Leg,
                and_(Leg.call_id == Recording.call_id, Leg.unique_id == Recording.unique_id),
            )
            .where(
                or_(
                    and_(Recording.state == RecordingState.RECORDING, ~goes_on),
                    and_(
                        Recording.state == RecordingState.MISSING,
                        Recording.started_at > now - LINKED_FOR,
                        Recording.looked_at < now - LOOK_AGAIN,
                    ),
                )
            )
            .order_by(Recording.looked_at.is_not(None), Recording.looked_at)
            .limit(LOOKED_AT_ONCE)
        )
    ).all()


async def ended(
    connection: AsyncConnection, recording_id: str, sound: Sound | None, now: datetime
) -> None:
    """The file is whole, or missing."""
    values = (
        {"state": RecordingState.MISSING}
        if sound is None
        else {
            "state": RecordingState.COMPLETE,
            "seconds": sound.seconds,
            "channels": sound.channels,
            "bytes": sound.bytes,
        }
    )
    await connection.execute(
        update(Recording)
        .where(Recording.recording_id == recording_id)
        .values(looked_at=now, **values)
    )


async def looked(connection: AsyncConnection, recording_id: str, now: datetime) -> None:
    await connection.execute(
        update(Recording).where(Recording.recording_id == recording_id).values(looked_at=now)
    )


async def forget(connection: AsyncConnection, recording_id: str) -> None:
    """Nobody talked: there was nothing to record."""
    await connection.execute(delete(Recording).where(Recording.recording_id == recording_id))
