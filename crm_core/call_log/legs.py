"""The legs of a call: how long each rang, talked and was on hold. Pure.

What counts is the conversation: from the answer to its end, whoever of the two is looked at. Hold is a
part of it that an agent kept the other side waiting; talk is the rest. A consulted colleague talks
to the agent first: the customer takes part once the transfer has succeeded. Seconds are told when
the leg is over, and only where both ends of what they measure were seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_core.call_log.facts import Facts
from crm_core.call_log.pairing import NEAR
from crm_core.call_log.records import LegRecord
from crm_core.events import (
    CallAnswered,
    CallHeld,
    CallOffered,
    CallResumed,
    CallStarted,
    ConversationEnded,
    LegEnded,
    LegParty,
    LegStarted,
    Member,
    OfferEnded,
    TransferEnded,
    TransferResult,
)

Span = tuple[datetime, datetime]


def leg_records(facts: Facts) -> tuple[LegRecord, ...]:
    """All legs, in the order in which they appeared."""
    starts = {each.unique_id: each for each in reversed(facts.of(LegStarted))}
    ends = {each.unique_id: each for each in reversed(facts.of(LegEnded)) if each.cause is None}
    # An end that nobody saw may be told when a snapshot lacks the channel; the real one may follow.
    ends |= {
        each.unique_id: each for each in reversed(facts.of(LegEnded)) if each.cause is not None
    }
    clock = _Clock(facts, starts, ends) if ends else None
    found = []
    for unique_id, start in starts.items():
        end = ends.get(unique_id)
        ring, talk, hold = clock.seconds(start, end) if clock and end else (None, None, None)
        found.append(
            LegRecord(
                unique_id=unique_id,
                linked_id=start.linked_id,
                party=start.party,
                member=start.member,
                started_at=start.at,
                ended_at=end.at if end else None,
                cause=end.cause if end else None,
                ring_seconds=ring,
                talk_seconds=talk,
                hold_seconds=hold,
            )
        )
    return tuple(sorted(found, key=lambda leg: (leg.started_at, leg.unique_id)))


@dataclass(slots=True)
class _Talk:
    """One conversation: the channels that take part, and from when to when (None: nobody saw)."""

    member: Member
    leg: str | None
    others: frozenset[str | None]
    began_at: datetime
    ended_at: datetime | None
    holds: list[Span]


class _Clock:
    """What each leg did when."""

    def __init__(
        self, facts: Facts, starts: dict[str, LegStarted], ends: dict[str, LegEnded]
    ) -> None:
        self._facts, self._starts, self._ends = facts, starts, ends
        self._talks = [self._talk(each) for each in facts.of(CallAnswered)]

    def seconds(
        self, start: LegStarted, end: LegEnded
    ) -> tuple[int | None, int | None, int | None]:
        """Of ringing (None: this phone did not ring, it called), talk and hold."""
        spans, holds = [], []
        for talk in self._talks:
            began_at = self._takes_part(start, talk)
            if began_at is None:
                continue
            if talk.ended_at is None or end.cause is None:
                return self._ring(start, end), None, None
            # What came late or doubled makes no leg talk longer than it lived.
            begin, over = max(began_at, start.at), min(talk.ended_at, end.at)
            spans.append((begin, over))
            holds += [(max(a, begin), min(b, over)) for a, b in talk.holds]
        hold = _length(holds)
        return (
            self._ring(start, end),
            round((_length(spans) - hold).total_seconds()),
            round(hold.total_seconds()),
        )

    def _talk(self, answered: CallAnswered) -> _Talk:
        over = [
            each.at
            for each in self._facts.of(ConversationEnded)
            if each.queue_pass == answered.queue_pass
            and each.leg == answered.leg
            and each.at >= answered.at
        ]
        ended_at = over[0] if over else None
        other = answered.queue_pass.unique_id if answered.queue_pass else answered.other
        holds = self._holds((answered.leg, other), answered.at, ended_at) if ended_at else []
        others = frozenset({other, answered.other})
        return _Talk(answered.member, answered.leg, others, answered.at, ended_at, holds)

    def _holds(
        self, legs: tuple[str | None, ...], began_at: datetime, ended_at: datetime
    ) -> list[Span]:
        found = []
        resumed = self._facts.of(CallResumed)
        for held in self._facts.of(CallHeld):
            if held.leg in legs:
                back = next((r.at for r in resumed if r.leg == held.leg and r.at >= held.at), None)
                span = max(held.at, began_at), min(back or ended_at, ended_at)
                if span[0] < span[1]:
                    found.append(span)
        return found

    def _takes_part(self, leg: LegStarted, talk: _Talk) -> datetime | None:
        """From when on this leg is a party of the conversation; None: never."""
        if leg.unique_id == talk.leg or leg.unique_id in talk.others:
            return talk.began_at
        consulted = not any(other in self._starts for other in talk.others)
        if leg.party is not LegParty.CUSTOMER or not consulted:
            return None
        done = [
            each.at
            for each in self._facts.of(TransferEnded)
            if each.result is TransferResult.SUCCEEDED
            and each.to_member == talk.member
            and (talk.ended_at is None or each.at <= talk.ended_at)
        ]
        return max(done[0], talk.began_at) if done else None

    def _ring(self, leg: LegStarted, end: LegEnded) -> int | None:
        offers = [each for each in self._facts.of(CallOffered) if self._rings(each, leg)]
        started = self._facts.first(CallStarted)
        if offers:
            began_at = offers[0].at
        elif leg.party is LegParty.CUSTOMER and started and leg.unique_id != started.unique_id:
            began_at = leg.at  # somebody outside who was called
        else:
            return None
        answers = [
            each.began_at
            for each in self._talks
            if leg.unique_id == each.leg or leg.unique_id in each.others
        ]
        tried = {each.attempt for each in offers}
        over = [each.at for each in self._facts.of(OfferEnded) if each.attempt in tried]
        ended_at = min([*answers, *over, end.at])
        return max(0, round((ended_at - max(began_at, leg.at)).total_seconds()))

    def _rings(self, offer: CallOffered, leg: LegStarted) -> bool:
        """At this leg; or at the Local member whose phone it is."""
        if offer.leg == leg.unique_id:
            return True
        behind = offer.leg is None or offer.leg not in self._starts
        return behind and offer.member == leg.member and abs(offer.at - leg.at) <= NEAR


def _length(spans: Sequence[Span] | Iterable[Span]) -> timedelta:
    """Of all of them together; what lies in two counts once, and what ends before it begins is none."""
    total, until = timedelta(), None
    for begin, end in sorted(spans):
        if until is not None and begin < until:
            begin = until
        if end > begin:
            total += end - begin
        until = end if until is None else max(until, end)
    return total
