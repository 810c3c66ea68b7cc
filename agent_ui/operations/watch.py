"""What is kept for `/readyz` and `/metrics` while the pages are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from agent_ui.auth import Identities
from agent_ui.books.standings import BookStandings
from agent_ui.live.hub import Hub
from agent_ui.operations.admission import Admission
from agent_ui.operations.readiness import Readiness
from agent_ui.operations.tally import Tally
from crm_core.beats import Beats
from crm_core.bus import Bus
from crm_core.commands import HowLink, HowRecords
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard
from crm_core.settings import Settings

if TYPE_CHECKING:
    from agent_ui.operations.metrics import Picture

ANSWER_SECONDS = 1.0


class Operations:
    """One per process; counts from `start` on."""

    def __init__(
        self,
        *,
        settings: Settings,
        engine: AsyncEngine,
        bus: Bus,
        board: LiveBoard,
        hub: Hub,
        identities: Identities,
        beats: Beats | None = None,
        standings: BookStandings,
        now: Callable[[], datetime],
    ) -> None:
        self._bus, self._board, self._hub, self._now = bus, board, hub, now
        self._beats = beats
        self._pbxs: tuple[PbxId, ...] = tuple(pbx.pbx for pbx in settings.pbxs)
        self._standings = standings
        self.tally = Tally()
        self.admission = Admission(identities)
        self.readiness = Readiness(
            engine=engine, bus=bus, board=board, pbxs=self._pbxs, beats=beats, now=now
        )
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        self._unsubscribe = self._bus.subscribe(lambda envelope: self.tally.feed(envelope.event))

    def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    async def metrics(self) -> tuple[bytes, str]:
        """The page of `/metrics` and its media type."""
        # The first time it loads Prometheus' library: 50 ms, in which phones may ring.
        await asyncio.to_thread(import_module, "agent_ui.operations.metrics")
        from agent_ui.operations import metrics

        return metrics.text_of(await self._picture()), metrics.MEDIA_TYPE

    async def _picture(self) -> Picture:
        from agent_ui.operations.metrics import Picture

        return Picture(
            at=self._now(),
            board=self._board,
            tally=self.tally,
            sockets=self._hub.sockets.all(),
            pops=self._hub.pops,
            books=self._standings.every(),
            records=await self._bus.ask(HowRecords(), ANSWER_SECONDS),
            links={
                pbx: await self._bus.ask(HowLink(pbx=pbx), ANSWER_SECONDS) for pbx in self._pbxs
            },
            services=self._beats.services() if self._beats is not None else (),
        )
