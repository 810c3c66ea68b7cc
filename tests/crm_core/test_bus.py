"""What every bus is: one contract for the memory bus and the Redis bus, whose two ends are two
processes' there. Order, isolation of listeners, questions, and resuming after a lost link."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.beats import Beat
from crm_core.bus import Bus, Envelope, MemoryBus
from crm_core.call_log.writer import RECORDED
from crm_core.commands import Done, HangUp, HowLink, KnownBoot, KnownBoots
from crm_core.events import Feed, FeedHeard, LinkChanged, LinkState, Tick
from crm_core.ids import BootId, CallId, PbxId
from crm_core.redis_bus.bus import RedisBus
from crm_core.split import running
from tests.harness import eventually

PBX = PbxId("lab")


def moment(second: int = 0) -> datetime:
    return datetime.fromtimestamp(1_700_000_000 + second, UTC)


def a_tick(second: int = 0) -> Tick:
    return Tick(at=moment(second), pbx=PBX)


@dataclass(frozen=True)
class Ends:
    """`near` tells, `far` hears: of the memory bus it is one and the same."""

    near: Bus
    far: Bus
    log: list[Envelope] = field(default_factory=list)
    """What the far end has heard."""

    async def heard(self, seconds: list[int]) -> None:
        """Wait until the far end has heard these, and nothing else."""
        await eventually(lambda: len(self.log) >= len(seconds))
        assert [envelope.event for envelope in self.log] == [a_tick(each) for each in seconds]


@contextlib.asynccontextmanager
async def a_redis_bus(url: str, **more: Any) -> AsyncIterator[RedisBus]:
    async with running(RedisBus(url, RECORDED, **more), lambda: Beat(service="test")) as bus:
        await eventually(lambda: bus.trouble is None)
        yield bus


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "memory":
            bus = MemoryBus()
            found = Ends(bus, bus)
        else:
            url = request.getfixturevalue("redis_url")
            near = await stack.enter_async_context(a_redis_bus(url))
            far = await stack.enter_async_context(a_redis_bus(url))
            found = Ends(near, far)
        found.far.subscribe(found.log.append)
        yield found


# --- facts ----------------------------------------------------------------------------------------


async def test_listeners_hear_every_event_in_order(ends: Ends) -> None:
    for second in range(2_000):
        ends.near.publish(a_tick(second))
    await ends.heard(list(range(2_000)))


async def test_who_tells_hears_it_before_publish_returns(ends: Ends) -> None:
    heard: list[Envelope] = []
    ends.near.subscribe(heard.append)
    told = [ends.near.publish(a_tick(second)) for second in range(5)]
    assert heard == told


async def test_what_both_ends_tell_is_heard_once_at_each(ends: Ends) -> None:
    near: list[Envelope] = []
    ends.near.subscribe(near.append)
    for second in range(0, 100, 2):
        ends.near.publish(a_tick(second))
        ends.far.publish(a_tick(second + 1))
        await asyncio.sleep(0)
    await eventually(lambda: len(near) == len(ends.log) == 100)
    for log in (near, ends.log):
        seconds = [int(envelope.event.at.timestamp()) for envelope in log]
        assert sorted(seconds) == list(range(1_700_000_000, 1_700_000_100))
        for parity in (0, 1):
            assert (mine := [each for each in seconds if each % 2 == parity]) == sorted(mine)


async def test_every_place_is_another(ends: Ends) -> None:
    for second in range(50):
        ends.near.publish(a_tick(second))
        ends.far.publish(a_tick(second))
    await eventually(lambda: len(ends.log) == 100)
    assert len({envelope.seq for envelope in ends.log}) == 100


async def test_a_listener_that_fails_hurts_nobody_else(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Envelope) -> None:
        raise RuntimeError("planted")

    late: list[Envelope] = []
    ends.far.subscribe(broken)
    ends.far.subscribe(late.append)
    ends.near.publish(a_tick())
    await eventually(lambda: late)
    assert "a listener failed on Tick" in caplog.text


async def test_unsubscribed_listener_hears_nothing_more(ends: Ends) -> None:
    gone: list[Envelope] = []
    ends.far.subscribe(gone.append)()
    ends.near.publish(a_tick())
    await ends.heard([0])
    assert gone == []


async def test_stream_gives_everything_in_order_however_slow_its_reader(ends: Ends) -> None:
    stream = ends.far.stream()
    for second in range(1000):
        ends.near.publish(a_tick(second))
    await eventually(lambda: len(stream) == 1000)
    stream.close()
    assert [envelope.event async for envelope in stream] == [a_tick(n) for n in range(1000)]


# --- questions ------------------------------------------------------------------------------------

BOOTS = (KnownBoot(boot=BootId("b1"), started_at=moment()),)
A_HANG_UP = HangUp(pbx=PBX, call=CallId("c"))


async def test_question_is_answered_by_the_one_who_said_he_would(ends: Ends) -> None:
    async def boots(question: KnownBoots) -> tuple[KnownBoot, ...]:
        return BOOTS if question.pbx == PBX else ()

    ends.far.answer(KnownBoots, boots)
    assert await ends.near.ask(KnownBoots(pbx=PBX), 5.0) == BOOTS
    assert await ends.near.ask(KnownBoots(pbx=PbxId("other")), 5.0) == ()


async def test_who_answers_for_one_pbx_answers_before_who_answers_for_all(ends: Ends) -> None:
    async def for_all(_: HangUp) -> Done:
        return Done(refused="there is no such PBX")

    async def for_lab(_: HangUp) -> Done:
        return Done()

    ends.far.answer(HangUp, for_all)
    undo = ends.far.answer(HangUp, for_lab, PBX)
    assert await ends.near.ask(A_HANG_UP, 5.0) == Done()
    undo()

    async def refused() -> bool:
        return bool(await ends.near.ask(A_HANG_UP, 5.0) == Done(refused="there is no such PBX"))

    await eventually(refused)


async def test_a_command_is_done_once(ends: Ends) -> None:
    done: list[HangUp] = []

    async def hang_up(command: HangUp) -> Done:
        done.append(command)
        await asyncio.sleep(0.3)
        return Done()

    ends.far.answer(HangUp, hang_up, PBX)
    assert await ends.near.ask(A_HANG_UP, 5.0) == Done()
    assert done == [A_HANG_UP]


async def test_question_nobody_answers_gets_none(ends: Ends) -> None:
    assert await ends.near.ask(HowLink(pbx=PBX), 0.3) is None


async def test_question_answered_too_late_gets_none(ends: Ends) -> None:
    async def dawdle(_: HowLink) -> None:
        await asyncio.sleep(30)

    ends.far.answer(HowLink, dawdle)
    assert await ends.near.ask(HowLink(pbx=PBX), 0.2) is None


# --- resuming -------------------------------------------------------------------------------------


async def test_since_gives_exactly_what_came_after_at_either_end(ends: Ends) -> None:
    for second in range(40):
        ends.near.publish(a_tick(second))
    await ends.heard(list(range(40)))
    for place, envelope in enumerate(ends.log):
        assert ends.far.since(envelope.seq) == ends.log[place + 1 :]
        missed = ends.near.since(envelope.seq)
        assert missed is not None
        assert [each.event for each in missed] == [a_tick(n) for n in range(place + 1, 40)]


async def test_what_was_missed_is_never_left_out_whoever_told_it(ends: Ends) -> None:
    for second in range(0, 60, 2):
        ends.near.publish(a_tick(second))
        ends.far.publish(a_tick(second + 1))
        if second % 6 == 0:
            await asyncio.sleep(0.002)
    await eventually(lambda: len(ends.log) == 60)
    await asyncio.sleep(0.05)  # until the echoes have come
    for place, envelope in enumerate(ends.log):
        missed = ends.near.since(envelope.seq)
        assert missed is not None
        heard = {each.event.at for each in ends.log[: place + 1]}
        assert heard | {each.event.at for each in missed} == {moment(n) for n in range(60)}


@pytest.mark.parametrize("seq", ["", "-", "x-1", "nonsense", "-1", "deadbeef-99999999", "a-٣"])
async def test_since_an_unknown_place_is_none(ends: Ends, seq: str) -> None:
    assert ends.near.since(seq) is None


async def test_since_a_place_that_was_not_reached_is_none(ends: Ends) -> None:
    ends.near.publish(a_tick())
    await ends.heard([0])
    epoch, _, count = ends.far.seq.rpartition("-")
    assert ends.far.since(f"{epoch}-{int(count) + 9}") is None


@given(st.data())
def test_since_gives_exactly_what_was_missed_or_nothing(data: st.DataObject) -> None:
    seen, missed = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
    keep = data.draw(st.integers(1, 30))
    bus = MemoryBus(keep=keep)
    for second in range(seen):
        bus.publish(a_tick(second))
    at = bus.seq
    told = [bus.publish(a_tick(second)) for second in range(missed)]
    assert bus.since(at) == (told if missed <= keep else None)


async def test_other_kinds_of_events_come_as_they_went(ends: Ends) -> None:
    events = [
        LinkChanged(at=moment(), pbx=PBX, state=LinkState.UP),
        FeedHeard(at=moment(1), pbx=PBX, feed=Feed.AMI),
    ]
    for event in events:
        ends.near.publish(event)
    await eventually(lambda: len(ends.log) == 2)
    assert [envelope.event for envelope in ends.log] == events
