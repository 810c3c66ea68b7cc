"""Pushes the regions of the live queues to the pages that watch, at most four times a second.

What has happened meanwhile is drawn together, once for all viewers of the same kind; a page is sent
only the regions that differ from what it has. A page that does not read keeps the place of one redraw,
not of many: the next one holds everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from agent_ui import shapes
from agent_ui.live.sockets import Socket
from agent_ui.live_queues.days import QueueDays
from agent_ui.live_queues.drawing import FloorDrawings
from agent_ui.live_queues.reading import FloorReader
from crm_core.access.permissions import DataScope
from crm_core.bus import Bus, Envelope
from crm_core.events import Event, FeedAdvanced, FeedHeard, Tick

log = logging.getLogger("zuoxi.live")

REGION_SECONDS = 0.25
LONGEST_SECONDS = 1.0
"""So often the page is looked at where nothing happens: a wait passes a level by itself."""
MOST_WAITING = 32
"""A socket with so many frames before it is passed over this time."""
QUIET: tuple[type[Event], ...] = (FeedHeard, FeedAdvanced, Tick)
"""Events that change nothing on the page."""


@dataclass(slots=True)
class _Watching:
    """A page and what it has: element id → HTML."""

    socket: Socket
    has: dict[str, str] = field(default_factory=dict)


class FloorPush:
    """`start` listens; `run` is the task that draws."""

    def __init__(
        self,
        *,
        bus: Bus,
        days: QueueDays,
        reader: FloorReader,
        drawings: FloorDrawings,
        now: Callable[[], datetime],
    ) -> None:
        self.days, self.reader, self.drawings = days, reader, drawings
        self._bus, self._now = bus, now
        self._watching: dict[Socket, _Watching] = {}
        self._changed = asyncio.Event()
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Listen. The board must have been subscribed to the bus before."""
        self._unsubscribe = self._bus.subscribe(self._heard)

    def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _heard(self, envelope: Envelope) -> None:
        self.days.feed(envelope.event)
        if self._watching and not isinstance(envelope.event, QUIET):
            self._changed.set()

    def join(self, socket: Socket) -> None:
        """A page watches; who sees no more than the own work gets nothing here."""
        if socket.viewer.scope is not DataScope.OWN:
            self._watching[socket] = _Watching(socket)
            self._changed.set()

    def leave(self, socket: Socket) -> None:
        self._watching.pop(socket, None)

    async def run(self) -> None:
        """For ever."""
        while True:
            longest = LONGEST_SECONDS if self._watching else None
            with suppress(TimeoutError):
                async with asyncio.timeout(longest):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._tell()
            except Exception:
                log.exception("the live queues could not be drawn")
            await asyncio.sleep(REGION_SECONDS)

    async def _tell(self) -> None:
        kinds: dict[Hashable, list[_Watching]] = {}
        for watching in self._watching.values():
            if len(watching.socket.outbox) <= MOST_WAITING:
                socket = watching.socket
                kind = self.reader.kind_of(socket.viewer, socket.language)
                kinds.setdefault(kind, []).append(watching)
        for watchers in kinds.values():
            one = watchers[0].socket
            floor = self.reader.floor(one.viewer, one.language)
            for region, html in self.drawings.regions(floor, one.language):
                self._send(region, html, watchers)
                # Between two regions the loop has its turn: a ringing phone must not wait.
                await asyncio.sleep(0)

    def _send(self, region: str, html: str, watchers: list[_Watching]) -> None:
        frame: bytes | None = None
        for watching in watchers:
            if watching.has.get(region) == html:
                continue
            watching.has[region] = html
            if frame is None:
                head = {"seq": self._bus.seq, "at": self._now(), "type": "region"}
                frame = shapes.json_of({**head, "id": region, "html": html})
            watching.socket.outbox.put(frame)
