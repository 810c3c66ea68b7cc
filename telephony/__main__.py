"""`python -m telephony`: Asterisk in a process of its own, one service for each PBX of the settings."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.seat_watch import SeatWatch
from crm_core.bus import Bus, Envelope
from crm_core.command_line.terminal import calm_the_collector
from crm_core.commands import AgentsOf
from crm_core.errors import SettingError
from crm_core.events import LinkChanged, LinkState, NextStateChosen
from crm_core.ids import PbxId
from crm_core.lease import Lease
from crm_core.live_board.board import LiveBoard
from crm_core.live_board.snapshot import Present
from crm_core.redis_bus.bus import RedisBus
from crm_core.settings import PbxUrl, Settings
from crm_core.split import TELEPHONY, lead, main
from telephony.agi.door import DoorKeeper, address_of
from telephony.commands import Commands
from telephony.plan_writer import PlanWriter, folder_of
from telephony.service import TelephonyService

ASK_SECONDS = 10.0
"""The records may be killed with our question; whoever comes after them is asked again this soon."""


async def serve(known: Settings) -> None:
    """Follow every PBX of the settings that no other process follows."""
    if not known.pbxs or any(pbx.demo for pbx in known.pbxs):
        raise SettingError(
            "ZUOXI_PBX_URLS must name the PBXs that this process shall follow (ami://…); "
            "the demonstration is a part of zuoxi demo."
        )
    buses: dict[PbxId, Bus] = {}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(DoorKeeper(buses, *known.agi_address).run())
        for pbx in known.pbxs:
            tasks.create_task(_follow(pbx, known, buses))


async def _follow(pbx: PbxUrl, known: Settings, buses: dict[PbxId, Bus]) -> None:
    async def work(bus: RedisBus, engine: AsyncEngine, lease: Lease) -> None:
        seats = await _knowing_the_present(pbx, bus, engine)
        commands = Commands(bus, lambda: lease.held, alone=False)
        service = TelephonyService(pbx, bus, commands, known.var, ask_seconds=ASK_SECONDS)
        plan = PlanWriter(
            pbx.pbx,
            folder_of(pbx.pbx, len(known.pbxs), known.asterisk_conf),
            bus,
            commands.at(pbx.pbx).control,
            door=address_of(*known.agi_address, pbx.pbx),
            allowed=commands.allowed,
        )
        calm_the_collector()
        buses[pbx.pbx] = bus
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(service.run())
                tasks.create_task(plan.run())
                tasks.create_task(seats.run())
        finally:
            del buses[pbx.pbx]

    await lead(known, TELEPHONY, work, pbx=pbx.pbx)


async def _knowing_the_present(pbx: PbxUrl, bus: RedisBus, engine: AsyncEngine) -> SeatWatch:
    """From now on the present of this PBX can be told; it is told by itself when the link is up."""
    present, board = Present(pbx.pbx), LiveBoard()

    def heard(envelope: Envelope) -> None:
        event = envelope.event
        present.feed(event)
        board.feed(event)
        if isinstance(event, LinkChanged) and event.pbx == pbx.pbx and event.state is LinkState.UP:
            bus.tell_present(pbx.pbx)

    bus.subscribe(heard)
    for agent in await bus.ask(AgentsOf(pbx=pbx.pbx), ASK_SECONDS) or ():
        if agent.left_in is not None and agent.signed_in is not None:
            present.feed(agent.left_in)
            if agent.next_state is not None:
                present.feed(
                    NextStateChosen(
                        at=datetime.now(UTC),
                        pbx=pbx.pbx,
                        user=agent.signed_in.user,
                        state=agent.next_state,
                        reason=agent.next_reason,
                    )
                )
    bus.tells_present(pbx.pbx, present.facts)
    seats = SeatWatch(engine, board, bus.hear, {pbx.pbx})
    await seats.look()
    return seats


if __name__ == "__main__":
    sys.exit(main(TELEPHONY, "Follows Asterisk, and asks of it what the others want.", serve))
