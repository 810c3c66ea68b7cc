"""A call's row, computed from its timeline: `record` folds the facts of both feeds into one value.

The answer depends neither on the order of the facts nor on how often one of them is told. AMI gives
the moments and the agents; `queue_log` gives outcome and seconds, because AMI calls every exit
without an agent an abandon. What no feed saw stays None and is labelled, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from crm_core.call_log.dials import DialRows, dial_attempts, dial_rows
from crm_core.call_log.facts import Facts
from crm_core.call_log.legs import leg_records
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
    TransferRecord,
)
from crm_core.events import (
    CallAnswered,
    CallDialled,
    CallEnded,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallStarted,
    DialClosed,
    Direction,
    FromAmi,
    OfferEnded,
    Outcome,
    PassClosed,
    PassEntered,
    TimelineEvent,
    TransferBegan,
    TransferEnded,
    TransferResult,
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
    dialled, dials = facts.first(CallDialled), dial_rows(facts)
    joined, ended = joined_passes(facts), _end_fact(facts)
    ended_at = _ended_at(facts, ended)
    passes = pass_records(joined, facts, ended_at)
    answers = [each.answered_at for each in passes if each.answered_at]
    answers += [each.at for each in facts.of(CallAnswered)]
    answers = answers or [each.answered_at for each in dials if each.answered_at]
    return CallRecord(
        call_id=facts.all[0].call,
        pbx=facts.all[0].pbx,
        boot=_first(each.boot for each in (started, entered, dialled) if each),
        direction=_direction(started, is_queued=bool(joined), is_dialled=bool(dials)),
        caller_number_raw=_first(
            each.caller_number for each in (started, queued, entered, dialled) if each
        ),
        caller_name=_first(each.caller_name for each in (started, queued) if each),
        called_number=_called_number(facts, started, placed),
        started_at=started.at if started else min([facts.all[0].at, *(d.began_at for d in dials)]),
        at_is_receipt=bool(started and started.at_is_receipt),
        answered_at=min(answers, default=None),
        ended_at=ended_at,
        cause=ended.cause if ended else _first(each.cause for each in reversed(dials)),
        confidence=_confidence(facts, joined, ended),
        placed_by=placed.member if placed else None,
        passes=passes,
        attempts=_attempts_without_queue(facts, dials, ended_at),
        legs=leg_records(facts),
        transfers=_transfers(facts, passes) if facts.first(TransferBegan) else (),
    )


def _direction(started: CallStarted | None, *, is_queued: bool, is_dialled: bool) -> Direction:
    """As AMI saw it; else a queue is entered from outside, and our dialplan dials between phones."""
    if started is not None:
        return started.direction
    return Direction.INTERNAL if is_dialled and not is_queued else Direction.INBOUND


def _called_number(
    facts: Facts, started: CallStarted | None, placed: CallPlaced | None
) -> str | None:
    seen = _first(each.called_number for each in (started, placed) if each)
    if seen is not None or started is not None or facts.first(PassEntered) is not None:
        return seen
    return _first(each.called_number for each in facts.of(CallDialled))


def _end_fact(facts: Facts) -> CallEnded | None:
    """The end somebody saw; else the last moment at which the call was known to live."""
    ends = facts.of(CallEnded)
    return _first(end for end in ends if end.seen) or _first(reversed(ends))


def _ended_at(facts: Facts, ended: CallEnded | None) -> datetime | None:
    closed = [*facts.of(PassClosed), *facts.of(DialClosed)]
    if ended is not None:
        return ended.at if ended.seen else max([ended.at, *(each.at for each in closed)])
    if any(isinstance(fact, FromAmi) for fact in facts.all):
        return None
    # queue_log does not know when the caller hung up: the end of the last pass is all it tells.
    opened = {each.queue_pass for each in facts.of(PassEntered)}
    dialled = {(each.unique_id, each.nth) for each in facts.of(CallDialled)}
    whole = (
        bool(closed)
        and opened <= {each.queue_pass for each in facts.of(PassClosed)}
        and dialled <= {(each.unique_id, each.nth) for each in facts.of(DialClosed)}
    )
    return max(each.at for each in closed) if whole else None


def _confidence(facts: Facts, joined: Sequence[JoinedPass], ended: CallEnded | None) -> Confidence:
    """A call without a pass needs no second feed: it is complete once AMI saw its end."""
    if not any(isinstance(fact, FromAmi) for fact in facts.all):
        return Confidence.QUEUE_LOG_ONLY
    outcomes = {each.closed.outcome if each.closed else None for each in joined}
    blind = any(
        not each.seen_to_enter and not (each.closed and each.closed.outcome in NEVER_QUEUED)
        for each in joined
    )
    if blind or (ended and not ended.seen) or facts.first(CallStarted) is None:
        return Confidence.GAP
    if Outcome.UNKNOWN_END in outcomes:
        return Confidence.GAP
    if any(each.log is None or (ended and not each.closed) for each in joined):
        return Confidence.AMI_ONLY
    return Confidence.COMPLETE


def _attempts_without_queue(
    facts: Facts, dials: Sequence[DialRows], ended_at: datetime | None
) -> tuple[AttemptRecord, ...]:
    if dials and not any(isinstance(fact, FromAmi) for fact in facts.all):
        return dial_attempts(dials)
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


def _transfers(facts: Facts, passes: Sequence[PassRecord]) -> tuple[TransferRecord, ...]:
    ends = {each.nth: each for each in reversed(facts.of(TransferEnded))}
    begun = {each.nth: each for each in reversed(facts.of(TransferBegan))}
    found = []
    for nth, began in sorted(begun.items()):
        end = ends.get(nth)
        found.append(
            TransferRecord(
                nth=nth,
                kind=began.kind,
                at=began.at,
                member=began.member,
                to=began.to,
                to_member=end.to_member if end else None,
                ended_at=end.at if end else None,
                result=_result(began, end, passes),
            )
        )
    return tuple(found)


def _result(
    began: TransferBegan, end: TransferEnded | None, passes: Sequence[PassRecord]
) -> TransferResult | None:
    """AMI cannot tell a caller who gave up in the second queue from one whom it let go: the log can."""
    if end is None or end.result is not TransferResult.ABANDONED:
        return end.result if end else None
    waited = [row for row in passes if began.at <= row.entered_at <= end.at]
    if waited and waited[-1].outcome not in (None, Outcome.ABANDONED):
        return TransferResult.FAILED
    return end.result


def _first(values: Iterable[Value | None]) -> Value | None:
    """The first one that is known."""
    return next((value for value in values if value is not None), None)
