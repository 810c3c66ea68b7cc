"""`python -m agent_ui`: the pages and sockets in a process of their own; any number of them may run."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import UTC, datetime

from agent_ui.service import AgentUi
from crm_core import VERSION
from crm_core.access.seat_watch import SeatWatch
from crm_core.access.setup_links import setup_link_lines
from crm_core.beats import Beat
from crm_core.call_log.writer import RECORDED
from crm_core.command_line.terminal import calm_the_collector, say
from crm_core.db import engine_of
from crm_core.db_trouble import patiently
from crm_core.live_board.board import LiveBoard
from crm_core.migrations import upgrade
from crm_core.redis_bus.absence import Absence
from crm_core.redis_bus.bus import RedisBus
from crm_core.remote_records import RemoteRecords
from crm_core.settings import Settings
from crm_core.split import AGENT_UI, keep_up, main, running


async def serve(known: Settings) -> None:
    """Show the pages, until cancelled. Where something is away they say so."""
    await patiently(lambda: upgrade(known.database_url))
    async with contextlib.AsyncExitStack() as stack:
        engine = engine_of(known.database_url)
        stack.push_async_callback(engine.dispose)
        bus, board = RedisBus(known.bus_url, RECORDED), LiveBoard()
        seats = SeatWatch(engine, board, bus.hear, heard=bus.ask_present)
        keep_up(bus, board, seats.look)
        records = RemoteRecords(bus, engine)
        await records.start()
        ui = AgentUi(
            settings=known, bus=bus, engine=engine, board=board, core=records, beats=bus.beats
        )
        await ui.start()
        stack.push_async_callback(ui.stop)
        await stack.enter_async_context(running(bus, lambda: Beat(service=AGENT_UI)))
        say(f"Zuoxi {VERSION} is at {ui.address}  (Ctrl-C ends it)")
        for line in await setup_link_lines(engine, ui.address, datetime.now(UTC)):
            say(line)
        ui.warm()
        calm_the_collector()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ui.watch())
            tasks.create_task(records.run())
            tasks.create_task(seats.run())
            tasks.create_task(Absence(bus, board, (pbx.pbx for pbx in known.pbxs)).run())


if __name__ == "__main__":
    sys.exit(main(AGENT_UI, "Serves the desk and the other pages.", serve))
