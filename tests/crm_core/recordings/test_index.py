"""Rows of recordings follow what was told and what lies in the folder; none is given a call by guess."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import AuditEntry
from crm_core.bus import MemoryBus
from crm_core.call_log.models import Call, Leg
from crm_core.call_log.records import Confidence
from crm_core.centre.models import Project
from crm_core.db import reading, transaction
from crm_core.events import Direction, LegParty, RecordingStarted
from crm_core.ids import CallId, PbxId
from crm_core.recordings import retention
from crm_core.recordings.files import RecordingFolder
from crm_core.recordings.index import RecordingIndex
from crm_core.recordings.models import Recording
from crm_core.recordings.queries import without_a_call
from crm_core.recordings.records import RecordingState

PBX = PbxId("main")
T0 = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SECOND = bytes(32_000)


class Shelf:
    """An index over a folder, and its clock."""

    def __init__(self, engine: AsyncEngine, root: Path) -> None:
        self.engine, self.root, self.now = engine, root, T0
        self.folder = RecordingFolder(root)
        self.bus = MemoryBus()
        self.index = RecordingIndex(self.bus, engine, {PBX: self.folder}, lambda: self.now)
        self.index.start()

    async def call(
        self,
        unique_id: str,
        *,
        call_id: str | None = None,
        answered: bool = True,
        ended: bool = True,
        project: int | None = None,
        began: datetime = T0,
    ) -> CallId:
        identity = CallId((call_id or unique_id.replace(".", "").replace("-", "")).rjust(32, "0"))
        ended_at = began + timedelta(seconds=60) if ended else None
        async with transaction(self.engine) as connection:
            await connection.execute(
                insert(Call).values(
                    call_id=identity,
                    pbx=PBX,
                    direction=Direction.INBOUND,
                    project_id=project,
                    started_at=began,
                    answered_at=began + timedelta(seconds=5) if answered else None,
                    ended_at=ended_at,
                    confidence=Confidence.COMPLETE,
                )
            )
            await connection.execute(
                insert(Leg).values(
                    call_id=identity,
                    unique_id=unique_id,
                    linked_id=unique_id,
                    party=LegParty.CUSTOMER,
                    started_at=began,
                    ended_at=ended_at,
                )
            )
        return identity

    def tell(self, call: CallId, unique_id: str, file: str, at: datetime = T0) -> None:
        absolute = f"/var/spool/asterisk/monitor/{file}"
        told = RecordingStarted(at=at, pbx=PBX, call=call, unique_id=unique_id, file=absolute)
        self.bus.publish(told)

    def put(self, file: str, sound: bytes = SECOND * 3, at: datetime = T0) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound)
        os.utime(path, (at.timestamp(), at.timestamp()))

    async def after(self, seconds: float, *, scan: bool = True) -> list[Any]:
        """The rows, that much later."""
        self.now += timedelta(seconds=seconds)
        await self.index.look()
        if scan:
            await self.index.scan()
            await self.index.look()
        async with reading(self.engine) as connection:
            return list(
                (await connection.execute(select(Recording).order_by(Recording.file))).all()
            )


@pytest.fixture
async def shelf(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Shelf]:
    root = tmp_path / "monitor"
    root.mkdir()
    made = Shelf(engine, root)
    yield made
    made.index.stop()


OWN = "zuoxi/20261124/lab-1.1-1.raw"


async def test_a_recording_that_was_told_is_whole_once_its_channel_has_ended(shelf: Shelf) -> None:
    call = await shelf.call("lab-1.1", ended=False)
    shelf.tell(call, "lab-1.1", OWN)
    shelf.put(OWN)
    (row,) = await shelf.after(30)
    assert (row.state, row.seconds) == (RecordingState.RECORDING, None)
    async with transaction(shelf.engine) as connection:
        await connection.execute(update(Leg).values(ended_at=shelf.now))
    (row,) = await shelf.after(10)
    assert (row.state, row.seconds, row.channels) == (RecordingState.COMPLETE, 3, 2)
    assert (row.call_id, row.unique_id, row.file) == (call, "lab-1.1", OWN)


async def test_told_twice_or_found_as_well_is_one_row(shelf: Shelf) -> None:
    call = await shelf.call("lab-1.1")
    shelf.put(OWN)
    first = await shelf.after(100)
    for _ in range(2):
        shelf.tell(call, "lab-1.1", OWN)
    assert [row.recording_id for row in await shelf.after(1)] == [first[0].recording_id]


async def test_nobody_told_but_the_name_is_ours_and_the_channel_one_call_s(shelf: Shelf) -> None:
    shelf.put(OWN)
    (row,) = await shelf.after(100)
    assert row.call_id is None
    # The call's row came later: a database that was away.
    call = await shelf.call("lab-1.1")
    (row,) = await shelf.after(1)
    assert (row.call_id, row.state) == (call, RecordingState.COMPLETE)


@pytest.mark.parametrize("file", ["2026/11/24/q-13800138000.wav", "zuoxi/lab-1.1-1.raw", "lab-1.1-1.raw", "zuoxi/20261124/lab-9.9-1.raw"])  # fmt: skip
async def test_a_file_that_names_no_known_channel_of_ours_has_no_call(
    shelf: Shelf, file: str
) -> None:
    await shelf.call("lab-1.1")
    shelf.put(file)
    (row,) = await shelf.after(100)
    assert (row.call_id, row.state) == (None, RecordingState.COMPLETE)
    async with reading(shelf.engine) as connection:
        assert [one.file for one in await without_a_call(connection, 10)] == [file]


async def test_a_channel_of_two_calls_says_nothing(shelf: Shelf) -> None:
    """The clock went back, and Asterisk gave the same Uniqueid again."""
    await shelf.call("lab-1.1", call_id="a")
    await shelf.call("lab-1.1", call_id="b")
    shelf.put(OWN)
    (row,) = await shelf.after(100)
    assert row.call_id is None


async def test_nothing_was_said_so_nothing_is_missing(shelf: Shelf) -> None:
    call = await shelf.call("lab-1.1", answered=False)
    shelf.tell(call, "lab-1.1", OWN)
    assert len(await shelf.after(0, scan=False)) in (0, 1)
    assert await shelf.after(100) == []


async def test_somebody_talked_and_there_is_no_file_until_a_script_has_moved_it(
    shelf: Shelf,
) -> None:
    call = await shelf.call("lab-1.1")
    shelf.tell(call, "lab-1.1", OWN)
    (row,) = await shelf.after(90)
    assert row.state == RecordingState.RECORDING
    (row,) = await shelf.after(60)
    assert row.state == RecordingState.MISSING
    shelf.put(OWN)
    (row,) = await shelf.after(700)
    assert row.state == RecordingState.COMPLETE


async def test_files_that_are_being_written_are_left_alone(shelf: Shelf) -> None:
    shelf.put(OWN, at=T0)
    assert await shelf.after(1) == []
    assert len(await shelf.after(2)) == 1


# --- retention ------------------------------------------------------------------------------------


DAYS = {"short": 30, "long": 365, "ever": 0}


async def projects(shelf: Shelf) -> dict[str, int]:
    """Their ids; `long` is the default one. None has days to keep yet."""
    found = {}
    async with transaction(shelf.engine) as connection:
        for name in DAYS:
            values = {"name": name, "client": "", "is_default": name == "long"}
            row = await connection.execute(insert(Project).values(values).returning(Project.id))
            found[name] = int(row.scalar_one())
    return found


async def days_begin_to_count(shelf: Shelf) -> None:
    async with transaction(shelf.engine) as connection:
        for name, days in DAYS.items():
            await connection.execute(
                update(Project).where(Project.name == name).values(keep_recordings_days=days)
            )


async def test_recordings_are_deleted_when_their_project_s_days_are_over_and_not_before(
    shelf: Shelf,
) -> None:
    ids = await projects(shelf)
    ages = {"short": (29, 31), "long": (364, 366), "ever": (10, 4000)}
    kept: set[str] = set()
    gone: set[str] = set()
    for number, (name, days) in enumerate((n, d) for n, pair in ages.items() for d in pair):
        began = T0 - timedelta(days=days)
        unique_id, file = f"lab-{number}.1", f"zuoxi/20200101/lab-{number}.1-1.raw"
        call = await shelf.call(unique_id, project=ids[name], began=began)
        shelf.put(file, at=began)
        shelf.tell(call, unique_id, file, at=began)
        (gone if days in (31, 366) else kept).add(file)
    for days, wanted in ((364, kept), (366, gone)):  # nobody's: as the default project keeps them
        file = f"nobody-{days}.wav"
        shelf.put(file, at=T0 - timedelta(days=days))
        wanted.add(file)
    rows = await shelf.after(100)
    assert {row.state for row in rows} == {RecordingState.COMPLETE}
    await days_begin_to_count(shelf)
    async with reading(shelf.engine) as connection:
        due = await retention.expired(connection, shelf.now)
    assert {one.file for one in due} == gone
    assert all((shelf.root / file).exists() for file in gone)
    assert await retention.expire(shelf.engine, {PBX: shelf.folder}, shelf.now) == len(gone)
    assert all((shelf.root / file).exists() for file in kept)
    assert not any((shelf.root / file).exists() for file in gone)
    rows = await shelf.after(1)
    assert {row.file for row in rows if row.state == RecordingState.DELETED} == gone
    async with reading(shelf.engine) as connection:
        entries = (await connection.execute(select(AuditEntry))).all()
    assert sum(len(entry.detail["recordings"]) for entry in entries) == len(gone)
    assert {(entry.actor, entry.act) for entry in entries} == {("retention", "recording.expire")}


async def test_what_will_be_deleted_is_said_a_day_before(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await projects(shelf)
    shelf.put("nobody.wav", at=T0 - timedelta(days=364, hours=12))
    await shelf.after(100)
    await days_begin_to_count(shelf)
    caplog.set_level("INFO", "zuoxi.recordings")
    assert await retention.expire(shelf.engine, {PBX: shelf.folder}, shelf.now) == 0
    assert "1 recordings of long will be deleted within a day" in caplog.text
    assert (shelf.root / "nobody.wav").exists()


async def test_what_cannot_be_deleted_stays_and_is_tried_again(shelf: Shelf) -> None:
    await projects(shelf)
    shelf.put("nobody.wav", at=T0 - timedelta(days=400))
    await shelf.after(100)
    await days_begin_to_count(shelf)
    assert await retention.expire(shelf.engine, {}, shelf.now) == 0
    (row,) = await shelf.after(1)
    assert row.state == RecordingState.COMPLETE
    assert await retention.expire(shelf.engine, {PBX: shelf.folder}, shelf.now) == 1


async def test_what_cannot_be_deleted_holds_up_nothing_behind_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    await projects(shelf)
    names = [f"nobody-{place}.wav" for place in range(5)]
    for place, name in enumerate(names):
        shelf.put(name, at=T0 - timedelta(days=500 - place))
    await shelf.after(100)
    await days_begin_to_count(shelf)
    delete = RecordingFolder.delete

    def refuses(folder: RecordingFolder, file: str) -> None:
        if file in names[:3]:
            raise PermissionError(13, "Permission denied")
        delete(folder, file)

    monkeypatch.setattr(RecordingFolder, "delete", refuses)
    assert await retention.expire(shelf.engine, {PBX: shelf.folder}, shelf.now) == 2
    assert [(shelf.root / name).exists() for name in names] == [True] * 3 + [False] * 2
