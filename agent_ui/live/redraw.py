"""Draws regions of open desks anew: at once what the board answers, soon what the database does.

A region is drawn whole by the template that the page used and goes out as one frame
`{type: "region", id, html}`. The same value in the same language is rendered once, however many
desks show it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

from agent_ui import shapes
from agent_ui.desk.reading import DeskReader
from agent_ui.live.pop_files import Known
from agent_ui.live.regions import DRAWINGS, Region
from agent_ui.live.sockets import Socket
from agent_ui.rendering import Renderer
from crm_core.access.viewer import Viewer
from crm_core.db_trouble import is_away
from crm_core.live_board.board import LiveCall

log = logging.getLogger("zuoxi.live")

SLOW = frozenset({Region.CARDS, Region.MY_CALLS})
"""Regions that ask the database."""
SETTLE_SECONDS = 1.0
"""How long a slow region waits for the rows of what has just happened."""
AGAIN_SECONDS = 1.0
TURN_SECONDS = 0.005
"""So long regions are drawn before the loop has its turn again: a frame must not wait for HTML."""
KEPT_DRAWINGS = 512

Kind = tuple[Viewer, str]
"""A viewer and a language; what they see is the same for all of their kind."""


def kind_of(viewer: Viewer, language: str) -> tuple[Any, ...]:
    """Two with the same kind get the same card."""
    return (language, viewer.roles, viewer.permissions, viewer.reveals)


class Redraw:
    """`mark` says what is stale; `run` is the task for what needs the database."""

    def __init__(
        self,
        *,
        desk: DeskReader,
        renderer: Renderer,
        settled: Callable[[], Awaitable[None]],
        seq: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._desk, self._renderer = desk, renderer
        self._settled, self._seq, self._now = settled, seq, now
        self._drawn: OrderedDict[tuple[Region, str, Any], str] = OrderedDict()
        self._fast: dict[Socket, set[Region]] = {}
        self._slow: dict[Socket, set[Region]] = {}
        self._slow_wanted = asyncio.Event()
        self._scheduled = False

    def mark(self, socket: Socket, regions: Iterable[Region]) -> None:
        """These regions of this page are stale."""
        for region in regions:
            lane = self._slow if region in SLOW else self._fast
            lane.setdefault(socket, set()).add(region)
        if self._slow:
            self._slow_wanted.set()
        self._schedule()

    def forget(self, socket: Socket) -> None:
        """The page is gone."""
        self._fast.pop(socket, None)
        self._slow.pop(socket, None)

    def prepare_pop(
        self, live: LiveCall, asked: asyncio.Future[Known], kinds: Iterable[Kind]
    ) -> None:
        """Render the card of a call that has entered a queue, before it rings anywhere."""
        wanted = tuple(kinds)
        if wanted:
            asked.add_done_callback(lambda _known: self._prepare(live, wanted))

    def _prepare(self, live: LiveCall, kinds: Iterable[Kind]) -> None:
        for viewer, language in kinds:
            pop = self._desk.screen_pop(live, viewer, language)
            if pop is not None:
                self._html(Region.SCREEN_POPS, language, (pop,))

    # --- at once ----------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._fast and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._draw_fast)

    def _draw_fast(self) -> None:
        self._scheduled = False
        until = time.monotonic() + TURN_SECONDS
        while self._fast and time.monotonic() < until:
            socket, regions = next(iter(self._fast.items()))
            del self._fast[socket]
            for region in sorted(regions):
                try:
                    self._draw(socket, region)
                except Exception:  # one desk that cannot be drawn is one desk, not all of them
                    log.exception("%s of %s could not be drawn", region, socket.viewer.name)
        self._schedule()

    def _draw(self, socket: Socket, region: Region) -> None:
        pending = self._desk.pending(socket.viewer)
        if pending is not None and region in (Region.SCREEN_POPS, Region.CALL_BAR):
            # The caller is still being looked up: draw when that is known.
            pending.add_done_callback(lambda _known: self.mark(socket, {region}))
            return
        value = self._desk.value(region, socket.viewer, socket.language)
        if value is not None:
            self._push(socket, region, value[0])

    def _push(self, socket: Socket, region: Region, value: Any) -> None:
        html = self._html(region, socket.language, value)
        frame = {"seq": self._seq(), "at": self._now(), "type": "region"}
        socket.outbox.put(shapes.json_of({**frame, "id": region.value, "html": html}))

    def _html(self, region: Region, language: str, value: Any) -> str:
        key = (region, language, value)
        html = self._drawn.get(key)
        if html is None:
            drawing = DRAWINGS[region]
            html = self._renderer.render(drawing.template, language, **{drawing.variable: value})
            self._drawn[key] = html
            if len(self._drawn) > KEPT_DRAWINGS:
                self._drawn.popitem(last=False)
        return html

    # --- soon -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """For ever. While the database is away the old cards stay and are tried again."""
        while True:
            await self._slow_wanted.wait()
            self._slow_wanted.clear()
            try:
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._settled()
            except TimeoutError:
                log.info("drawn before the rows were written: the database is slow or away")
            except Exception:
                log.exception("drawn without knowing that the rows are written")
            while self._slow:
                socket, regions = self._slow.popitem()
                try:
                    drawn = await self._draw_slow(socket, regions)
                except Exception:
                    # One desk that cannot be drawn is one desk, not all of them.
                    log.exception("the desk of %s could not be drawn", socket.viewer.name)
                    continue
                if not drawn:
                    await asyncio.sleep(AGAIN_SECONDS)
                    break

    async def _draw_slow(self, socket: Socket, regions: set[Region]) -> bool:
        try:
            values = await self._desk.read(regions, socket.viewer, socket.language)
        except Exception as wrong:
            if not is_away(wrong):
                log.exception("the desk of %s could not be drawn", socket.viewer.name)
                return True
            self.mark(socket, regions)
            return False
        for region, value in values.items():
            self._push(socket, region, value)
        return True
