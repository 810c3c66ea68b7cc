"""Draws the regions of the live queues; a card or tile that has not changed is drawn once only.

With two hundred agents a redraw would cost 10 ms, four times a second; of most tiles only the
stopwatch runs on, and that the browser draws itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from agent_ui.live_queues.view import AgentGroup, Floor, QueueList
from agent_ui.rendering import Renderer

KEPT_PARTS = 8_192


class FloorDrawings:
    """One for the process; the parts are kept for all viewers."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._parts: OrderedDict[tuple[str, str, Any], Markup] = OrderedDict()

    def regions(self, floor: Floor, language: str) -> Iterator[tuple[str, str]]:
        """(element id, HTML), one by one, so that others may have their turn between two."""
        yield "connection", self._part("link", language, floor.link)
        yield "reconciled", self._part("reconciled", language, floor.books)
        yield "live-figures", self._part("figures", language, floor.figures)
        yield "live-queues", self._queues(floor.queues, language)
        yield "agents-head", self._part("agents_head", language, floor.head)
        for group in floor.groups:
            yield f"agents-{group.state.value}", self._group(group, language)

    def _queues(self, queues: QueueList, language: str) -> str:
        cards = [self._part("queue", language, card) for card in queues.cards]
        return self._renderer.render(
            "live_queues/queues.html", language, cards=cards, sees_all=queues.sees_all
        )

    def _group(self, group: AgentGroup, language: str) -> str:
        tiles = [self._part("agent", language, tile) for tile in group.tiles]
        return self._renderer.render(
            "live_queues/agents.html", language, state=group.state, tiles=tiles
        )

    def _part(self, template: str, language: str, value: Any) -> Markup:
        key = (template, language, value)
        part = self._parts.get(key)
        if part is None:
            html = self._renderer.render(f"live_queues/{template}.html", language, value=value)
            part = self._parts[key] = Markup(html)  # our own template has escaped it
            if len(self._parts) > KEPT_PARTS:
                self._parts.popitem(last=False)
        return part
