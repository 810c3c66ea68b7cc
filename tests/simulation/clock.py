"""Virtual time: what is to happen, in order; nothing sleeps."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

T0 = datetime(2030, 1, 1, 8, tzinfo=UTC)
"""In the future: what the product asks its database by today's date finds everything."""


class Clock:
    """`now` is seconds since the story began. `offset` is how far the wall clock was stepped."""

    def __init__(self) -> None:
        self.now = 0.0
        self.offset = 0.0
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []

    @property
    def wall(self) -> datetime:
        return T0 + timedelta(seconds=self.now + self.offset)

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), act))

    def run(self, until: Callable[[], bool], each: Callable[[], object]) -> None:
        """Do what is due, one thing after the other, until `until`; `each` before and after every one."""
        while self._agenda and not until():
            moment, _, act = heapq.heappop(self._agenda)
            self.now = max(self.now, moment)
            each()
            act()
            each()
