"""The records as seen from another process: who holds what, whether they can be written, how far."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.centre.holders import HolderBook
from crm_core.db import reading
from crm_core.db_trouble import is_away, patiently
from crm_core.redis_bus.bus import RedisBus
from crm_core.service import REFRESH_SECONDS, prime_holders
from crm_core.split import CRM_CORE

log = logging.getLogger("zuoxi.crm_core")


class RemoteRecords:
    """What pages need of `CrmCore` where it is another process's; `recorder` is this itself."""

    def __init__(self, bus: RedisBus, engine: AsyncEngine) -> None:
        self.holders = HolderBook()
        self._bus, self._engine = bus, engine

    @property
    def recorder(self) -> RemoteRecords:
        return self

    @property
    def trouble(self) -> str | None:
        """A sentence while what happens is not recorded."""
        if self._bus.trouble is not None:
            return self._bus.trouble
        leader = self._bus.beats.leader(CRM_CORE)
        return leader.beat.says if leader is not None else "The records do not answer."

    async def drain(self) -> None:
        """Return when all that this process has heard is committed."""
        await self._bus.all_committed()

    async def start(self) -> None:
        """Know who held what; with the database away it waits."""
        self._bus.subscribe(lambda envelope: self.holders.feed(envelope.event))
        await patiently(self._prime)

    async def run(self) -> None:
        """For ever: what another process has changed is known half a minute later."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self._prime()
            except Exception as wrong:
                if not is_away(wrong):
                    log.exception("who holds what could not be read again")

    async def _prime(self) -> None:
        async with reading(self._engine) as connection:
            await prime_holders(connection, self.holders)
