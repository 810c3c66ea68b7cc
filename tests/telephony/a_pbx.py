"""A scripted Asterisk and the service that follows it, for tests that say what happens at the PBX."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from crm_core.bus import MemoryBus
from crm_core.centre.plan import SwitchPlan
from crm_core.commands import (
    AgentsOf,
    Command,
    Done,
    FeedPosition,
    FeedState,
    KnownAgent,
    KnownBoot,
    KnownBoots,
    OpenCall,
    OpenCalls,
    PlanOf,
)
from crm_core.events import Event, Feed, LinkChanged, LinkState
from crm_core.ids import PbxId
from crm_core.settings import PbxUrl
from telephony.ami.link import Patience
from telephony.commands import Commands
from telephony.service import TelephonyService
from tests.telephony.ami.scripted import (
    Scripted,
    Sent,
    a_list,
    a_scripted_ami,
    an_event,
    answered,
    eventually,
    success,
)

LAB = PbxId("lab")
NOW = datetime(2026, 11, 24, 10, 20, tzinfo=UTC)
BOOTED = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
QUICK = Patience(connect=2, answer=2, ping_every=0.05, pong_within=2, retry_first=0.01, refused=0.1)

CALLER, PHONE = "lab-1795515000.1", "lab-1795515002.2"
"""Uniqueids of a caller and of the phone that rings for him."""

F = TypeVar("F", bound=Event)


def of_channel(unique_id: str = CALLER, **more: str) -> tuple[str, ...]:
    """The headers by which Asterisk describes a channel; `more` replaces or adds."""
    caller = unique_id == CALLER
    headers = {
        "Channel": f"PJSIP/{'trunk' if caller else '8001'}-0000000{unique_id[-1]}",
        "ChannelStateDesc": "Up" if caller else "Ringing",
        "CallerIDNum": "13800138000" if caller else "8001",
        "CallerIDName": "<unknown>",
        "Context": "zuoxi-inbound" if caller else "zuoxi-seats",
        "Exten": "4001" if caller else "s",
        "Uniqueid": unique_id,
        "Linkedid": CALLER,
        **more,
    }
    return tuple(f"{name}: {value}" for name, value in headers.items())


def to_phone() -> tuple[str, ...]:
    """The same of the phone, where a message is about two channels."""
    return tuple(f"Dest{line}" for line in of_channel(PHONE))


MEMBER = ("Queue: support", "MemberName: 1001", "Interface: PJSIP/8001")

A_CALL_RINGS = (
    an_event("Newchannel", *of_channel()),
    an_event("QueueCallerJoin", *of_channel(), "Queue: support", "Position: 1", "Count: 1"),
    an_event("Newchannel", *of_channel(PHONE)),
    an_event("AgentCalled", *of_channel(), *to_phone(), *MEMBER),
)
A_CALL_IS_ANSWERED = (
    an_event("QueueCallerLeave", *of_channel(), "Queue: support", "Position: 1", "Count: 0"),
    an_event("AgentConnect", *of_channel(), *to_phone(), *MEMBER, "RingTime: 2", "HoldTime: 3"),
)
A_CALL_ENDS = (
    an_event("AgentComplete", *of_channel(), *to_phone(), *MEMBER, "Reason: agent"),
    an_event("Hangup", *of_channel(PHONE), "Cause: 16"),
    an_event("Hangup", *of_channel(), "Cause: 16"),
)


class Clock:
    """The service's clock, which goes on when a test says so."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Asterisk:
    """What the scripted server answers: when it started, in which zone, and what lives in it."""

    server: Scripted
    clock: Clock
    started_at: datetime = BOOTED
    zone: timedelta = timedelta(hours=8)
    channels: list[tuple[str, ...]] = field(default_factory=list)
    """`Status` items, without the event's name."""
    members: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.answers |= {
            "Login": self.accepts,
            "CoreStatus": self.core_status,
            "Status": self.status,
            "QueueStatus": lambda sent: a_list(
                sent, *(("QueueMember", *each) for each in self.members)
            ),
            "CoreShowChannels": a_list,
            "BridgeList": a_list,
        }

    def accepts(self, sent: Sent) -> bytes:
        welcome = success(sent, "Authentication accepted")
        return welcome + self.fully_booted() if sent["Events"] == "on" else welcome

    def fully_booted(self) -> bytes:
        uptime = int((self.clock() - self.started_at).total_seconds())
        return an_event("FullyBooted", f"Uptime: {uptime}", "Status: Fully Booted")

    def status(self, sent: Sent) -> bytes:
        return a_list(sent, *(("Status", *each) for each in self.channels))

    def core_status(self, sent: Sent) -> bytes:
        local = self.started_at + self.zone
        return answered(
            sent,
            "Response: Success",
            f"CoreStartupDate: {local:%Y-%m-%d}",
            f"CoreStartupTime: {local:%H:%M:%S}",
        )

    def says(self, *messages: bytes) -> None:
        """To the events session, in one segment."""
        self.server.say(b"".join(messages), user="zuoxi-events")

    def cuts(self) -> None:
        self.server.cut("zuoxi-events")


