"""Rights that change while a socket is open: within a second the socket is cut.

A person who was disabled or signed out is told that the session has ended (4401); one whose roles
changed comes back by himself and then has the new rights. Whoever lost the device by a command in
another process is signed out on the bus here, because nobody else hears of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from agent_ui.live.hub import Hub
from crm_core.access.standing import Standing, fingerprint, standing
from crm_core.bus import Bus
from crm_core.db import reading
from crm_core.db_trouble import is_away
from crm_core.events import AgentSignedOut
from crm_core.ids import UserId
from crm_core.live_board.board import LiveBoard

log = logging.getLogger("zuoxi.live")

EVERY_SECONDS = 0.5
"""With the question itself a change takes effect within a second."""


class RightsWatch:
    """One task for all sockets. While the database is away nobody is cut.

    `saw` hears of every look, too: it is what a remembered session is worth while that lasts.
    """

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        hub: Hub,
        bus: Bus,
        board: LiveBoard,
        now: Callable[[], datetime],
        saw: Callable[[Standing, datetime], None],
    ) -> None:
        self._engine, self._hub, self._bus, self._board = engine, hub, bus, board
        self._now, self._saw = now, saw
        self._found: Standing | None = None
        self._fingerprint: tuple[str | None, ...] = ()
        self._without_device: frozenset[UserId] = frozenset()

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            if not len(self._hub.sockets) and not self._board.agents:
                continue
            at = self._now()
            try:
                async with asyncio.timeout(5), reading(self._engine) as connection:
                    found = await self._look(connection, at)
            except Exception as wrong:
                # Whatever it is: who watches over rights must look again half a second later.
                if not is_away(wrong):
                    log.exception("the rights behind open sockets could not be read")
                continue
            self._saw(found, at)
            self._cut(found)
            self._sign_out(found)

    async def _look(self, connection: AsyncConnection, at: datetime) -> Standing:
        """The rights; the same value as last time where nothing has changed since."""
        seen = await fingerprint(connection, at)
        if self._found is None or seen != self._fingerprint:
            self._found, self._fingerprint = await standing(connection, at), seen
        return self._found

    def _cut(self, found: Standing) -> None:
        for socket in self._hub.sockets.all():
            if socket.stood_by is found:
                continue
            socket.stood_by = found
            rights = found.rights.get(socket.token_hash)
            if rights is None:
                socket.outbox.end(4401, "the session has ended")
            elif rights != socket.rights:
                socket.outbox.end(4409, "the rights have changed: come back")

    def _sign_out(self, found: Standing) -> None:
        missing = frozenset(user for user in self._board.agents if user not in found.holding)
        # Twice in a row: a sign-in that was being committed at the first look is there at the second.
        for user in missing & self._without_device:
            agent = self._board.agents[user]
            self._bus.publish(
                AgentSignedOut(
                    at=self._now(),
                    pbx=agent.pbx,
                    user=user,
                    agent_number=agent.agent_number,
                    interface=agent.interface,
                    queues=agent.queues,
                )
            )
        self._without_device = missing
