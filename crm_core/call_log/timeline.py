"""A call's row, computed from its timeline: `record` folds the facts of both feeds into one value.

The answer depends neither on the order of the facts nor on how often one of them is told. AMI gives
the moments and the agents; `queue_log` gives outcome and seconds, because AMI calls every exit
without an agent an abandon. What no feed saw stays None and is labelled, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from crm_core.call_log.facts import Facts
from crm_core.call_log.passes import (
    NEVER_QUEUED,
    JoinedPass,
    closed_attempt,
    joined_passes,
    pass_records,
)
from crm_core.call_log.records import (
    AttemptRecord,
    CallRecord,
    Confidence,
    LegRecord,
    PassRecord,
)
from crm_core.events import (
    CallAnswered,
    CallEnded,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallStarted,
    Direction,
    FromAmi,
    LegEnded,
    LegStarted,
    OfferEnded,
    Outcome,
    PassClosed,
    PassEntered,
    TimelineEvent,
)

__all__ = ["AttemptRecord", "CallRecord", "Confidence", "LegRecord", "PassRecord", "record"]

Value = TypeVar("Value")


def record(timeline: Sequence[TimelineEvent]) -> CallRecord:
    """The call that these facts tell of. Raises ValueError where there are none."""
    if not timeline:
        raise ValueError("a call without a single fact has no record")
    facts = Facts(timeline)
    started, placed = facts.first(CallStarted), facts.first(CallPlaced)
    queued, entered = facts.first(CallQueued), facts.first(PassEntered)
    joined, ended = joined_passes(facts), _end_fact(facts)
    ended_at = _ended_at(facts, ended)
    passes = pass_records(joined, facts, ended_at)
    answers = [each.answered_at for each in passes if each.answered_at]
    answers += [each.at for each in facts.of(CallAnswered)]
    return CallRecord(
        call_id=facts.all[0].call,
        pbx=facts.all[0].pbx,
        boot=_first(each.boot for each in (started, entered) if each),
        direction=started.direction if started else Direction.INBOUND,
        caller_number_raw=_first(each.caller_number for each in (started, queued, entered) if each),
        caller_name=_first(each.caller_name for each in (started, queued) if each),
        called_number=_first(each.called_number for each in (started, placed) if each),
        started_at=started.at if started else facts.all[0].at,
        at_is_receipt=bool(started and started.at_is_receipt),
        answered_at=min(answers, default=None),
        ended_at=ended_at,
        cause=ended.cause if ended else None,
        confidence=_confidence(facts, joined, ended),
        placed_by=placed.member if placed else None,
        passes=passes,
        attempts=_attempts_without_queue(facts, ended_at),
        legs=_legs(facts),
    )


def _end_fact(facts: Facts) -> CallEnded | None:
    """The end somebody saw; else the last moment at which the call was known to live."""
    ends = facts.of(CallEnded)
    return _first(end for end in ends if end.seen) or _first(reversed(ends))


def _ended_at(facts: Facts, ended: CallEnded | None) -> datetime | None:
    closed = facts.of(PassClosed)
    if ended is not None:
        return ended.at if ended.seen else max([ended.at, *(each.at for each in closed)])
    if any(isinstance(fact, FromAmi) for fact in facts.all):
        return None
    # queue_log does not know when the caller hung up: the end of the last pass is all it tells.
    opened = {each.queue_pass for each in facts.of(PassEntered)}
    whole = bool(closed) and opened <= {each.queue_pass for each in closed}
    return closed[-1].at if whole else None


def _confidence(facts: Facts, joined: Sequence[JoinedPass], ended: CallEnded | None) -> Confidence:
    """A call without a pass needs no second feed: it is complete once AMI saw its end."""
    if not any(isinstance(fact, FromAmi) for fact in facts.all):
        return Confidence.QUEUE_LOG_ONLY
    outcomes = {each.closed.outcome if each.closed else None for each in joined}
    blind = any(
        each.ami is None and not (each.closed and each.closed.outcome in NEVER_QUEUED)
        for each in joined
    )
    if blind or (ended and not ended.seen) or facts.first(CallStarted) is None:
        return Confidence.GAP
    if Outcome.UNKNOWN_END in outcomes:
        return Confidence.GAP
    if any(each.log is None for each in joined):
        return Confidence.AMI_ONLY
    return Confidence.COMPLETE


def _attempts_without_queue(facts: Facts, ended_at: datetime | None) -> tuple[AttemptRecord, ...]:
    ends = {end.attempt: end for end in reversed(facts.of(OfferEnded))}
    answers = [each for each in facts.of(CallAnswered) if each.queue_pass is None]
    offers = {
        each.attempt: each for each in reversed(facts.of(CallOffered)) if each.queue_pass is None
    }
    found = []
    for _, offer in sorted(offers.items()):
        answered = _first(each for each in answers if each.at >= offer.at)
        found.append(closed_attempt(offer, ends.get(offer.attempt), answered, ended_at))
    return tuple(found)


def _legs(facts: Facts) -> tuple[LegRecord, ...]:
    starts = {each.unique_id: each for each in reversed(facts.of(LegStarted))}
    ends = {each.unique_id: each for each in reversed(facts.of(LegEnded)) if each.cause is None}
    # An end that nobody saw may be told when a snapshot lacks the channel; the real one may follow.
    ends |= {
        each.unique_id: each for each in reversed(facts.of(LegEnded)) if each.cause is not None
    }
    found = []
    for unique_id, start in starts.items():
        end = ends.get(unique_id)
        found.append(
            LegRecord(
                unique_id=unique_id,
                linked_id=start.linked_id,
                party=start.party,
                member=start.member,
                started_at=start.at,
                ended_at=end.at if end else None,
                cause=end.cause if end else None,
            )
        )
    return tuple(sorted(found, key=lambda leg: (leg.started_at, leg.unique_id)))


def _first(values: Iterable[Value | None]) -> Value | None:
    """The first one that is known."""
    return next((value for value in values if value is not None), None)
