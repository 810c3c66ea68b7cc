"""A board must not be believed while nobody tells it anything: links go down here when telephony, or
the bus itself, is away, and come up by the present when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from crm_core.events import LinkChanged, LinkState
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard
from crm_core.redis_bus.bus import RedisBus

LOOK_SECONDS = 0.5

NOBODY_FOLLOWS = "the service telephony does not answer"
NO_BUS = "the bus between the services is away"


class Absence:
    """Watches over the links of these PBXs, for the board of this process."""

    def __init__(self, bus: RedisBus, board: LiveBoard, pbxs: Iterable[PbxId]) -> None:
        self._bus, self._board, self._pbxs = bus, board, tuple(pbxs)
        self._absent: set[PbxId] = set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        for pbx in self._pbxs:
            why = self._why_absent(pbx)
            if why is None and pbx in self._absent:
                self._absent.discard(pbx)
                self._bus.ask_present()
            link = self._board.links.get(pbx)
            if why is not None and link is not None and link.state is LinkState.UP:
                self._absent.add(pbx)
                self._bus.hear(
                    LinkChanged(at=datetime.now(UTC), pbx=pbx, state=LinkState.DOWN, reason=why)
                )

    def _why_absent(self, pbx: PbxId) -> str | None:
        if self._bus.trouble is not None:
            return NO_BUS
        return None if self._bus.beats.leader("telephony", pbx) is not None else NOBODY_FOLLOWS
