"""What a process has told and the records do not have yet. Pure.

While the records are away this grows, up to a bound; from then on everything is lost until all that
was kept is safe, so that one interval is lost and not many. Then `confessions` says which.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from crm_core.events import Event, FactsLost, GapRecorded
from crm_core.ids import PbxId
from crm_core.redis_bus.wire import Told

KEEP = 200_000
"""Some forty minutes of a centre with five calls a second, 100 MB."""


@dataclass(slots=True)
class Loss:
    """What did not fit, of one PBX."""

    began_at: datetime
    ended_at: datetime
    facts: int = 0


class Kept:
    """Numbers what is told, and keeps it until it is safe. `recorded` are the classes that count."""

    def __init__(self, recorded: Collection[type[Event]], keep: int = KEEP) -> None:
        self._recorded, self._keep = recorded, keep
        self._waiting: deque[Told] = deque()
        self._number = 0
        self._losses: dict[PbxId, Loss] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> int:
        """The oldest number that can be told again, or the next one that will be given."""
        return self._waiting[0].number if self._waiting else self._number + 1

    @property
    def last(self) -> int:
        """The number given last."""
        return self._number

    def take(self, event: Event) -> Told:
        """Number it and keep it; where there is no room it gets no number, and is told once."""
        if self._losses or len(self._waiting) >= self._keep:
            self._lose(event)
            return Told(event=event, number=0)
        self._number += 1
        told = Told(event=event, number=self._number)
        self._waiting.append(told)
        return told

    def _lose(self, event: Event) -> None:
        if type(event) not in self._recorded:
            return  # only boards want it, and they are given the present
        loss = self._losses.setdefault(event.pbx, Loss(began_at=event.at, ended_at=event.at))
        loss.ended_at = max(loss.ended_at, event.at)
        loss.facts += 1

    def safe(self, number: int) -> None:
        """The records have everything up to this number."""
        while self._waiting and self._waiting[0].number <= number:
            self._waiting.popleft()

    def again(self) -> list[Told]:
        """All that is not safe, in order."""
        return list(self._waiting)

    def confessions(self) -> list[Event]:
        """Once all that was kept is safe: the gap of what was lost, and that it was."""
        if self._waiting or not self._losses:
            return []
        losses, self._losses = self._losses, {}
        said: list[Event] = []
        for pbx, loss in losses.items():
            said += [
                GapRecorded(
                    at=loss.ended_at,
                    pbx=pbx,
                    began_at=loss.began_at,
                    boot_changed=False,
                    reason=f"the records were away too long: {loss.facts} facts did not fit in memory",
                ),
                FactsLost(at=loss.ended_at, pbx=pbx, began_at=loss.began_at),
            ]
        return said
