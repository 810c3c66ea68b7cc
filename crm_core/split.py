"""What the processes of the split have in common: a lease before they act, the bus, and a heart.

`python -m telephony`, `-m routing`, `-m crm_core` and `-m agent_ui` are `main` here with their own work.
Of the first three one works and others stand by, each holding or awaiting a lease; of `agent_ui` any
number work. A standby begins as every start does: it knows nothing but the database and the bus.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.beats import BEAT_SECONDS, Beat
from crm_core.call_log.writer import RECORDED
from crm_core.command_line.terminal import run_loop, say, settings
from crm_core.db import engine_of
from crm_core.db_trouble import patiently
from crm_core.errors import SettingError, ZuoxiError
from crm_core.ids import PbxId
from crm_core.lease import RECORDS, DatabaseInUse, Lease, lease_of
from crm_core.live_board.board import LiveBoard
from crm_core.live_board.snapshot import news_of
from crm_core.migrations import upgrade
from crm_core.redis_bus.bus import RedisBus
from crm_core.settings import Settings

log = logging.getLogger("zuoxi.split")

LOOK_SECONDS = 1.0
"""How often a standby asks for the lease."""

TELEPHONY, ROUTING, CRM_CORE, AGENT_UI = "telephony", "routing", "crm_core", "agent_ui"

Work = Callable[[RedisBus, AsyncEngine, Lease], Awaitable[None]]
"""Called before anything is heard: whoever must not miss a fact listens first, and answers the rest."""


def main(service: str, what: str, serve: Callable[[Settings], Coroutine[Any, Any, None]]) -> int:
    """`python -m SERVICE`. Returns the exit code: 0 ended as told, 1 refused with a sentence."""
    argparse.ArgumentParser(
        prog=f"python -m {service}",
        description=f"{what} One of the four services of Zuoxi, in a process of its own; "
        "`zuoxi run` is all of them in one.",
        epilog="Settings are environment variables, see .env.example. This needs ZUOXI_BUS_URL.",
    ).parse_args()
    try:
        known = settings()
        if not known.is_split:
            raise SettingError(
                f"python -m {service} is one of several processes, which meet in Redis: set "
                "ZUOXI_BUS_URL=redis://HOST:PORT/NUMBER. For one process: zuoxi run."
            )
        return run_loop(serve(known))
    except ZuoxiError as wrong:
        say(f"{service}: {wrong.detail}", file=sys.stderr)
        return 1


@asynccontextmanager
async def running(bus: RedisBus, beat: Callable[[], Beat]) -> AsyncIterator[RedisBus]:
    """The bus at work, with the heart of this service on it."""

    async def beating() -> None:
        while True:
            bus.beat(beat())
            await asyncio.sleep(BEAT_SECONDS)

    tasks = [asyncio.create_task(bus.run(), name="bus"), asyncio.create_task(beating())]
    try:
        yield bus
    finally:
        bus.end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def lead(
    known: Settings,
    service: str,
    work: Work,
    *,
    pbx: PbxId | None = None,
    says: Callable[[], str | None] = lambda: None,
) -> None:
    """Work while the lease is ours, stand by while it is another's; for ever."""
    await patiently(lambda: upgrade(known.database_url))
    engine = engine_of(known.database_url)
    name = RECORDS if service == CRM_CORE else f"{service}/{pbx}" if pbx else service
    try:
        while True:
            lease = lease_of(engine, name)
            try:
                await _stand_by(known, service, pbx, lease)
                bus = RedisBus(known.bus_url, RECORDED, whole=service == CRM_CORE)
                doing = work(bus, engine, lease)
                async with running(bus, partial(_heart, service, pbx, lease, says)):
                    await _until_taken_over(doing, lease)
            finally:
                await lease.give_back()
            log.warning("another %s has taken over: this one stands by", name)
    finally:
        await engine.dispose()


def _heart(service: str, pbx: PbxId | None, lease: Lease, says: Callable[[], str | None]) -> Beat:
    return Beat(service=service, pbx=pbx or "", leads=lease.held, says=says())


async def _stand_by(known: Settings, service: str, pbx: PbxId | None, lease: Lease) -> None:
    """Return when the lease is ours."""
    if await _is_taken(lease):
        return
    log.info("another %s works%s: standing by", service, f" for {pbx}" if pbx else "")
    bus = RedisBus(known.bus_url, RECORDED)
    async with running(bus, lambda: Beat(service=service, pbx=pbx or "", leads=False)):
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if await _is_taken(lease):
                break
    log.info("%s%s is ours now", service, f" for {pbx}" if pbx else "")


async def _is_taken(lease: Lease) -> bool:
    try:
        await patiently(lease.take)
    except DatabaseInUse:
        return False
    return True


async def _until_taken_over(work: Awaitable[None], lease: Lease) -> None:
    working, lost = asyncio.ensure_future(work), asyncio.create_task(lease.taken_over())
    try:
        await asyncio.wait({working, lost}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, lost):
            task.cancel()
        await asyncio.wait({working, lost})
    if not working.cancelled():
        working.result()


def keep_up(bus: RedisBus, board: LiveBoard, look: Callable[[], Awaitable[None]]) -> None:
    """The board follows the bus; what was missed is taken from the present that telephony tells.

    `look` is done before: it brings who is signed in, for whom the present has states.
    """
    bus.subscribe(lambda envelope: board.feed(envelope.event))
    bus.catches_up(
        lambda pbx, facts: news_of(board, pbx, facts, datetime.now(UTC)),
        look,
    )
