"""Recordings are kept as long as their project says, and no longer.

A project's `keep_recordings_days` counts from the moment the recording began; 0 keeps for ever. A file
without a call belongs to nobody and is kept as the default project's are. The row stays, without its
file, so that the call's page can say that there was one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.audit import audit
from crm_core.call_log.models import Call
from crm_core.centre.models import Project
from crm_core.db import Instant, reading, transaction
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass
from crm_core.recordings.files import RecordingFolder
from crm_core.recordings.models import Recording
from crm_core.recordings.records import RecordingState

log = logging.getLogger("zuoxi.recordings")

ACTOR = "retention"
AT_ONCE = 500
NOTICE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A recording that is older than its project keeps them."""

    recording_id: str
    pbx: PbxId
    file: str
    project: str
    started_at: datetime


async def expired(
    connection: AsyncConnection,
    now: datetime,
    *,
    pbxs: Collection[PbxId] | None = None,
    after: Expired | None = None,
) -> tuple[Expired, ...]:
    """What is too old, the oldest first, at most `AT_ONCE`: of these PBXs (None: of all), `after` one."""
    where: list[ColumnElement[bool]] = []
    if pbxs is not None:
        where.append(Recording.pbx.in_(sorted(pbxs)))
    if after is not None:
        place = tuple_(Recording.started_at, Recording.recording_id)
        where.append(place > tuple_(literal(after.started_at, Instant), after.recording_id))
    projects = (await connection.execute(select(Project))).all()
    default = next((project.id for project in projects if project.is_default), None)
    found: list[Expired] = []
    for project in projects:
        if project.keep_recordings_days == 0:
            continue
        owner = func.coalesce(Call.project_id, default) if default is not None else Call.project_id
        rows = await connection.execute(
            select(Recording.recording_id, Recording.pbx, Recording.file, Recording.started_at)
            .outerjoin(Call, Call.call_id == Recording.call_id)
            .where(
                owner == project.id,
                Recording.state.in_((RecordingState.COMPLETE, RecordingState.MISSING)),
                Recording.started_at < now - timedelta(days=project.keep_recordings_days),
                *where,
            )
            .order_by(Recording.started_at, Recording.recording_id)
            .limit(AT_ONCE)
        )
        found += [
            Expired(
                recording_id=row.recording_id,
                pbx=PbxId(row.pbx),
                file=row.file,
                project=project.name,
                started_at=row.started_at,
            )
            for row in rows
        ]
    return tuple(sorted(found, key=lambda one: (one.started_at, one.recording_id))[:AT_ONCE])


async def expire(
    engine: AsyncEngine, folders: Mapping[PbxId, RecordingFolder], now: datetime
) -> int:
    """Delete what is too old; how many. A file that cannot be deleted is said and tried next time, and
    holds up none behind it; those of a PBX without a folder here stay."""
    await _say_what_is_next(engine, now)
    gone, last = 0, None
    while True:
        async with reading(engine) as connection:
            due = await expired(connection, now, pbxs=folders, after=last)
        deleted = [one for one in due if await _is_deleted(folders[one.pbx], one)]
        if deleted:
            async with transaction(engine) as connection:
                await _write(connection, deleted, now)
            gone += len(deleted)
        if len(due) < AT_ONCE:
            return gone
        last = due[-1]


async def _say_what_is_next(engine: AsyncEngine, now: datetime) -> None:
    """The dry run: whoever reads the log can still change the days, or carry a file away."""
    async with reading(engine) as connection:
        due = {one.recording_id for one in await expired(connection, now)}
        soon = await expired(connection, now + NOTICE)
    new = Counter(one.project for one in soon if one.recording_id not in due)
    for project, count in new.items():
        log.info("%d recordings of %s will be deleted within a day", count, project)


async def _is_deleted(folder: RecordingFolder, one: Expired) -> bool:
    try:
        await asyncio.to_thread(folder.delete, one.file)
    except OSError as wrong:
        log.warning("%s: %s is too old, but stays: %s", one.pbx, one.file, wrong.strerror)
        return False
    return True


async def _write(connection: AsyncConnection, deleted: list[Expired], now: datetime) -> None:
    ids = [one.recording_id for one in deleted]
    await connection.execute(
        update(Recording)
        .where(Recording.recording_id.in_(ids))
        .values(state=RecordingState.DELETED, deleted_at=now)
    )
    for project, count in Counter(one.project for one in deleted).items():
        log.info("%d recordings of %s were deleted: kept long enough", count, project)
        detail = {"recordings": [one.recording_id for one in deleted if one.project == project]}
        await audit(connection, ACTOR, "recording.expire", project, detail, at=now)
