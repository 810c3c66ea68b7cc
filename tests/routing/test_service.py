"""Routing on the bus: what is refused is told once, asked again, and no longer once it is done."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from crm_core.bus import MemoryBus
from crm_core.commands import AddMember, AtTheDoor, CallerKnown, Done, WayIn, WhoCalls
from crm_core.events import CommandRefused, Event
from crm_core.ids import PbxId
from routing.membership import Membership
from routing.service import Routing
from tests.routing.test_membership import LINK_UP, SEATS, T0, heard, signed_in


async def test_queue_that_asterisk_does_not_know_yet_gets_its_member_later() -> None:
    bus, asked, told = MemoryBus(), list[AddMember](), list[Event]()
    answers = [Done(refused="No such queue"), Done(refused="No such queue"), Done()]
    settled = asyncio.Event()

    async def asterisk(command: AddMember) -> Done:
        asked.append(command)
        if len(asked) == len(answers):
            settled.set()
        return answers[len(asked) - 1]

    bus.answer(AddMember, asterisk)
    bus.subscribe(lambda envelope: told.append(envelope.event))
    routing = asyncio.create_task(Routing(bus, Membership(SEATS)).run())
    try:
        for event in (LINK_UP, signed_in(1, "PJSIP/8001", "sales"), heard(2), heard(6)):
            bus.publish(event)
        async with asyncio.timeout(5):
            await settled.wait()
        bus.publish(heard(600))
        await asyncio.sleep(0)
    finally:
        routing.cancel()
        await asyncio.gather(routing, return_exceptions=True)
    assert len(set(asked)) == 1
    assert len(asked) == 3
    refused = [event for event in told if isinstance(event, CommandRefused)]
    assert [(one.at - T0, one.reason) for one in refused] == [(timedelta(), "No such queue")]


async def at_the_door(known: CallerKnown | None) -> WayIn | None:
    bus = MemoryBus()
    Routing(bus, Membership())

    async def records(asked: WhoCalls) -> CallerKnown | None:
        assert (asked.hotline, asked.caller_number) == ("4001", "13800138000")
        return known

    bus.answer(WhoCalls, records)
    asked = AtTheDoor(pbx=PbxId("lab"), hotline="4001", caller_number="13800138000")
    found: WayIn | None = await bus.ask(asked, 5)
    return found


async def test_the_door_asks_the_records_and_without_them_has_no_opinion() -> None:
    known = CallerKnown(
        queue="support", max_wait_seconds=60, ring_seconds=9, priorities=(("A", 5),), grades=("A",)
    )
    assert await at_the_door(known) == WayIn(queue="support", max_wait_seconds=60, priority=5)
    assert await at_the_door(None) is None
