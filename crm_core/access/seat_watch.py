"""Who is signed in, by the tables: for a process that may have missed a sign-in on the bus.

The tables are the truth; the bus only tells sooner. What differs in two looks in a row is heard here as
the event that was missed; right after something was missed, one look must do for sign-ins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.devices import signed_in
from crm_core.db import reading
from crm_core.db_trouble import is_away
from crm_core.events import AgentSignedOut, Event
from crm_core.ids import PbxId, UserId
from crm_core.live_board.board import LiveBoard

log = logging.getLogger("zuoxi.seats")

LOOK_SECONDS = 3.0

Seat = tuple[UserId, PbxId, str]


class SeatWatch:
    """`hear` tells this process alone; `board` is its board."""

    def __init__(
        self,
        engine: AsyncEngine,
        board: LiveBoard,
        hear: Callable[[Event], object],
        pbxs: Collection[PbxId] | None = None,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        """`pbxs`: only who sits there. `heard` is called after something was put right."""
        self._engine, self._board, self._hear = engine, board, hear
        self._pbxs, self._after = pbxs, heard
        self._differed: frozenset[Seat] = frozenset()

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look(sure=False)
            except Exception as wrong:
                if not is_away(wrong):
                    log.exception("who is signed in could not be read")

    async def look(self) -> None:
        """Now, and believe it: something was missed. With the database away nothing is done."""
        try:
            await self._look(sure=True)
        except Exception as wrong:
            if not is_away(wrong):
                raise

    async def _look(self, *, sure: bool) -> None:
        async with asyncio.timeout(LOOK_SECONDS), reading(self._engine) as connection:
            found = await signed_in(connection, at=datetime.now(UTC))
        there = {(e.user, e.pbx, e.interface): e for e in found if self._wanted(e.pbx)}
        known = {
            (agent.user, agent.pbx, agent.interface)
            for agent in self._board.agents.values()
            if self._wanted(agent.pbx)
        }
        differ = frozenset(there.keys() ^ known)
        certain = differ & self._differed
        if sure:
            certain |= there.keys() - known
        self._differed = differ - certain
        for seat in sorted(certain, key=lambda seat: seat in there):
            self._hear(there[seat] if seat in there else self._sign_out(seat[0]))
        if certain:
            self._after()

    def _wanted(self, pbx: PbxId) -> bool:
        return self._pbxs is None or pbx in self._pbxs

    def _sign_out(self, user: UserId) -> AgentSignedOut:
        agent = self._board.agents[user]
        return AgentSignedOut(
            at=datetime.now(UTC),
            pbx=agent.pbx,
            user=user,
            agent_number=agent.agent_number,
            interface=agent.interface,
            queues=agent.queues,
        )
