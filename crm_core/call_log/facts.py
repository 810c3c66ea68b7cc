"""The facts of one call, each once, in an order that depends on nothing but the facts themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar, cast

from crm_core.events import CallEvent, TimelineEvent

Fact = TypeVar("Fact", bound=CallEvent)


class Facts:
    """A call's timeline, sorted and without doubles. Why `record` never depends on their order."""

    def __init__(self, timeline: Iterable[TimelineEvent]) -> None:
        self.all = _in_order(timeline)
        self._by_kind: dict[type[CallEvent], list[CallEvent]] = defaultdict(list)
        for fact in self.all:
            self._by_kind[type(fact)].append(fact)

    def of(self, kind: type[Fact]) -> list[Fact]:
        """All facts of this class, oldest first."""
        return cast("list[Fact]", self._by_kind.get(kind, []))

    def first(self, kind: type[Fact]) -> Fact | None:
        found = self.of(kind)
        return found[0] if found else None


def _in_order(timeline: Iterable[TimelineEvent]) -> list[TimelineEvent]:
    """By moment and class; two of one class at one moment by their content (rare, and dear)."""
    tied: dict[tuple[datetime, str], list[TimelineEvent]] = defaultdict(list)
    for fact in timeline:
        tied[fact.at, type(fact).__name__].append(fact)
    found: list[TimelineEvent] = []
    for moment in sorted(tied):
        same = tied[moment]
        found += same if len(same) == 1 else sorted(set(same), key=repr)
    return found
