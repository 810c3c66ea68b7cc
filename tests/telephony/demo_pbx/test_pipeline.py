"""The product follows the demonstration as it follows Asterisk: the same service, the same facts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from crm_core.bus import Envelope, MemoryBus
from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, Strategy, SwitchPlan
from crm_core.commands import (
    AddMember,
    ChooseState,
    Command,
    Done,
    FeedPosition,
    FeedState,
    HangUp,
    HoldCall,
    KnownBoots,
    LiftPhone,
    OpenCalls,
    PauseMember,
    PutDownPhone,
    RemoveMember,
    ResumeCall,
    Target,
    TargetKind,
    TransferCall,
)
from crm_core.events import (
    AgentSignedIn,
    AgentState,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    EndedBy,
    Event,
    LinkChanged,
    LinkState,
    Member,
    OfferEnded,
    Outcome,
    PassClosed,
    QueueMemberSeen,
)
from crm_core.ids import UserId
from telephony.commands import Commands
from telephony.demo_pbx.answers import NOT_PLAYED
from telephony.demo_pbx.callers import REPEATER, SERVICE, VIP, Pace
from telephony.demo_pbx.demo import DEMO, DemoPbx
from telephony.service import TelephonyService

LIMIN, ZHANGWEI = "PJSIP/8001", "PJSIP/8002"
QUEUE = "shouhou"
PATIENT = Pace(first=0.0, gap=(3600.0, 3600.0), wait=(3600.0, 3600.0), talk=(3600.0, 3600.0))


def a_plan(ring_seconds: int = 60, missed_rings: int = 2) -> SwitchPlan:
    return SwitchPlan(
        queues=(
            QueuePlan(
                name=QUEUE,
                title="售后",
                strategy=Strategy.RINGALL,
                ring_seconds=ring_seconds,
                wrap_up_seconds=0,
                missed_rings=missed_rings,
            ),
            QueuePlan(name="vip", title="VIP"),
        ),
        hotlines=(HotlinePlan(number=SERVICE, queue=QUEUE), HotlinePlan(number=VIP, queue="vip")),
        seats=(
            SeatPlan(extension="8001", interface=LIMIN),
            SeatPlan(extension="8002", interface=ZHANGWEI),
        ),
    )


F = TypeVar("F", bound=Event)


class Centre:
    """A demonstration and the product's telephony, connected to it as to any PBX."""

    def __init__(self, bus: MemoryBus, queue_log: Path) -> None:
        self.bus, self.queue_log = bus, queue_log
        self.facts: list[Event] = []
        self._news = asyncio.Event()
        bus.subscribe(self._take)

    def _take(self, envelope: Envelope) -> None:
        self.facts.append(envelope.event)
        self._news.set()

    def of(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def fact(self, kind: type[F], nth: int = 1) -> F:
        """The nth fact of that kind, when it is there."""
        async with asyncio.timeout(20):
            while len(self.of(kind)) < nth:
                self._news.clear()
                await self._news.wait()
        return self.of(kind)[nth - 1]

    async def does(self, command: Command) -> Done:
        answer = await self.bus.ask(command, 5)
        assert isinstance(answer, Done)
        return answer

    async def signs_in(self, interface: str, number: str, queue: str = QUEUE) -> None:
        command = AddMember(pbx=DEMO, queue=queue, interface=interface, agent_number=number)
        assert await self.does(command) == Done()

    def rows(self) -> list[list[str]]:
        """Member, what, parameters."""
        return [line.split("|")[3:] for line in self.queue_log.read_text().splitlines()]


@asynccontextmanager
async def a_centre(
    folder: Path,
    *,
    ring_seconds: int = 60,
    missed_rings: int = 2,
    pace: Pace = PATIENT,
    colleagues: Collection[str] = (),
) -> AsyncIterator[Centre]:
    bus = MemoryBus()

    async def nothing_yet(_: object) -> tuple[()]:
        return ()

    async def from_the_start(_: FeedPosition) -> FeedState:
        return FeedState(position=None, heard_until=None)

    bus.answer(OpenCalls, nothing_yet)
    bus.answer(KnownBoots, nothing_yet)
    bus.answer(FeedPosition, from_the_start)
    plan = a_plan(ring_seconds, missed_rings)
    demo = DemoPbx(bus, plan, folder, pace=pace, colleagues=colleagues)
    url = await demo.start()
    assert url.queue_log is not None
    centre = Centre(bus, url.queue_log)
    service = asyncio.create_task(TelephonyService(url, bus, Commands(bus), folder / "var").run())
    try:
        assert (await centre.fact(LinkChanged)).state is LinkState.UP
        yield centre
    finally:
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)
        await demo.stop()