class Records:
    """crm_core, as far as telephony asks it."""

    def __init__(self, bus: MemoryBus) -> None:
        self.boots: tuple[KnownBoot, ...] = ()
        self.open_calls: tuple[OpenCall, ...] = ()
        self.feeds: dict[Feed, FeedState] = {}
        self.agents: tuple[KnownAgent, ...] = ()
        self.plan = SwitchPlan()
        bus.answer(AgentsOf, self._agents)
        bus.answer(PlanOf, self._plan)
        bus.answer(KnownBoots, self._boots)
        bus.answer(OpenCalls, self._open_calls)
        bus.answer(FeedPosition, self._position)

    async def _boots(self, _: KnownBoots) -> tuple[KnownBoot, ...]:
        return self.boots

    async def _open_calls(self, _: OpenCalls) -> tuple[OpenCall, ...]:
        return self.open_calls

    async def _agents(self, _: AgentsOf) -> tuple[KnownAgent, ...]:
        return self.agents

    async def _plan(self, _: PlanOf) -> SwitchPlan:
        return self.plan

    async def _position(self, asked: FeedPosition) -> FeedState | None:
        return self.feeds.get(asked.feed)


@dataclass
class Site:
    """A PBX, the records, and what the service told."""

    asterisk: Asterisk
    bus: MemoryBus
    records: Records
    clock: Clock
    folder: Path
    queue_log: Path | None = None
    facts: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus.subscribe(lambda envelope: self.facts.append(envelope.event))

    def of(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def fact(self, kind: type[F], nth: int = 1) -> F:
        await eventually(lambda: len(self.of(kind)) >= nth)
        return self.of(kind)[nth - 1]

    async def link(self, state: LinkState, nth: int = 1) -> LinkChanged:
        """The nth time that the link is told to be in this state."""

        def found() -> list[LinkChanged]:
            return [fact for fact in self.of(LinkChanged) if fact.state is state]

        await eventually(lambda: len(found()) >= nth)
        return found()[nth - 1]

    async def does(self, command: Command) -> Done:
        answer = await self.bus.ask(command, 10)
        assert isinstance(answer, Done)
        return answer

    @property
    def server(self) -> Scripted:
        return self.asterisk.server

    @asynccontextmanager
    async def followed(
        self,
        kind: type[TelephonyService] = TelephonyService,
        patience: Patience = QUICK,
        **more: Any,
    ) -> AsyncIterator[TelephonyService]:
        """The service, up or not. A second time it is a process that starts anew."""
        pbx = PbxUrl(
            pbx=LAB,
            host="127.0.0.1",
            port=self.server.port,
            user="zuoxi-events",
            secret="the-events-secret",
            control_user="zuoxi-control",
            control_secret="the-control-secret",
            queue_log=self.queue_log,
        )
        service = kind(
            pbx,
            self.bus,
            Commands(self.bus),
            self.folder / "var",
            patience,
            self.clock,
            **more,
        )
        task = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def a_site(folder: Path) -> AsyncIterator[Site]:
    """A scripted Asterisk with nothing in it, and records that know nothing yet."""
    async with a_scripted_ami() as server:
        clock, bus = Clock(), MemoryBus()
        yield Site(
            asterisk=Asterisk(server, clock),
            bus=bus,
            records=Records(bus),
            clock=clock,
            folder=folder,
        )
