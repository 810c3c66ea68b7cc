"""`/readyz`: what is missing is said, and only to who may know."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from agent_ui.operations import readiness
from agent_ui.operations.readiness import BACKLOG, Part, Readiness, services_of, span
from crm_core.beats import GONE_SECONDS, Beat, Beats
from crm_core.bus import MemoryBus
from crm_core.commands import HowRecords, RecordsStand
from crm_core.db import engine_of, transaction
from crm_core.events import LinkState
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard
from crm_core.migrations import revisions
from tests.agent_ui.world import World


async def asked(world: World, **headers: str) -> tuple[int, dict[str, Any]]:
    world.ui.deps.operations.readiness._asked_at = 0.0  # as if a second had gone by
    response = await world.browser().get("/readyz", headers=headers)
    return response.status_code, response.json()


async def parts(world: World) -> dict[str, tuple[bool, str]]:
    _, answer = await asked(world)
    return {part["part"]: (part["ok"], part["says"]) for part in answer["parts"]}


async def records_stand(world: World, **changes: Any) -> None:
    stand = await world.bus.ask(HowRecords(), 1)
    assert isinstance(stand, RecordsStand)

    async def changed(_: HowRecords) -> RecordsStand:
        return replace(stand, **changes)

    world.bus.answer(HowRecords, changed)


async def test_all_is_there(world: World) -> None:
    await world.recorded()
    status, answer = await asked(world)
    assert (status, answer["status"]) == (200, "ready")
    assert [part["part"] for part in answer["parts"]] == [
        *("database", "migrations", "lease", "recorder", "link main")
    ]
    found = await parts(world)
    assert found["migrations"][1] == f"The tables are at revision {revisions()[-1]}."
    assert found["recorder"] == (True, "0 events wait to be written.")
    assert found["link main"][1].startswith("Up for 0 s, last heard 0 s ago")


@pytest.mark.parametrize("state", [LinkState.DOWN, LinkState.REFUSED])
async def test_a_link_that_is_away_is_named_with_its_reason(world: World, state: LinkState) -> None:
    world.link(state)
    status, answer = await asked(world)
    assert (status, answer["status"]) == (503, "not ready")
    ok, says = (await parts(world))["link main"]
    assert not ok
    assert says.startswith(f"{state.value.capitalize()} for 0 s")


async def test_a_pbx_that_never_answered_is_not_forgotten(world: World) -> None:
    world.board.links.clear()
    assert (await parts(world))["link main"] == (False, "There was no link to Asterisk yet.")


async def test_tables_of_another_version_are_not_ready(world: World) -> None:
    async with transaction(world.engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    ok, says = (await parts(world))["migrations"]
    assert not ok
    assert f"at revision 0000, this version of Zuoxi needs {revisions()[-1]}" in says


async def of_database(url: str) -> Part:
    """What is said of the database at `url`."""
    engine = engine_of(url)
    found = Readiness(
        engine=engine,
        bus=MemoryBus(),
        board=LiveBoard(),
        pbxs=(),
        now=lambda: datetime.now(UTC),
    )
    database, _records = await found.parts()
    await engine.dispose()
    assert database.part == "database"
    return database


async def test_a_database_that_does_not_answer_is_waited_for_no_longer_than_it_must(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.2)
    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = await of_database(f"postgresql://zuoxi:secret@127.0.0.1:{port}/zuoxi")
    server.close()
    assert not database.ok
    assert database.says.startswith("The database does not answer in")


async def test_a_database_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    database = await of_database(f"sqlite:///{tmp_path}/missing/zuoxi.db")
    assert (database.ok, str(tmp_path) in database.says) == (False, False)
    assert database.says.endswith(".")


@pytest.mark.parametrize(
    ("changes", "part", "says"),
    [
        ({"lease_held": False}, "lease", "The records have lost the lease on the database."),
        (
            {"trouble": "The disk is full.", "waiting": 7},
            "recorder",
            "The disk is full. 7 events wait to be written.",
        ),
        (
            {"waiting": BACKLOG + 1},
            "recorder",
            f"{BACKLOG + 1} events wait to be written: the database does not keep up.",
        ),
    ],
)
async def test_records_in_trouble_are_not_ready(
    world: World, changes: dict[str, Any], part: str, says: str
) -> None:
    await records_stand(world, **changes)
    assert (await asked(world))[0] == 503
    assert (await parts(world))[part] == (False, says)


async def test_records_that_do_not_answer_are_said_to(world: World) -> None:
    async def nothing(_: HowRecords) -> None:
        return None

    world.bus.answer(HowRecords, nothing)
    assert (await parts(world))["records"] == (False, "The records do not answer.")


async def test_many_who_ask_at_once_cost_one_look(world: World) -> None:
    looks = 0

    async def counted(_: HowRecords) -> None:
        nonlocal looks
        looks += 1

    world.bus.answer(HowRecords, counted)
    world.ui.deps.operations.readiness._asked_at = 0.0
    browser = world.browser()
    for _ in range(5):
        await browser.get("/readyz")
    assert looks == 1


def test_a_span_is_said_as_people_say_it() -> None:
    seconds = [-5, 0, 1, 119, 120, 7199, 7200, 172_799, 172_800]
    assert [span(timedelta(seconds=each)) for each in seconds] == [
        *("0 s", "0 s", "1 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days")
    ]


def test_each_service_of_the_split_is_a_part_of_its_own() -> None:
    now = 0.0
    beats = Beats(lambda: now)
    for process, beat in (
        ("a", Beat(service="crm_core")),
        ("b", Beat(service="telephony", pbx="east")),
        ("c", Beat(service="telephony", pbx="east", leads=False)),
        ("d", Beat(service="agent_ui")),
    ):
        beats.heard(process, beat)
    pbxs = (PbxId("east"), PbxId("west"))
    assert {part.part: (part.ok, part.says) for part in services_of(beats, pbxs)} == {
        "service crm_core": (True, "Last heard 0.0 s ago."),
        "service routing": (False, "No process serves this."),
        "service telephony east": (True, "Last heard 0.0 s ago. 1 stand by."),
        "service telephony west": (False, "No process serves this."),
        "service agent_ui": (True, "1 serve pages."),
    }
    now = GONE_SECONDS
    assert not any(part.ok for part in services_of(beats, pbxs))
