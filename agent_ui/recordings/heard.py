"""What counts as one listen: the first request of a player, not each of its parts.

A player asks for the beginning once (some twice at once, to look at the head) and for parts as its
reader jumps about. Whoever asks for a part without having begun is audited like everybody.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

AT_ONCE = timedelta(seconds=3)
ONE_LISTEN = timedelta(hours=1)
"""A part that is asked for so long after the last one is another listen."""
KEPT = 10_000


class Heard:
    """Who heard what lately. For one process: another one audits a listen anew."""

    def __init__(self) -> None:
        self._lately: OrderedDict[tuple[str, str], tuple[datetime, datetime]] = OrderedDict()

    def begins(self, who: str, recording_id: str, *, first_byte: int, now: datetime) -> bool:
        """Is this request the beginning of a listen?"""
        began_at, last_at = self._lately.get((who, recording_id), (None, None))
        goes_on = (
            began_at is not None
            and last_at is not None
            and now - last_at < ONE_LISTEN
            and (first_byte > 0 or now - began_at < AT_ONCE)
        )
        began_at = began_at if goes_on and began_at else now
        self._lately[who, recording_id] = (began_at, now)
        self._lately.move_to_end((who, recording_id))
        while len(self._lately) > KEPT:
            self._lately.popitem(last=False)
        return not goes_on