async def test_a_call_becomes_facts_from_ring_to_hang_up(tmp_path: Path) -> None:
    async with a_centre(tmp_path) as centre:
        await centre.signs_in(LIMIN, "1021")
        queued, offered = await centre.fact(CallQueued), await centre.fact(CallOffered)
        assert (queued.caller_number, queued.queue_pass.queue) == (REPEATER, QUEUE)
        assert offered.member == Member(interface=LIMIN, name="1021")
        assert (await centre.fact(CallStarted)).called_number == SERVICE

        assert await centre.does(LiftPhone(pbx=DEMO, interface=LIMIN)) == Done()
        assert (await centre.fact(CallAnswered)).member.interface == LIMIN
        assert await centre.does(PutDownPhone(pbx=DEMO, interface=LIMIN)) == Done()

        assert (await centre.fact(ConversationEnded)).ended_by is EndedBy.AGENT
        ended, closed = await centre.fact(CallEnded), await centre.fact(PassClosed)
        assert ended.call == queued.call == closed.call
        assert (closed.outcome, closed.ended_by) == (Outcome.ANSWERED, EndedBy.AGENT)
    verbs = [row[1] for row in centre.rows()]
    assert verbs == ["QUEUESTART", "ADDMEMBER", "ENTERQUEUE", "CONNECT", "COMPLETEAGENT"]


async def test_a_colleague_lifts_and_the_opening_waits_for_a_visitor(tmp_path: Path) -> None:
    lively = replace(PATIENT, gap=(0.1, 0.1), lift=(0.3, 0.3))
    async with a_centre(tmp_path, pace=lively, colleagues=["1022"]) as centre:
        await centre.signs_in(ZHANGWEI, "1022")
        taken = await centre.fact(CallAnswered)
        assert taken.member == Member(interface=ZHANGWEI, name="1022")
        assert centre.of(CallQueued)[0].caller_number != REPEATER

        await centre.signs_in(LIMIN, "1021")  # the colleague talks
        assert (await centre.fact(CallQueued, 2)).caller_number == REPEATER
        assert (await centre.fact(CallOffered, 2)).member == Member(interface=LIMIN, name="1021")
        await asyncio.sleep(0.7)
        assert len(centre.of(CallAnswered)) == 1  # a visitor's phone is the visitor's


async def test_a_phone_that_nobody_lifts_is_never_answered(tmp_path: Path) -> None:
    gives_up = replace(PATIENT, wait=(1.5, 1.5))
    async with a_centre(tmp_path, ring_seconds=1, pace=gives_up) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.fact(CallEnded)
        assert (await centre.fact(OfferEnded)).result is AttemptResult.NO_ANSWER
        assert (await centre.fact(PassClosed)).outcome is Outcome.ABANDONED
        assert len(centre.of(CallLeftQueue)) == 1
        assert centre.of(CallAnswered) == []


async def test_the_caller_hangs_up_after_a_while(tmp_path: Path) -> None:
    async with a_centre(tmp_path, pace=replace(PATIENT, talk=(0.1, 0.1))) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.fact(CallOffered)
        await centre.does(LiftPhone(pbx=DEMO, interface=LIMIN))
        assert (await centre.fact(ConversationEnded)).ended_by is EndedBy.CALLER
        await centre.fact(CallEnded)


