"""Calls that became one: the facts of the younger ones told as facts of the oldest. Pure.

Facts are never rewritten where they are stored: each stays under the id that it was told with, and
the younger id is an alias of the older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from crm_core.events import (
    CallEnded,
    CallJoined,
    CallOffered,
    CallPlaced,
    CallStarted,
    OfferEnded,
    TimelineEvent,
    TransferBegan,
    TransferEnded,
)
from crm_core.ids import CallId


def whole(timelines: Mapping[CallId, Sequence[TimelineEvent]]) -> dict[CallId, list[TimelineEvent]]:
    """The calls that are there to be seen, each with the facts of those that it took in."""
    into = {
        fact.other: call
        for call, timeline in timelines.items()
        for fact in timeline
        if isinstance(fact, CallJoined)
    }
    found: dict[CallId, list[TimelineEvent]] = {}
    for call, timeline in timelines.items():
        if call not in into:
            parts = [other for other in into if oldest(other, into) == call]
            found[call] = joined(timeline, [timelines.get(other, ()) for other in parts])
    return found


def oldest(call: CallId, into: Mapping[CallId, CallId]) -> CallId:
    """The call that this one is a part of, or itself."""
    for _ in into:  # no longer way is possible, whatever was told
        if call not in into:
            break
        call = into[call]
    return call


def joined(
    own: Sequence[TimelineEvent], others: Iterable[Sequence[TimelineEvent]]
) -> list[TimelineEvent]:
    """The facts of a call, and of those that it took in. Rings and transfers of these count on."""
    found = list(own)
    for other in others:
        rung: dict[str | None, CallOffered] = {
            fact.leg: fact for fact in found if isinstance(fact, CallOffered) and fact.leg
        }
        rings = max(
            (f.attempt for f in found if isinstance(f, CallOffered | OfferEnded)), default=0
        )
        sent = max(
            (f.nth for f in found if isinstance(f, TransferBegan | TransferEnded)), default=0
        )
        again = _rung_again(other, rung)
        for fact in other:
            match fact:
                case CallStarted() | CallPlaced() | CallEnded() | CallJoined():
                    continue
                case CallOffered() if fact.attempt in again:
                    first = rung[fact.leg]
                    found[found.index(first)] = replace(first, at=min(first.at, fact.at))
                case OfferEnded() if fact.attempt in again:
                    continue
                case CallOffered() | OfferEnded():
                    found.append(replace(fact, call=own[0].call, attempt=fact.attempt + rings))
                case TransferBegan() | TransferEnded():
                    found.append(replace(fact, call=own[0].call, nth=fact.nth + sent))
                case _:
                    found.append(replace(fact, call=own[0].call))
    return found


def _rung_again(
    other: Iterable[TimelineEvent], rung: Mapping[str | None, CallOffered]
) -> frozenset[int]:
    """Rings of `other` that rang on for the older call: told twice, they are one."""
    return frozenset(
        fact.attempt for fact in other if isinstance(fact, CallOffered) and fact.leg in rung
    )
