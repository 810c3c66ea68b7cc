"""`python -m routing`: who belongs in which queue, in a process of its own."""

from __future__ import annotations

import asyncio
import sys

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.seat_watch import SeatWatch
from crm_core.command_line.terminal import calm_the_collector
from crm_core.db_trouble import patiently
from crm_core.lease import Lease
from crm_core.live_board.board import LiveBoard
from crm_core.redis_bus.bus import RedisBus
from crm_core.settings import Settings
from crm_core.split import ROUTING, keep_up, lead, main
from routing.service import Routing, membership_of


async def serve(known: Settings) -> None:
    """Keep Asterisk's queues equal to who is signed in."""

    async def work(bus: RedisBus, engine: AsyncEngine, _: Lease) -> None:
        routing = Routing(bus, await patiently(lambda: membership_of(engine)))
        board = LiveBoard()
        seats = SeatWatch(engine, board, bus.hear)
        keep_up(bus, board, seats.look)
        calm_the_collector()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(routing.run())
            tasks.create_task(seats.run())

    await lead(known, ROUTING, work)


if __name__ == "__main__":
    sys.exit(main(ROUTING, "Keeps Asterisk's queues equal to who is signed in.", serve))
