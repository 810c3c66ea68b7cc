"""The thin shell around routing's pure cores: bus in, commands out, in order."""

from __future__ import annotations

import logging

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.bus import Bus
from crm_core.centre.models import Seat
from crm_core.commands import AtTheDoor, CallerKnown, Command, Done, WayIn, WhoCalls
from crm_core.db import reading
from crm_core.events import CommandRefused, Event
from crm_core.ids import PbxId
from routing.inbound.door import Door
from routing.membership import Membership

log = logging.getLogger("zuoxi.routing")

ANSWER_SECONDS = 5.0
"""How long a command may take before it counts as not done; the next snapshot shows what is so."""


KNOWN_SECONDS = 0.4
"""How long the records may think about a caller: the door waits half a second for us."""


class Routing:
    """Feeds every event to the cores and sees their commands through, one after the other."""

    def __init__(self, bus: Bus, membership: Membership) -> None:
        self._bus = bus
        self._membership = membership
        self._stream = bus.stream()
        self._door = Door()
        # At once, not in turn: a command may take its time, and who is ready changes meanwhile.
        bus.subscribe(lambda envelope: self._door.feed(envelope.event))
        bus.answer(AtTheDoor, self._at_the_door)

    async def _at_the_door(self, asked: AtTheDoor) -> WayIn | None:
        known = await self._bus.ask(
            WhoCalls(pbx=asked.pbx, hotline=asked.hotline, caller_number=asked.caller_number),
            KNOWN_SECONDS,
        )
        return self._door.way_in(asked.pbx, known) if isinstance(known, CallerKnown) else None

    async def run(self) -> None:
        async for envelope in self._stream:
            for command in self._membership.feed(envelope.event):
                try:
                    await self._do(command, envelope.event)
                except Exception:
                    log.exception("%s could not be asked", type(command).__name__)

    async def _do(self, command: Command, because: Event) -> None:
        answer = await self._bus.ask(command, ANSWER_SECONDS)
        refused = "Asterisk did not answer" if answer is None else None
        if isinstance(answer, Done):
            refused = answer.refused
        if refused is None:
            self._membership.done(command)
        elif self._membership.not_done(command, because.at):
            name = type(command).__name__
            log.warning("%s was not done: %s; it is asked again", name, refused)
            self._bus.publish(
                CommandRefused(at=because.at, pbx=command.pbx, command=name, reason=refused)
            )


async def membership_of(engine: AsyncEngine) -> Membership:
    """With the seats of the tables: whoever else is in a queue is somebody else's."""
    async with reading(engine) as connection:
        rows = await connection.execute(select(Seat.pbx, Seat.interface))
        return Membership(frozenset((PbxId(pbx), interface) for pbx, interface in rows))
