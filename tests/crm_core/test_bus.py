"""The memory bus: order, isolation of listeners, questions, and resuming after a lost link."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.bus import Envelope, MemoryBus
from crm_core.events import Tick
from crm_core.ids import PbxId

PBX = PbxId("lab")


def a_tick(second: int = 0) -> Tick:
    return Tick(at=datetime.fromtimestamp(1_700_000_000 + second, UTC), pbx=PBX)


@dataclass(frozen=True)
class HowMany:
    what: str


def test_listeners_hear_every_event_at_once_and_in_order() -> None:
    bus, heard = MemoryBus(), list[Envelope]()
    bus.subscribe(heard.append)
    told = [bus.publish(a_tick(second)) for second in range(5)]
    assert heard == told


def test_a_listener_that_fails_hurts_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = MemoryBus(), list[Envelope]()

    def broken(_: Envelope) -> None:
        raise RuntimeError("planted")

    bus.subscribe(broken)
    bus.subscribe(heard.append)
    bus.publish(a_tick())
    assert len(heard) == 1
    assert "a listener failed on Tick" in caplog.text


def test_unsubscribed_listener_hears_nothing_more() -> None:
    bus, heard = MemoryBus(), list[Envelope]()
    bus.subscribe(heard.append)()
    bus.publish(a_tick())
    assert heard == []


async def test_stream_gives_everything_in_order_however_slow_its_reader() -> None:
    bus = MemoryBus(keep=1)
    stream = bus.stream()
    for second in range(1000):
        bus.publish(a_tick(second))
    stream.close()
    assert [envelope.event async for envelope in stream] == [a_tick(n) for n in range(1000)]


async def test_question_is_answered_by_the_one_who_said_he_would() -> None:
    bus = MemoryBus()

    async def count(question: HowMany) -> int:
        return len(question.what)

    bus.answer(HowMany, count)
    assert await bus.ask(HowMany("calls"), 1.0) == 5


async def test_question_nobody_answers_gets_none() -> None:
    assert await MemoryBus().ask(HowMany("calls"), 1.0) is None


async def test_question_answered_too_late_gets_none() -> None:
    bus = MemoryBus()

    async def dawdle(_: HowMany) -> int:
        await asyncio.sleep(30)
        return 1

    bus.answer(HowMany, dawdle)
    assert await bus.ask(HowMany("calls"), 0.01) is None


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


@pytest.mark.parametrize("seq", ["", "-", "x-1", "nonsense", "-1", "deadbeef-99999999", "a-٣"])
def test_since_an_unknown_place_is_none(seq: str) -> None:
    assert MemoryBus().since(seq) is None
