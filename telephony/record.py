"""`zuoxi record`: what one Asterisk sends, byte for byte, into a file that `zuoxi replay` reads."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crm_core.errors import Unavailable
from crm_core.events import LinkState
from crm_core.settings import PbxUrl
from telephony.ami.link import AmiSession
from telephony.flight_recorder import FlightRecorder
from telephony.queue_log.tail import QueueLogTail
from telephony.resync import ask_snapshot, ask_started_at

log = logging.getLogger("zuoxi.telephony")


async def record(pbx: PbxUrl, file: Path, seconds: float | None) -> None:
    """Until `seconds` are over, or cancelled. Begins with a snapshot, so that replay can start.

    Raises `Unavailable` when Asterisk cannot be reached or refuses the login.
    """
    recorder = FlightRecorder(file.parent, pbx.pbx, lambda: datetime.now(UTC), file=file)
    connection = 0
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def stands(begins: bool) -> None:
        nonlocal connection
        if begins:
            connection = recorder.opened("events")
        else:
            recorder.closed("events", connection)

    def state(now: LinkState, reason: str | None) -> None:
        if now is not LinkState.UP and not session.connected.is_set() and not refused.done():
            refused.set_result(reason or now.value)

    session = AmiSession(
        name=f"{pbx.pbx}/record",
        host=pbx.host,
        port=pbx.port,
        username=pbx.user,
        secret=pbx.secret,
        tls=pbx.tls,
        on_bytes=lambda data: recorder.received("events", connection, data),
        on_connection=stands,
        on_state=state,
    )
    try:
        session.connect()
        up: asyncio.Future[Any] = asyncio.ensure_future(session.connected.wait())
        waiting: set[asyncio.Future[Any]] = {up, refused}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if refused.done():
            raise Unavailable(f"{pbx.pbx}: {refused.result()}")
        await ask_started_at(session.request, lambda: None)
        await ask_snapshot(session.request)
        async with asyncio.timeout(seconds):
            await _keep(recorder, pbx)
    except TimeoutError:
        return
    finally:
        await session.close_and_wait()
        recorder.close()


async def _keep(recorder: FlightRecorder, pbx: PbxUrl) -> None:
    tail = QueueLogTail(pbx.queue_log, None) if pbx.queue_log is not None else None
    offset = 0
    while True:
        if tail is not None:
            data, _ = tail.read()
            if data:
                recorder.rows(data, offset)
                offset += len(data)
        recorder.flush()
        await asyncio.sleep(0.2)