async def test_a_phone_put_down_while_it_rings_refuses_and_rings_again(tmp_path: Path) -> None:
    async with a_centre(tmp_path) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.fact(CallOffered)
        await centre.does(PutDownPhone(pbx=DEMO, interface=LIMIN))
        assert (await centre.fact(OfferEnded)).result is AttemptResult.REFUSED
        assert (await centre.fact(CallOffered, 2)).attempt == 2


async def test_a_ring_that_runs_out_pauses_the_member_everywhere_at_once(tmp_path: Path) -> None:
    """With the rows of the real one (`tests/lab/test_pauses.py`)."""
    async with a_centre(tmp_path, ring_seconds=1, missed_rings=1) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.signs_in(LIMIN, "1021", "vip")
        assert (await centre.fact(OfferEnded)).result is AttemptResult.NO_ANSWER
        paused = [seen for seen in centre.of(QueueMemberSeen) if seen.paused]
        assert {(seen.queue, seen.pause_reason) for seen in paused} == {
            (QUEUE, "Auto-Pause"),
            ("vip", "Auto-Pause"),
        }
        rows = [row for row in centre.rows() if row[1] in ("RINGNOANSWER", "PAUSEALL", "PAUSE")]
    assert [row[1] for row in rows] == ["RINGNOANSWER", "PAUSEALL", "PAUSE", "PAUSE"]
    assert {tuple(row[2:]) for row in rows[1:]} == {("Auto-Pause",)}


async def test_a_member_is_added_paused_with_its_reason(tmp_path: Path) -> None:
    async with a_centre(tmp_path) as centre:
        centre.bus.publish(
            AgentSignedIn(
                at=datetime.now(UTC),
                pbx=DEMO,
                user=UserId(1),
                agent_number="1021",
                name="李敏",
                interface=LIMIN,
                queues=(QUEUE,),
            )
        )
        lunch = ChooseState(pbx=DEMO, user=UserId(1), state=AgentState.PAUSED, reason="meal")
        assert await centre.does(lunch) == Done()
        await centre.signs_in(LIMIN, "1021")
        seen = await centre.fact(QueueMemberSeen)
        assert (seen.paused, seen.pause_reason) == (True, "zx:meal")
        ready = ChooseState(pbx=DEMO, user=UserId(1), state=AgentState.READY)
        assert await centre.does(ready) == Done()
        assert (await centre.fact(CallOffered)).member.interface == LIMIN


async def test_of_two_phones_that_ring_the_lifted_one_has_the_call(tmp_path: Path) -> None:
    async with a_centre(tmp_path, pace=replace(PATIENT, first=0.5)) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.signs_in(ZHANGWEI, "1022")
        await centre.fact(CallOffered, 2)
        await centre.does(LiftPhone(pbx=DEMO, interface=ZHANGWEI))
        assert (await centre.fact(CallAnswered)).member.interface == ZHANGWEI
        # That the other ring ended, too, is what CallAnswered says.
        ended = {offer.member.interface: offer.result for offer in centre.of(OfferEnded)}
        assert ended == {LIMIN: AttemptResult.ELSEWHERE}


async def test_a_member_who_leaves_the_queue_goes_on_ringing_and_may_answer(tmp_path: Path) -> None:
    async with a_centre(tmp_path) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.fact(CallOffered)
        gone = RemoveMember(pbx=DEMO, queue=QUEUE, interface=LIMIN)
        assert await centre.does(gone) == Done()
        assert centre.of(OfferEnded) == []
        assert await centre.does(LiftPhone(pbx=DEMO, interface=LIMIN)) == Done()
        assert (await centre.fact(CallAnswered)).member == Member(interface=LIMIN, name="1021")


