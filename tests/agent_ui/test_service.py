"""The pages as a service: what happens when a part of them dies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from agent_ui.service import AgentUi, PartEnded
from crm_core.bus import MemoryBus
from crm_core.db import engine_of
from crm_core.events import AgentSignedIn
from crm_core.ids import PbxId, UserId
from crm_core.live_board.board import LiveBoard
from crm_core.service import CrmCore
from crm_core.settings import Settings


class Clock:
    """Stops the world when it is told to break."""

    broken = False

    def __call__(self) -> datetime:
        if self.broken:
            raise ArithmeticError("the clock is broken")
        return datetime.now(UTC)


async def test_a_part_that_dies_ends_the_pages_with_a_sentence(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    engine, bus, board, clock = (
        engine_of(settings.database_url),
        MemoryBus(),
        LiveBoard(),
        Clock(),
    )
    bus.subscribe(lambda envelope: board.feed(envelope.event))
    core = CrmCore(bus, engine, settings)
    await core.start()
    ui = AgentUi(settings=settings, bus=bus, engine=engine, board=board, core=core, now=clock)
    await ui.start()
    watching = asyncio.create_task(ui.watch())
    bus.publish(
        AgentSignedIn(
            at=datetime.now(UTC),
            pbx=PbxId("main"),
            user=UserId(1),
            agent_number="1001",
            name="李敏",
            interface="PJSIP/8001",
            queues=(),
        )
    )
    clock.broken = True  # who watches over rights asks it twice a second
    with pytest.raises(PartEnded, match=r"pages \(rights\) has ended: the clock is broken"):
        async with asyncio.timeout(5):
            await watching
    assert "the task rights of the pages has ended" in caplog.text
    clock.broken = False
    await ui.stop()
    await core.stop()
    await engine.dispose()


async def test_pages_that_are_told_to_stop_stop_without_a_word(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    engine, bus = engine_of(settings.database_url), MemoryBus()
    core = CrmCore(bus, engine, settings)
    await core.start()
    ui = AgentUi(settings=settings, bus=bus, engine=engine, board=LiveBoard(), core=core)
    await ui.start()
    watching = asyncio.create_task(ui.watch())
    await ui.stop()
    await watching
    await core.stop()
    await engine.dispose()
    assert "has ended" not in caplog.text
