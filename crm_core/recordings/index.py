"""Keeps the rows of recordings equal to what was told and to what lies in the folders.

Two witnesses: telephony tells when a recording begins (`RecordingStarted`), and each folder is looked
through now and then, a bounded number of files, for what nobody told. A file whose name is of our
making finds its call by the channel in it; any other stays without one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.bus import Bus, Envelope
from crm_core.db import reading, transaction
from crm_core.db_trouble import is_away, sentence
from crm_core.events import RecordingStarted
from crm_core.ids import PbxId
from crm_core.recordings import retention, rows
from crm_core.recordings.files import RecordingFolder, Sound
from crm_core.settings import Settings

log = logging.getLogger("zuoxi.recordings")

LOOK_EVERY_SECONDS = 1.0
SCAN_EVERY_SECONDS, SCAN_AGAIN_SECONDS = 60.0, 3.0
EXPIRE_EVERY_SECONDS = 3600.0
SCANNED = 20_000
"""Files of one folder that a scan looks at, the newest first."""
KEPT = 20_000
"""Facts that wait while the database is away; what does not fit the scan finds."""

SETTLED = timedelta(seconds=2)
"""So long after the channel's end a file is whole: Asterisk writes it out by a thread of its own."""
LATE = timedelta(seconds=60)
"""So long a file may be away, while a site's own script moves it, before it is missing; and a file
that nothing is known of is whole when nothing was written to it for as long."""


def folders_of(settings: Settings) -> dict[PbxId, RecordingFolder]:
    """The folders of recordings that this machine sees, PBX by PBX."""
    return {
        pbx.pbx: RecordingFolder(pbx.recordings.absolute())
        for pbx in settings.pbxs
        if pbx.recordings is not None
    }


class RecordingIndex:
    """`start`, then `run` until cancelled."""

    def __init__(
        self,
        bus: Bus,
        engine: AsyncEngine,
        folders: Mapping[PbxId, RecordingFolder],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._bus, self._engine, self._folders, self._now = bus, engine, folders, now
        self._told: deque[rows.Told] = deque(maxlen=KEPT)
        self._unsubscribe: Callable[[], None] | None = None
        self._trouble: str | None = None
        self._scan_at = self._expire_at = 0.0
        """By the loop's clock."""

    def start(self) -> None:
        self._unsubscribe = self._bus.subscribe(self._heard)

    def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    async def run(self) -> None:
        """For ever; whatever goes wrong is said once and tried again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            try:
                await self.look()
            except Exception as wrong:
                if not is_away(wrong):
                    log.exception("recordings could not be looked after")
                elif self._trouble is None:
                    self._trouble = sentence(wrong)
                    log.warning("%s Recordings wait for it.", self._trouble)
            else:
                self._trouble = None

    async def look(self) -> None:
        """Once: what was told, what is over, and now and then what lies there and what is too old."""
        await self._write_told()
        await self._settle()
        clock = asyncio.get_running_loop().time()
        if self._folders and clock >= self._scan_at:
            all_of_it = await self.scan()
            self._scan_at = clock + (SCAN_EVERY_SECONDS if all_of_it else SCAN_AGAIN_SECONDS)
        if clock >= self._expire_at:
            self._expire_at = clock + EXPIRE_EVERY_SECONDS
            await retention.expire(self._engine, self._folders, self._now())

    def _heard(self, envelope: Envelope) -> None:
        event = envelope.event
        if isinstance(event, RecordingStarted):
            folder = self._folders.get(event.pbx)
            self._told.append(
                rows.Told(
                    pbx=event.pbx,
                    file=folder.relative(event.file) if folder else event.file,
                    call=event.call,
                    unique_id=event.unique_id,
                    started_at=event.at,
                )
            )

    async def _write_told(self) -> None:
        told = tuple(self._told)
        if not told:
            return
        async with transaction(self._engine) as connection:
            await rows.write(connection, told)
        for _ in told:
            self._told.popleft()

    # --- what is over -----------------------------------------------------------------------------

    async def _settle(self) -> None:
        now = self._now()
        async with reading(self._engine) as connection:
            due = await rows.to_look_at(connection, now)
        seen = [(row, await self._sound(row)) for row in due if _may_be_over(row, now)]
        if not seen:
            return
        async with transaction(self._engine) as connection:
            for row, sound in seen:
                await _conclude(connection, row, sound, now)

    async def _sound(self, row: Any) -> Sound | None:
        folder = self._folders.get(PbxId(row.pbx))
        return await asyncio.to_thread(folder.sound, row.file) if folder else None

    # --- what lies there --------------------------------------------------------------------------

    async def scan(self) -> bool:
        """Rows for files that nobody told of; calls for rows that have none.

        False: some were too young to say that nobody tells of them.
        """
        now, all_of_it = self._now(), True
        for pbx, folder in self._folders.items():
            found = await asyncio.to_thread(folder.newest, SCANNED)
            async with reading(self._engine) as connection:
                new = await rows.unknown(connection, pbx, found)
                told = []
                for one in new:
                    if one.changed_at > now - SETTLED:
                        all_of_it = False
                        continue
                    unique_id, call = await rows.claimed(connection, pbx, one.file) or (None, None)
                    told.append(
                        rows.Told(
                            pbx=pbx,
                            file=one.file,
                            call=call,
                            unique_id=unique_id,
                            started_at=one.changed_at,
                        )
                    )
            if told:
                log.info("%s: %d files of recordings were found that nobody told", pbx, len(told))
                async with transaction(self._engine) as connection:
                    await rows.write(connection, told)
        await self._link()
        return all_of_it

    async def _link(self) -> None:
        async with reading(self._engine) as connection:
            waiting = await rows.without_call(connection, self._now() - rows.LINKED_FOR)
            claims = [
                (row.recording_id, claim)
                for row in waiting
                if (claim := await rows.claimed(connection, PbxId(row.pbx), row.file))
            ]
        if claims:
            async with transaction(self._engine) as connection:
                for recording_id, claim in claims:
                    await rows.link(connection, recording_id, claim)


def _may_be_over(row: Any, now: datetime) -> bool:
    return bool(row.ended_at is None or row.ended_at <= now - SETTLED)


async def _conclude(
    connection: AsyncConnection, row: Any, sound: Sound | None, now: datetime
) -> None:
    """What follows of a look at the file of a channel that has ended, or that nobody knows."""
    over_at = row.ended_at or max(row.started_at, sound.changed_at if sound else row.started_at)
    if sound is not None and (row.ended_at is not None or over_at <= now - LATE):
        await rows.ended(connection, row.recording_id, sound, now)
    elif sound is None and row.ended_at is not None and not row.talked:
        await rows.forget(connection, row.recording_id)
    elif sound is None and over_at <= now - LATE:
        await rows.ended(connection, row.recording_id, None, now)
    else:
        await rows.looked(connection, row.recording_id, now)