async def test_a_member_who_left_and_did_not_lift_is_not_rung_again(tmp_path: Path) -> None:
    gives_up = replace(PATIENT, wait=(2.5, 2.5))
    async with a_centre(tmp_path, ring_seconds=1, pace=gives_up) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.fact(CallOffered)
        await centre.does(RemoveMember(pbx=DEMO, queue=QUEUE, interface=LIMIN))
        await centre.fact(CallEnded)
        assert [offer.result for offer in centre.of(OfferEnded)] == [AttemptResult.NO_ANSWER]


async def test_hanging_up_from_the_desk_ends_the_call(tmp_path: Path) -> None:
    async with a_centre(tmp_path) as centre:
        await centre.signs_in(LIMIN, "1021")
        call = (await centre.fact(CallOffered)).call
        await centre.does(LiftPhone(pbx=DEMO, interface=LIMIN))
        await centre.fact(CallAnswered)
        assert await centre.does(HangUp(pbx=DEMO, call=call)) == Done()
        assert (await centre.fact(CallEnded)).call == call


async def test_hanging_up_the_agents_own_side_is_told_as_the_agents_by_both_feeds(
    tmp_path: Path,
) -> None:
    async with a_centre(tmp_path) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.fact(CallOffered)
        await centre.does(LiftPhone(pbx=DEMO, interface=LIMIN))
        talk = await centre.fact(CallAnswered)
        assert await centre.does(HangUp(pbx=DEMO, call=talk.call, leg=talk.leg)) == Done()
        assert (await centre.fact(ConversationEnded)).ended_by is EndedBy.AGENT
        assert (await centre.fact(PassClosed)).ended_by is EndedBy.AGENT


async def test_a_call_is_held_and_taken_back_as_on_a_real_asterisk(tmp_path: Path) -> None:
    async with a_centre(tmp_path) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.fact(CallOffered)
        await centre.does(LiftPhone(pbx=DEMO, interface=LIMIN))
        talk = await centre.fact(CallAnswered)
        assert talk.leg is not None
        own = HoldCall(pbx=DEMO, call=talk.call, leg=talk.leg)
        assert await centre.does(own) == await centre.does(own) == Done()
        assert (await centre.fact(CallHeld)).leg == talk.leg
        assert await centre.does(ResumeCall(pbx=DEMO, call=talk.call, leg=talk.leg)) == Done()
        assert (await centre.fact(CallResumed)).leg == talk.leg
        assert len(centre.of(CallHeld)) == 1
        to = Target(kind=TargetKind.QUEUE, exten=QUEUE)
        refused = await centre.does(TransferCall(pbx=DEMO, call=talk.call, leg=talk.leg, to=to))
        assert refused == Done(refused=NOT_PLAYED)


async def test_a_paused_member_is_not_rung(tmp_path: Path) -> None:
    async with a_centre(tmp_path, pace=replace(PATIENT, first=0.5, wait=(1.2, 1.2))) as centre:
        await centre.signs_in(LIMIN, "1021")
        await centre.does(PauseMember(pbx=DEMO, interface=LIMIN, reason="lunch"))
        await centre.fact(CallEnded)
        assert centre.of(CallOffered) == []


async def test_a_phone_on_the_hook_can_be_neither_lifted_nor_put_down(tmp_path: Path) -> None:
    async with a_centre(tmp_path) as centre:
        lifted = await centre.does(LiftPhone(pbx=DEMO, interface=LIMIN))
        put_down = await centre.does(PutDownPhone(pbx=DEMO, interface=LIMIN))
    assert (lifted.refused, put_down.refused) == (
        "PJSIP/8001 does not ring",
        "PJSIP/8001 has no call",
    )


async def test_the_pbx_starts_again_with_the_rows_it_had(tmp_path: Path) -> None:
    for _ in range(2):
        async with a_centre(tmp_path):
            pass
    rows = (tmp_path / "queue_log").read_text().splitlines()
    assert [row.split("|")[4] for row in rows] == ["QUEUESTART", "QUEUESTART"]
