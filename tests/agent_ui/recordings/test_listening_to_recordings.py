"""Who hears which recording: by right and scope, by its id alone, and every time audited."""

from __future__ import annotations

import asyncio
import io
import random
import wave
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select

from crm_core.access.models import AuditEntry
from crm_core.db import reading
from tests.agent_ui.recordings.conftest import SOUND, Recorded
from tests.agent_ui.world import World

HEAD = 44


async def audited(world: World, act: str) -> list[tuple[str, str, str]]:
    """(who, recording, page) of each."""
    async with reading(world.engine) as connection:
        found = await connection.execute(
            select(AuditEntry).where(AuditEntry.act == act).order_by(AuditEntry.id)
        )
        return [(row.actor, row.subject, row.detail["page"]) for row in found]


async def test_a_supervisor_hears_the_own_team_s_calls_and_no_others(
    world: World, recorded: dict[str, Recorded]
) -> None:
    heard = {"wangfang": {"limin"}, "chenwei": {"sunli"}, "admin": {"limin", "sunli"}}
    for name, whose in heard.items():
        browser = await world.signed_in(name)
        for agent, recording in recorded.items():
            answer = await browser.get(recording.url)
            assert answer.status_code == (200 if agent in whose else 404), (name, agent)
            page = (await browser.get(f"/calls/{recording.call}")).text
            assert (f'src="{recording.url}"' in page) == (agent in whose), (name, agent)


async def test_an_agent_sees_that_the_own_call_is_recorded_and_does_not_hear_it(
    world: World, recorded: dict[str, Recorded]
) -> None:
    browser = await world.signed_in("limin")
    page = (await browser.get(f"/calls/{recorded['limin'].call}")).text
    assert "录音" in page
    assert "<audio" not in page
    for path in (recorded["limin"].url, f"{recorded['limin'].url}/file"):
        assert (await browser.get(path)).status_code == 403
    assert await audited(world, "recording.listen") == []


async def test_what_is_heard_is_a_wav_of_two_channels(
    world: World, recorded: dict[str, Recorded]
) -> None:
    browser = await world.signed_in("wangfang")
    answer = await browser.get(recorded["limin"].url)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "no-store"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (2, 8000, 2)
        assert sound.readframes(sound.getnframes()) == SOUND


async def test_parts_put_together_are_the_whole(
    world: World, recorded: dict[str, Recorded]
) -> None:
    browser = await world.signed_in("wangfang")
    url, whole = recorded["limin"].url, (await browser.get(recorded["limin"].url)).content
    dice = random.Random(7)
    cuts = sorted(
        {0, len(whole), 1, HEAD, HEAD + 1, *(dice.randrange(len(whole)) for _ in range(20))}
    )
    parts = []
    for begin, end in pairwise(cuts):
        answer = await browser.get(url, headers={"range": f"bytes={begin}-{end - 1}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(whole)}"
        parts.append(answer.content)
    assert b"".join(parts) == whole
    last = await browser.get(url, headers={"range": "bytes=-10"})
    assert (last.status_code, last.content) == (206, whole[-10:])
    beyond = await browser.get(url, headers={"range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416
    for odd in ("bytes=9-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=x-"):
        answer = await browser.get(url, headers={"range": odd})
        assert (answer.status_code, answer.content) == (200, whole), odd


async def test_a_listen_is_audited_once_whatever_parts_the_player_asks_for(
    world: World, recorded: dict[str, Recorded]
) -> None:
    limin = recorded["limin"]
    browser = await world.signed_in("wangfang")
    for begin in (0, 0, 90_000, 44, 200_000):
        await browser.get(limin.url, headers={"range": f"bytes={begin}-"})
    entry = ("wangfang", limin.recording, f"/calls/{limin.call}")
    assert await audited(world, "recording.listen") == [entry]
    other = await world.signed_in("admin")
    # Who skips the beginning is written down like everybody.
    await other.get(limin.url, headers={"range": "bytes=45-"})
    assert await audited(world, "recording.listen") == [entry, ("admin", *entry[1:])]


async def test_a_download_is_a_right_of_its_own_and_audited_each_time(
    world: World, recorded: dict[str, Recorded]
) -> None:
    limin = recorded["limin"]
    supervisor = await world.signed_in("wangfang")
    assert (await supervisor.get(f"{limin.url}/file")).status_code == 403
    assert f"{limin.url}/file" not in (await supervisor.get(f"/calls/{limin.call}")).text
    admin = await world.signed_in("admin")
    for _ in range(2):
        answer = await admin.get(f"{limin.url}/file")
        assert answer.headers["content-disposition"].startswith('attachment; filename="recording-2')
        assert answer.content[:4] == b"RIFF"
    assert [who for who, _, _ in await audited(world, "recording.download")] == ["admin", "admin"]


WALKS = ("..", "../..", "%2e%2e", "..%2f..%2fzuoxi.db", "....//", "/etc/passwd", "%2fetc%2fpasswd",
         "zuoxi/20261124/limin-1.1-1.raw", "limin-1.1-1.raw", "..\\..", "%00", "%0d%0a", "'", '"', "*",
         "%25", "0" * 4000, "录音", "%ff", "?", "#", ";ls", "$(id)", "`id`", "file:///etc/passwd")  # fmt: skip


async def test_walking_paths_and_foreign_ids_lead_nowhere(
    world: World, recorded: dict[str, Recorded], folder: Path
) -> None:
    (folder.parent / "secret.raw").write_bytes(b"SECRET" * 100)
    (folder / "zuoxi" / "link.raw").symlink_to(folder.parent / "secret.raw")
    browser = await world.signed_in("wangfang")
    mine, others = recorded["limin"], recorded["sunli"]
    dice = random.Random(20261124)
    tries = [f"/calls/{mine.call}/recordings/{walk}" for walk in WALKS]
    tries += [f"/calls/{walk}/recordings/{mine.recording}" for walk in WALKS]
    tries += [f"/calls/{walk}/recordings/{walk}/file" for walk in WALKS]
    # A recording is its own call's only; a call of another team has none.
    tries += [f"/calls/{mine.call}/recordings/{others.recording}", others.url]
    tries += [f"/calls/{others.call}/recordings/{mine.recording}"]
    while len(tries) < 500:
        guess = f"{dice.getrandbits(128):032x}"
        near = mine.recording[: dice.randrange(24)] + guess
        tries.append(f"/calls/{mine.call}/recordings/{near[:32]}")
    found: list[tuple[str, int]] = []

    async def knock(path: str) -> None:
        # As a script asks: a refusal without its page, five hundred of which take long to draw.
        answer = await browser.get(path, headers={"accept": "application/json"})
        held = b"SECRET" in answer.content or SOUND[:1000] in answer.content
        kind = answer.headers.get("content-type", "")
        if held or kind.startswith("audio") or answer.status_code >= 500:
            found.append((path[:120], answer.status_code))

    for begin in range(0, len(tries), 25):
        await asyncio.gather(*(knock(path) for path in tries[begin : begin + 25]))
    assert found == []
    assert await audited(world, "recording.listen") == []
    assert (await browser.get(mine.url)).status_code == 200
