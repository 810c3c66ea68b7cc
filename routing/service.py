"""The thin shell around routing's pure cores: bus in, commands out, in order."""

from __future__ import annotations

import logging

from crm_core.bus import Bus
from crm_core.commands import Command, Done
from crm_core.events import CommandRefused, Event
from routing.membership import Membership

log = logging.getLogger("zuoxi.routing")

ANSWER_SECONDS = 5.0
"""How long a command may take before it counts as not done; the next snapshot shows what is so."""


class Routing:
    """Feeds every event to the cores and sees their commands through, one after the other."""

    def __init__(self, bus: Bus, membership: Membership) -> None:
        self._bus = bus
        self._membership = membership
        self._stream = bus.stream()

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
