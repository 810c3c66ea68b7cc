"""The facts of one call, each once, in an order that depends on nothing but the facts themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, TypeVar, cast

from crm_core.call_log.natural_keys import natural_key
from crm_core.events import (
    CallAnswered,
    CallDialled,
    CallEnded,
    CallEvent,
    CallHeld,
    CallJoined,
    CallLeftQueue,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    DialClosed,
    LegEnded,
    LegStarted,
    OfferEnded,
    PassClosed,
    PassConnected,
    PassEntered,
    PassRang,
    TimelineEvent,
    TransferBegan,
    TransferEnded,
)

Fact = TypeVar("Fact", bound=CallEvent)

_ANY_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)

COURSE: dict[type[CallEvent], int] = {
    kind: place
    for place, kind in enumerate(
        (
            CallStarted,
            LegStarted,
            CallPlaced,
            CallDialled,
            CallQueued,
            PassEntered,
            CallOffered,
            PassRang,
            OfferEnded,
            CallAnswered,
            PassConnected,
            CallHeld,
            CallResumed,
            TransferBegan,
            TransferEnded,
            CallJoined,
            CallLeftQueue,
            ConversationEnded,
            PassClosed,
            DialClosed,
            LegEnded,
            CallEnded,
        )
    )
}
"""What comes first of two facts of one moment: a snapshot tells the entry and the answer together."""


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
    """By moment and the course of a call; two of one class at one moment by their keys, in the end by
    their content."""
    facts = sorted(timeline, key=_moment)
    if len({_moment(fact) for fact in facts}) == len(facts):
        return facts
    found: list[TimelineEvent] = []
    for _, tied in groupby(facts, key=_moment):
        same = list(tied)
        found += same if len(same) == 1 else _tied(same)
    return found


def _moment(fact: TimelineEvent) -> tuple[datetime, int]:
    return fact.at, COURSE[type(fact)]


def _tied(facts: list[TimelineEvent]) -> list[TimelineEvent]:
    keyed = {natural_key(fact): fact for fact in facts}
    if len(keyed) == len(facts):
        return [keyed[key] for key in sorted(keyed)]
    return sorted(set(facts), key=lambda fact: (natural_key(fact), _content(fact)))


def _content(fact: TimelineEvent) -> str:
    """Without the moment: one that was read from the database names its time zone otherwise."""
    return repr(replace(fact, at=_ANY_MOMENT))
