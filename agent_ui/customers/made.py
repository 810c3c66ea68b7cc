"""New files by the form they came from: a form that is sent twice makes one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from crm_core.access.viewer import Viewer
from crm_core.ids import CustomerId, UserId

KEPT = 2_000


@dataclass(slots=True)
class Wish:
    """One form. Who holds the lock makes the file; who comes later finds it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    customer: CustomerId | None = None


class Made:
    """The last `KEPT` forms of all people, in memory."""

    def __init__(self) -> None:
        self._wishes: OrderedDict[tuple[UserId | None, str], Wish] = OrderedDict()

    def of(self, viewer: Viewer, key: str) -> Wish:
        """The empty key is a wish of its own each time."""
        if not key:
            return Wish()
        wish = self._wishes.setdefault((viewer.user_id, key[:128]), Wish())
        while len(self._wishes) > KEPT:
            self._wishes.popitem(last=False)
        return wish
