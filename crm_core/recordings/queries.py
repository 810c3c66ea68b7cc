"""Questions about recordings: those of a call, one of them, and what lies in a folder unclaimed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.ids import CallId, PbxId
from crm_core.recordings.models import Recording
from crm_core.recordings.records import RecordingInfo, RecordingState


async def recordings_of(
    connection: AsyncConnection, calls: Sequence[CallId]
) -> tuple[RecordingInfo, ...]:
    """Those of a call, by all its names, in the order in which they began."""
    wanted = _recordings().where(Recording.call_id.in_(calls))
    return await _found(connection, wanted.order_by(Recording.started_at, Recording.file))


async def recording_of(
    connection: AsyncConnection, calls: Sequence[CallId], recording_id: str
) -> RecordingInfo | None:
    """The one with this id, if it is a recording of this call."""
    wanted = _recordings().where(
        Recording.call_id.in_(calls), Recording.recording_id == recording_id
    )
    found = await _found(connection, wanted)
    return found[0] if found else None


async def without_a_call(connection: AsyncConnection, limit: int) -> tuple[RecordingInfo, ...]:
    """Files of which nobody knows the call, newest first."""
    wanted = _recordings().where(
        Recording.call_id.is_(None), Recording.state != RecordingState.DELETED
    )
    return await _found(connection, wanted.order_by(Recording.started_at.desc()).limit(limit))


def _recordings() -> Select[*tuple[Any, ...]]:
    return select(
        Recording.recording_id,
        Recording.pbx,
        Recording.file,
        Recording.call_id,
        Recording.started_at,
        Recording.seconds,
        Recording.channels,
        Recording.bytes,
        Recording.state,
    )


async def _found(
    connection: AsyncConnection, wanted: Select[*tuple[Any, ...]]
) -> tuple[RecordingInfo, ...]:
    return tuple(
        RecordingInfo(
            recording_id=row.recording_id,
            pbx=PbxId(row.pbx),
            file=row.file,
            call=CallId(row.call_id) if row.call_id else None,
            started_at=row.started_at,
            seconds=row.seconds,
            channels=row.channels,
            bytes=row.bytes,
            state=RecordingState(row.state),
        )
        for row in await connection.execute(wanted)
    )
