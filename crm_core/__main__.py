"""`python -m crm_core`: the records in a process of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.command_line.terminal import calm_the_collector
from crm_core.lease import Lease
from crm_core.redis_bus.bus import RedisBus
from crm_core.service import CrmCore
from crm_core.settings import Settings
from crm_core.split import CRM_CORE, lead, main


async def serve(known: Settings) -> None:
    """Record every call, and answer what is recorded."""
    core: CrmCore | None = None

    def work(bus: RedisBus, engine: AsyncEngine, lease: Lease) -> Awaitable[None]:
        nonlocal core
        core = CrmCore(bus, engine, known, lease)  # hears everything from here on
        return _record(core)

    await lead(
        known, CRM_CORE, work, says=lambda: core.recorder.trouble if core is not None else None
    )


async def _record(core: CrmCore) -> None:
    await core.start()
    calm_the_collector()
    try:
        await asyncio.Future()
    finally:
        await core.stop()


if __name__ == "__main__":
    sys.exit(main(CRM_CORE, "Records every call, and answers what is recorded.", serve))
