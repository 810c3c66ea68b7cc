"""Sessions to a scripted server: panoramisk's as shipped, and ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from panoramisk import Manager

from crm_core.events import LinkState
from telephony.ami.actions import QueueAdd
from telephony.ami.link import AmiSession, Patience
from tests.telephony.ami.scripted import Scripted, eventually

QUICK = Patience(
    connect=2, answer=2, ping_every=0.05, pong_within=0.2, retry_first=0.01, refused=0.05
)
ADD = QueueAdd(queue="support", interface="PJSIP/8001", member_name="1001")


@asynccontextmanager
async def shipped(server: Scripted, **more: Any) -> AsyncIterator[Manager]:
    """panoramisk as it comes from the index, logged in."""
    manager = Manager(
        loop=asyncio.get_running_loop(),
        host="127.0.0.1",
        port=server.port,
        username="u",
        secret="s",
        reconnect_timeout=0,
        **more,
    )
    manager.reconnect_timeout = 0.01
    manager.connect()
    await eventually(lambda: manager.authenticated)
    try:
        yield manager
    finally:
        manager.connect = lambda *_, **__: None  # it reconnects even after close(): defect P10
        manager.close()
        await asyncio.sleep(0.02)


class Heard:
    """What our session told."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.states: list[LinkState] = []
        self.reasons: list[str | None] = []

    def take(self, raw: bytes) -> None:
        self.messages.append(raw)

    def state(self, state: LinkState, reason: str | None) -> None:
        self.states.append(state)
        self.reasons.append(reason)


@asynccontextmanager
async def ours(
    server: Scripted, heard: Heard | None = None, patience: Patience = QUICK, **more: Any
) -> AsyncIterator[AmiSession]:
    heard = heard or Heard()
    session = AmiSession(
        name="lab/events",
        host="127.0.0.1",
        port=server.port,
        username="u",
        secret="s",
        patience=patience,
        **{"on_message": heard.take, "on_state": heard.state, **more},
    )
    session.connect()
    try:
        yield session
    finally:
        await session.close_and_wait()


async def up(session: AmiSession) -> None:
    async with asyncio.timeout(10):
        await session.connected.wait()
