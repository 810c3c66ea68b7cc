"""Commands that were done, by the key of the wish: sent twice is done once."""

from __future__ import annotations

from collections import OrderedDict

from crm_core.access.viewer import Viewer
from crm_core.ids import UserId

KEPT = 2_000


class Wishes:
    """The last `KEPT` (person, `Idempotency-Key`) that were carried out, in memory.

    Enough for a hang-up, whose call is gone after the first; what is written down has a revision.
    """

    def __init__(self) -> None:
        self._done: OrderedDict[tuple[UserId | None, str], None] = OrderedDict()

    def was_done(self, viewer: Viewer, wish: str) -> bool:
        """False for the empty key: that is no wish anybody named."""
        return bool(wish) and (viewer.user_id, wish) in self._done

    def done(self, viewer: Viewer, wish: str) -> None:
        if wish:
            self._done[viewer.user_id, wish] = None
            if len(self._done) > KEPT:
                self._done.popitem(last=False)
