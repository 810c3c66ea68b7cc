"""The service on a real Asterisk: commands right and wrong, live calls found, a crash told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from crm_core.bus import MemoryBus
from crm_core.commands import (
    AddMember,
    Command,
    Done,
    HangUp,
    KnownBoot,
    KnownBoots,
    OpenCall,
    OpenCalls,
    PauseMember,
    RemoveMember,
    UnpauseMember,
)
from crm_core.errors import Unavailable
from crm_core.events import (
    BootFound,
    CallAnswered,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Event,
    GapRecorded,
    LinkChanged,
    LinkState,
    Outcome,
    PassClosed,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import PbxId
from crm_core.settings import pbx_url
from telephony.ami.actions import GetConfigJSON, Ping, Reload
from telephony.ami.link import Patience
from telephony.commands import Commands
from telephony.service import TelephonyService
from tests.lab.asterisk import Laboratory
from tests.lab.scenarios import CallerBehaviour, PhoneBehaviour
from tests.lab.sipp import Caller, callers, phones

pytestmark = pytest.mark.asterisk

LAB = PbxId("lab")
SEAT = "PJSIP/8001"
WANG = Caller(number="13800138000", name="王小明")
FOR_EVER = CallerBehaviour(talk_ms=None)

Fact = TypeVar("Fact", bound=Event)


class Follower:
    """The service on a real PBX, with records that know nothing of before."""

    def __init__(self, lab: Laboratory, folder: Path) -> None:
        self.bus, self.facts = MemoryBus(), list[Event]()
        self.bus.subscribe(lambda envelope: self.facts.append(envelope.event))
        self.bus.answer(KnownBoots, self._boots)
        self.bus.answer(OpenCalls, self._open_calls)
        quick = Patience(retry_first=0.05, retry_most=0.2)
        self.service = TelephonyService(
            pbx_url(lab.url), self.bus, Commands(self.bus), folder, quick, ask_seconds=1
        )

    async def _boots(self, _: KnownBoots) -> tuple[KnownBoot, ...]:
        return ()

    async def _open_calls(self, _: OpenCalls) -> tuple[OpenCall, ...]:
        return ()

    def of(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def ups(self) -> int:
        return sum(fact.state is LinkState.UP for fact in self.of(LinkChanged))

    async def until(self, what: str, is_so: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(20):
                while not is_so():  # noqa: ASYNC110 (a real PBX has no event to wait for)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within 20 s: {what}; {self.facts}") from None

    async def can_act(self) -> None:
        """The control session stands too; of the two it may be the later one."""
        async with asyncio.timeout(20):
            while True:
                with suppress(Unavailable):
                    await self.service.control(Ping())
                    return
                await asyncio.sleep(0.02)

    async def does(self, command: Command) -> str | None:
        """What it was refused with."""
        answer = await self.bus.ask(command, 10)
        assert isinstance(answer, Done)
        return answer.refused


@asynccontextmanager
async def following(lab: Laboratory, folder: Path) -> AsyncIterator[Follower]:
    follower = Follower(lab, folder)
    task = asyncio.create_task(follower.service.run())
    try:
        await follower.until("the link is up", follower.ups)
        await follower.can_act()
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def age_of(pbx: Follower) -> float:
    """How long ago this Asterisk started, in seconds."""
    return (datetime.now(UTC) - pbx.of(BootFound)[0].started_at).total_seconds()


def add(queue: str = "support", interface: str = SEAT) -> AddMember:
    return AddMember(pbx=LAB, queue=queue, interface=interface, agent_number="1001")


def remove(queue: str = "support", interface: str = SEAT) -> RemoveMember:
    return RemoveMember(pbx=LAB, queue=queue, interface=interface)


async def test_commands_right_twice_and_wrong(laboratory: Laboratory, tmp_path: Path) -> None:
    async with following(laboratory, tmp_path) as pbx:
        assert await pbx.does(add()) is None
        assert await pbx.does(add()) is None
        await pbx.until("seen", lambda: pbx.of(QueueMemberSeen))
        assert pbx.of(QueueMemberSeen)[0].member.name == "1001"
        for pause in (PauseMember(pbx=LAB, interface=SEAT, reason="午休"),
                      UnpauseMember(pbx=LAB, interface=SEAT)):  # fmt: skip
            assert await pbx.does(pause) is None
        await pbx.until("paused, and back", lambda: len(pbx.of(QueueMemberSeen)) >= 3)
        told = [(fact.paused, fact.pause_reason) for fact in pbx.of(QueueMemberSeen)]
        assert told[-2:] == [(True, "午休"), (False, None)]
        assert await pbx.does(remove()) is None
        assert await pbx.does(remove()) is None
        await pbx.until("gone", lambda: pbx.of(QueueMemberGone))

        refused = await pbx.does(add(queue="nowhere"))
        assert refused == "Unable to add interface to queue: No such queue"
        refused = await pbx.does(remove(queue="nowhere"))
        assert refused is not None
        assert "queue" in refused
        assert await pbx.does(PauseMember(pbx=LAB, interface=SEAT, reason="x")) is not None


async def test_asterisk_shows_a_section_of_a_file_and_says_where_there_is_none(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    async with following(laboratory, tmp_path) as pbx:
        question = GetConfigJSON(filename="queues.conf", category="support")
        answer = await pbx.service.control(question)
        assert answer.ok
        assert set(answer.response["JSON"].partition(":")[0]) >= set("support")
        missing = GetConfigJSON(filename="queues.conf", category="nowhere")
        answer = await pbx.service.control(missing)
        assert not answer.ok or "nowhere" not in answer.response["JSON"]
        assert not (await pbx.service.control(Reload(module="no_such_module"))).ok


async def test_calls_in_the_middle_are_found_waiting_ringing_and_talking(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    lab = laboratory
    async with following(lab, tmp_path / "before") as pbx:
        assert await pbx.does(add("support", "PJSIP/8001")) is None
        assert await pbx.does(add("sales", "PJSIP/8101")) is None
        with (
            phones(lab, PhoneBehaviour(answer_after_ms=100)),
            phones(lab, PhoneBehaviour(answer_after_ms=None), group=1),
            callers(lab, "4001", [WANG], FOR_EVER),
            callers(lab, "4002", [Caller(number="13900139000")], FOR_EVER),
            callers(lab, "4005", [Caller(number="02887654321")], FOR_EVER),
        ):
            await pbx.until("one talks", lambda: pbx.of(CallAnswered))
            await pbx.until("one rings", lambda: len(pbx.of(CallOffered)) == 2)
            await pbx.until("three wait or did", lambda: len(pbx.of(CallQueued)) == 3)
            async with following(lab, tmp_path / "later") as later:
                found = {fact.caller_number: fact.call for fact in later.of(CallStarted)}
                assert found == {fact.caller_number: fact.call for fact in pbx.of(CallStarted)}
                (talks,) = later.of(CallAnswered)
                assert (talks.call, talks.member.interface) == (found["13800138000"], SEAT)
                (rings,) = later.of(CallOffered)
                assert (rings.call, rings.member.interface) == (
                    found["13900139000"],
                    "PJSIP/8101",
                )
                assert found["02887654321"] in {fact.call for fact in later.of(CallQueued)}
                for call in found.values():
                    assert await later.does(HangUp(pbx=LAB, call=call)) is None
                await later.until("all are over", lambda: len(later.of(CallEnded)) == 3)
                assert all(fact.seen for fact in later.of(CallEnded))
        assert await pbx.does(remove("support", "PJSIP/8001")) is None
        assert await pbx.does(remove("sales", "PJSIP/8101")) is None


async def test_crash_of_asterisk_ends_the_open_calls_unseen_and_once(
    installed: None, tmp_path: Path
) -> None:
    with Laboratory() as lab:
        async with following(lab, tmp_path) as pbx:
            with callers(lab, "4001", [WANG, Caller(number="13900139000")], FOR_EVER):
                await pbx.until("both wait", lambda: len(pbx.of(CallQueued)) == 2)
                # Starts less than five seconds apart are taken for one: the two feeds differ by some.
                await pbx.until("the first run is older", lambda: age_of(pbx) > 6)
                lab.kill9()
            await pbx.until(
                "the loss is told", lambda: pbx.of(LinkChanged)[-1].state.value == "down"
            )
            lab.start()
            await pbx.until("the link is up again", lambda: pbx.ups() >= 2)
            await pbx.until("queue_log says it too", lambda: len(pbx.of(PassClosed)) == 2)

            boots = {fact.boot for fact in pbx.of(BootFound)}
            assert len(boots) == 2
            assert [gap.boot_changed for gap in pbx.of(GapRecorded)] == [True]
            started = {fact.call for fact in pbx.of(CallStarted)}
            assert len(started) == 2
            assert [(fact.call in started, fact.seen) for fact in pbx.of(CallEnded)] == [
                (True, False),
                (True, False),
            ]
            assert {fact.call for fact in pbx.of(CallEnded)} == started
            closed = pbx.of(PassClosed)
            assert {fact.call for fact in closed} == started
            assert {fact.outcome for fact in closed} == {Outcome.UNKNOWN_END}
