"""How long something took, each time, counted in steps: what `/metrics` shows as a histogram."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


class Durations:
    """Counts by upper bound, in seconds; bounded, and cheap enough for a ringing phone's way."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """How many took no longer than this bound, but longer than the one before; the last of them
        longer than all bounds."""
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total_seconds += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)
