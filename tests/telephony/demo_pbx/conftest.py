"""The two PBXs of the contract: the demonstration, and the real Asterisk of the laboratory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from crm_core.bus import MemoryBus
from crm_core.commands import Done, LiftPhone, PutDownPhone
from crm_core.settings import pbx_url
from telephony.demo_pbx.callers import Pace
from telephony.demo_pbx.calls import Patience
from telephony.demo_pbx.demo import DEMO, DemoPbx
from telephony.demo_pbx.player import Caller
from tests.lab import sipp
from tests.lab.asterisk import Laboratory, a_plan
from tests.lab.folder import Ports
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.story import HOTLINES, Story
from tests.telephony.demo_pbx.client import Pbx

WANG = "13800138000"
NEVER = 3600.0

ON_DEMAND = Pace(first=NEVER, gap=(NEVER, NEVER), wait=(NEVER, NEVER), talk=(NEVER, NEVER))
"""Nobody rings by himself, gives up or hangs up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A demonstration with the laboratory's centre, and what only its phones and callers can do."""

    demo: DemoPbx
    bus: MemoryBus
    pbx: Pbx

    async def put_down(self, interface: str) -> None:
        assert await self.bus.ask(PutDownPhone(pbx=DEMO, interface=interface), 5) == Done()

    def ring(self, story: Story, *, wait: float, talk: float) -> None:
        """The caller of that story rings its hotline, waits so long and talks so long at most."""
        hidden = story.name == "hidden_caller"
        queue = story.members[0].queue
        self.demo.ring(
            Caller(
                number=None if hidden else WANG,
                name=None if hidden else "Wang",
                called=HOTLINES[queue],
            ),
            Patience(wait_seconds=NEVER if story.name != "abandoned" else wait, talk_seconds=talk),
        )


@asynccontextmanager
async def a_stage(folder: Path) -> AsyncIterator[Stage]:
    bus = MemoryBus()
    demo = DemoPbx(bus, a_plan(Ports(first=20000)), folder, pace=ON_DEMAND)

    async def ring(hotline: str) -> None:
        demo.ring(Caller(number=WANG, name="Wang", called=hotline))

    async def lift(interface: str) -> None:
        assert await bus.ask(LiftPhone(pbx=DEMO, interface=interface), 5) == Done()

    url = await demo.start()
    try:
        yield Stage(demo=demo, bus=bus, pbx=Pbx(url=url, ring=ring, lift=lift))
    finally:
        await demo.stop()


@asynccontextmanager
async def the_laboratory(lab: Laboratory) -> AsyncIterator[Pbx]:
    """Its phones answer by themselves after a while: to lift is to wait."""
    async with AsyncExitStack() as stack:
        desk = await asyncio.to_thread(sipp.phones, lab, PhoneBehaviour(answer_after_ms=1500))
        stack.callback(desk.stop)
        stack.push_async_callback(asyncio.to_thread, lab.rx, "channel request hangup all")

        async def ring(hotline: str) -> None:
            patient = CallerBehaviour(talk_ms=None)
            who = [sipp.Caller(number=WANG, name="Wang")]
            call = sipp.callers(lab, hotline, who, patient)
            call.start()
            stack.callback(call.stop)

        async def lift(interface: str) -> None:
            return None

        yield Pbx(url=pbx_url(lab.url), ring=ring, lift=lift)


@pytest.fixture(params=["demo", pytest.param("asterisk", marks=pytest.mark.asterisk)])
async def pbx(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pbx]:
    if request.param == "demo":
        async with a_stage(tmp_path) as stage:
            yield stage.pbx
    else:
        async with the_laboratory(request.getfixturevalue("laboratory")) as found:
            yield found
