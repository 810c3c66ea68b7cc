"""How often somebody who sees masked numbers may try whole ones that nobody has.

A mask hides four digits of a mobile number, which are ten thousand guesses; a search by whole number
would tell the right one. Who types the numbers of people who call finds most of them, or makes a new
file; who guesses finds nothing again and again. Sixty misses an hour make a number's four digits the
work of a week, and the last one that is allowed is written into the audit trail.
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta

from crm_core.access.viewer import Viewer
from crm_core.errors import TooMany

MOST_MISSES = 60
WITHIN = timedelta(hours=1)


class Guesses:
    """Misses by viewer, in the memory of this process. One per `agent_ui`."""

    def __init__(self) -> None:
        self._missed: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def allow(self, viewer: Viewer, now: datetime) -> None:
        """Raises `TooMany` for one who has missed too often. Who sees whole numbers guesses none."""
        if viewer.reveals:
            return
        mine = self._missed[viewer.name]
        while mine and mine[0] <= now - WITHIN:
            mine.popleft()
        if len(mine) >= MOST_MISSES:
            raise TooMany(TRIED_TOO_MANY)

    def missed(self, viewer: Viewer, now: datetime, numbers: int = 1) -> bool:
        """Nobody had these numbers. Whether they were the last that are allowed for now."""
        if viewer.reveals:
            return False
        mine = self._missed[viewer.name]
        before = len(mine)
        mine.extend([now] * numbers)
        return before < MOST_MISSES <= len(mine)


TRIED_TOO_MANY = "You have looked for too many numbers that nobody has. Try again in an hour."
