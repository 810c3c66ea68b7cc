"""The one socket, `/api/v1/events`: for pages and for other programs (design decision 8)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import deps_of
from agent_ui.live.outbox import Outbox
from agent_ui.live.sockets import Socket
from agent_ui.live.straight import straight_way
from agent_ui.security import needs
from crm_core.access.permissions import Permission

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

GRACE_SECONDS = 30.0
"""How long one that was cut for not reading may take to hear why."""


@router.websocket("/api/v1/events", dependencies=[needs(Permission.READ_LIVE)])
async def events(
    websocket: WebSocket,
    visit: Who,
    since: Annotated[str | None, Query(max_length=64)] = None,
    page: Annotated[Literal["desk", "live"] | None, Query()] = None,
) -> None:
    """Frames until one side ends it. What the other side sends is read and means nothing."""
    deps = deps_of(websocket)
    hub = deps.hub
    socket = Socket(
        viewer=visit.who,
        token_hash=visit.token_hash,
        language=visit.language,
        page=page,
        outbox=Outbox(straight_way(websocket)),
    )
    await websocket.accept()
    listening = asyncio.create_task(_listen(websocket, socket))
    try:
        await hub.join(socket, since)
        if page == "live":
            deps.floor.join(socket)
        await _send(websocket, socket)
    finally:
        hub.leave(socket)
        deps.floor.leave(socket)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _send(websocket: WebSocket, socket: Socket) -> None:
    """The sender of what could not be written straight."""
    with contextlib.suppress(WebSocketDisconnect, OSError):
        while (text := await socket.outbox.take()) is not None:
            async with asyncio.timeout(GRACE_SECONDS):
                await websocket.send_text(text.decode())
        assert socket.outbox.ended is not None
        code, reason = socket.outbox.ended
        async with asyncio.timeout(GRACE_SECONDS):
            await websocket.close(code, reason)


async def _listen(websocket: WebSocket, socket: Socket) -> None:
    """Until the other side goes; then the sender is woken."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            socket.outbox.end(1000, "gone")
            return
