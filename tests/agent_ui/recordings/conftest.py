"""A centre whose PBX has a folder of recordings, and two calls with a recording each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm_core.db import transaction
from crm_core.ids import CallId
from crm_core.recordings import rows
from crm_core.recordings.files import RecordingFolder
from crm_core.recordings.queries import recordings_of
from crm_core.settings import Settings
from tests.agent_ui.world import DIGITS, PBX, SHARED_DIGITS, World

SOUND = bytes(range(256)) * 1250
"""Ten seconds of our raw samples, every byte to be told from its neighbours."""


@dataclass
class Recorded:
    """The call, its recording's id, and the file below the folder."""

    call: CallId
    recording: str
    file: str

    @property
    def url(self) -> str:
        return f"/calls/{self.call}/recordings/{self.recording}"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    folder = tmp_path / "monitor"
    folder.mkdir()
    url = f"ami://events:secret@127.0.0.1:5038/main?recordings={folder}"
    return settings.model_copy(update={"pbx_urls": url})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "monitor"


@pytest.fixture
async def recorded(world: World, folder: Path) -> dict[str, Recorded]:
    """Of limin's call and of sunli's, who are of two teams."""
    await world.at_desk("limin", "8001")
    await world.at_desk("sunli", "8003")
    found = {}
    for name, extension, number, queue, caller in (
        ("limin", "8001", "1001", "support", DIGITS),
        ("sunli", "8003", "1003", "members", SHARED_DIGITS),
    ):
        call, queue_pass = world.caller_queues(caller, queue=queue)
        ring = world.rings(call, queue_pass, extension, number)
        world.answers(ring)
        world.hangs_up(ring)
        await world.recorded()
        found[name] = await a_recording(world, folder, call, f"zuoxi/20261124/{name}-1.1-1.raw")
    return found


async def a_recording(
    world: World, folder: Path, call: CallId, file: str, sound: bytes = SOUND
) -> Recorded:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound)
    now = datetime.now(UTC)
    told = rows.Told(pbx=PBX, file=file, call=call, unique_id=None, started_at=now)
    async with transaction(world.engine) as connection:
        await rows.write(connection, [told])
        recording = (await recordings_of(connection, [call]))[-1].recording_id
    held = RecordingFolder(folder).sound(file)
    async with transaction(world.engine) as connection:
        await rows.ended(connection, recording, held, now)
    return Recorded(call, recording, file)
