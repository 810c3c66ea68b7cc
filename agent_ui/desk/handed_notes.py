"""What colleagues have written about a call, for whom it is handed over to: read while it rings there."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.bus import Bus, Envelope
from crm_core.db import reading
from crm_core.events import CallEnded, ContactRecorded
from crm_core.ids import CallId
from crm_core.wrap_up.records import RecordOfCall, records_of_call

log = logging.getLogger("zuoxi.pop")

PATIENCE_SECONDS = 0.5
KEPT = 1_000

Records = tuple[RecordOfCall, ...]


class HandedNotes:
    """One look-up per call; read anew once somebody has saved a note of it."""

    def __init__(self, engine: AsyncEngine, bus: Bus) -> None:
        self._engine = engine
        self._asked: OrderedDict[CallId, asyncio.Future[Records]] = OrderedDict()
        bus.subscribe(self._heard)

    def ask(self, call: CallId) -> asyncio.Future[Records]:
        """The notes of this call. Never fails: without the database there are none."""
        asked = self._asked.get(call)
        if asked is None:
            asked = self._asked[call] = asyncio.ensure_future(self._read(call))
            if len(self._asked) > KEPT:
                self._asked.popitem(last=False)
        return asked

    def known(self, call: CallId) -> Records:
        """What is here already."""
        asked = self._asked.get(call)
        return asked.result() if asked is not None and asked.done() else ()

    def _heard(self, envelope: Envelope) -> None:
        if isinstance(envelope.event, ContactRecorded | CallEnded):
            self._asked.pop(envelope.event.call, None)

    async def _read(self, call: CallId) -> Records:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), reading(self._engine) as connection:
                return await records_of_call(connection, call)
        except Exception as wrong:
            log.warning("call %s: the colleagues' notes could not be read: %r", call, wrong)
            return ()
