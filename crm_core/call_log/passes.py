"""The queue passes of a call: what AMI saw of each, joined with what `queue_log` tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import TypeVar

from crm_core.call_log.facts import Facts
from crm_core.call_log.natural_keys import END_NOT_TOLD
from crm_core.call_log.pairing import NEAR, ROUNDING, Stay, pair
from crm_core.call_log.records import AttemptRecord, PassRecord
from crm_core.events import (
    AttemptResult,
    CallAnswered,
    CallEvent,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallStarted,
    ConversationEnded,
    Member,
    OfferEnded,
    Outcome,
    PassClosed,
    PassConnected,
    PassEntered,
    PassRang,
)
from crm_core.ids import QueuePassKey

NEVER_QUEUED = frozenset({Outcome.FULL, Outcome.JOIN_EMPTY})
"""Turned away at the door of the queue: AMI has no event for these, so its silence means nothing."""


UNANSWERED = frozenset(Outcome) - {Outcome.ANSWERED, Outcome.UNKNOWN_END}


@dataclass(slots=True)
class AmiPass:
    """What AMI knows of one pass."""

    began_at: datetime
    queued: CallQueued | None = None
    answered: CallAnswered | None = None
    left: CallLeftQueue | None = None
    ended: ConversationEnded | None = None
    offers: list[CallOffered] = field(default_factory=list)

    @property
    def found_later(self) -> bool:
        """Nobody saw it enter: a snapshot found it there."""
        return self.queued is not None and self.queued.found_later

    @property
    def ended_at(self) -> datetime | None:
        over = self.ended if self.answered else self.left or self.ended
        return over.at if over else None

    @property
    def last_at(self) -> datetime:
        """When AMI saw something of it last."""
        facts = [self.queued, self.answered, self.left, self.ended, *self.offers]
        return max(fact.at for fact in facts if fact is not None)

    def with_more(self, later: AmiPass) -> AmiPass:
        """This one and what was found of it later."""
        return AmiPass(
            began_at=self.began_at,
            queued=self.queued or later.queued,
            answered=self.answered or later.answered,
            left=later.left,
            ended=later.ended or self.ended,
            offers=[*self.offers, *later.offers],
        )

    def until(self, end: datetime) -> AmiPass:
        """What was seen of it before."""
        return AmiPass(
            began_at=self.began_at,
            queued=self.queued,
            answered=_if(self.answered, lambda fact: fact.at < end),
            left=_if(self.left, lambda fact: fact.at < end),
            ended=_if(self.ended, lambda fact: fact.at < end),
            offers=[offer for offer in self.offers if offer.at < end],
        )

    def since(self, begin: datetime) -> AmiPass:
        """What was seen of it from then on."""
        return AmiPass(
            began_at=begin,
            answered=_if(self.answered, lambda fact: fact.at >= begin),
            left=_if(self.left, lambda fact: fact.at >= begin),
            ended=_if(self.ended, lambda fact: fact.at >= begin),
            offers=[offer for offer in self.offers if offer.at >= begin],
        )


Fact = TypeVar("Fact", bound=CallEvent)


def _if(fact: Fact | None, is_so: Callable[[Fact], bool]) -> Fact | None:
    return fact if fact is not None and is_so(fact) else None


@dataclass(slots=True)
class LogPass:
    """What `queue_log` knows of one pass."""

    began_at: datetime
    entered: PassEntered | None = None
    connected: PassConnected | None = None
    closed: PassClosed | None = None
    rang: list[PassRang] = field(default_factory=list)

    @property
    def ended_at(self) -> datetime | None:
        return self.closed.at if self.closed else None

    @property
    def seen_to_end_at(self) -> datetime | None:
        """None too where it was still going on when it was told of last."""
        unknown = self.closed is not None and self.closed.outcome is Outcome.UNKNOWN_END
        return None if unknown else self.ended_at

    @property
    def entered_by_its_wait(self) -> datetime:
        """Where ENTERQUEUE was lost its moment is guessed from the next row; the wait knows it."""
        turn: PassConnected | PassClosed | None = self.connected
        if turn is None and self.closed is not None and self.closed.outcome in UNANSWERED:
            turn = self.closed
        if turn is None or turn.wait_seconds is None:
            return self.began_at
        return turn.at - timedelta(seconds=turn.wait_seconds)


@dataclass(frozen=True, slots=True)
class JoinedPass:
    """One pass, by the feed or feeds that saw it; at least one of the two is there."""

    key: QueuePassKey
    ami: AmiPass | None
    log: LogPass | None

    @property
    def closed(self) -> PassClosed | None:
        return self.log.closed if self.log else None

    @property
    def seen_to_enter(self) -> bool:
        """AMI was there from its beginning."""
        return self.ami is not None and self.ami.queued is not None and not self.ami.found_later


def joined_passes(facts: Facts) -> list[JoinedPass]:
    """Every pass once. The ordinal is its own: each feed may have missed a different entry."""
    ami, log = _stays(_ami_passes(facts)), _stays(log_passes(facts))
    found = []
    for unique_id, queue in sorted({*ami, *log}):
        told = log.get((unique_id, queue), [])
        whole = _whole(ami.get((unique_id, queue), []), told)
        seen = [part for half in whole for part in _parted(half, told)]
        pairs = pair(
            [Stay(half.began_at, half.ended_at, half.found_later) for half in seen],
            [Stay(half.began_at, half.seen_to_end_at) for half in told],
        )
        for ordinal, (i, j) in enumerate(pairs, start=1):
            key = QueuePassKey(unique_id=unique_id, queue=queue, ordinal=ordinal)
            ami_half = seen[i] if i is not None else None
            found.append(JoinedPass(key, ami_half, told[j] if j is not None else None))
    return found


def pass_records(
    passes: Sequence[JoinedPass], facts: Facts, call_ended_at: datetime | None
) -> tuple[PassRecord, ...]:
    """The rows of these passes, in the order in which they were entered."""
    ends = {end.attempt: end for end in reversed(facts.of(OfferEnded))}
    started = facts.first(CallStarted)
    number = max([each.attempt for each in facts.of(CallOffered)], default=0)
    found = []
    for joined in sorted(passes, key=_entered_at):
        row = _not_before(started, _pass_record(joined, call_ended_at))
        attempts, number = _attempts(joined, row, ends, number)
        found.append(replace(row, attempts=attempts, picked_up=_picked_up(joined)))
    return tuple(found)


def closed_attempt(
    offer: CallOffered,
    end: OfferEnded | None,
    answered: CallAnswered | PassConnected | None,
    over_at: datetime | None,
) -> AttemptRecord:
    """One ring. Where nobody told how it ended, the answer or the end of the call does."""
    result, ended_at = (end.result, end.at) if end else (None, None)
    if end is None and answered is not None and answered.at + ROUNDING >= offer.at:
        same = same_member(offer.member, answered.member)
        result = AttemptResult.ANSWERED if same else AttemptResult.ELSEWHERE
        ended_at = answered.at
    elif end is None and over_at is not None:
        result, ended_at = AttemptResult.GONE, over_at
    return AttemptRecord(
        attempt=offer.attempt,
        member=offer.member,
        offered_at=offer.at,
        ended_at=max(ended_at, offer.at) if ended_at else None,
        result=result,
        leg=offer.leg,
    )


def same_member(one: Member, other: Member) -> bool:
    """By interface where both feeds know it, else by name (`queue_log` has no more)."""
    if one.interface and other.interface:
        return one.interface == other.interface
    return one.name is not None and one.name == other.name


Half = TypeVar("Half", AmiPass, LogPass)


def _stays(halves: Mapping[QueuePassKey, Half]) -> dict[tuple[str, str], list[Half]]:
    """What one feed saw of each (Uniqueid, queue), oldest first."""

    def place(item: tuple[QueuePassKey, Half]) -> tuple[str, str]:
        return item[0].unique_id, item[0].queue

    ordered = sorted(halves.items(), key=lambda item: (place(item), item[0].ordinal))
    return {
        where: sorted((half for _, half in group), key=lambda half: half.began_at)
        for where, group in groupby(ordered, key=place)
    }


def _whole(halves: Sequence[AmiPass], told: Sequence[LogPass]) -> list[AmiPass]:
    """AMI saw a stay end, missed the answer, and found it again: `queue_log` tells one stay for both."""
    found: list[AmiPass] = []
    for half in halves:
        former = found[-1] if found else None
        if former is not None and half.found_later and any(_covers(t, former, half) for t in told):
            found[-1] = former.with_more(half)
        else:
            found.append(half)
    return found


def _covers(told: LogPass, former: AmiPass, later: AmiPass) -> bool:
    end = told.seen_to_end_at
    return told.began_at - NEAR <= former.began_at and (
        end is None or later.began_at < end + ROUNDING
    )


def _parted(half: AmiPass, told: Sequence[LogPass]) -> list[AmiPass]:
    """AMI was blind while the caller left and entered the same queue again: it took two stays for one.

    What it saw after he had entered again is of the later one.
    """
    for former, later in pairwise(told):
        again = later.began_at
        if former.closed is None or not half.began_at < former.closed.at <= again:
            continue
        if half.last_at - again > ROUNDING:
            return [half.until(again), *_parted(half.since(again), told)]
    return [half]


_OF_A_PASS = CallQueued | CallOffered | CallAnswered | CallLeftQueue | ConversationEnded


def _ami_passes(facts: Facts) -> dict[QueuePassKey, AmiPass]:
    found: dict[QueuePassKey, AmiPass] = {}
    for fact in facts.all:
        if not isinstance(fact, _OF_A_PASS) or fact.queue_pass is None:
            continue
        half = found.get(fact.queue_pass)
        if half is None:
            half = found[fact.queue_pass] = AmiPass(began_at=fact.at)
        match fact:
            case CallQueued():
                half.queued = half.queued or fact
            case CallOffered():
                if all(known.attempt != fact.attempt for known in half.offers):
                    half.offers.append(fact)
            case CallAnswered():
                half.answered = half.answered or fact
            case CallLeftQueue():
                half.left = half.left or fact
            case ConversationEnded():
                half.ended = half.ended or fact
    return found


def log_passes(facts: Facts) -> dict[QueuePassKey, LogPass]:
    found: dict[QueuePassKey, LogPass] = {}
    for fact in facts.all:
        if not isinstance(fact, PassEntered | PassConnected | PassRang | PassClosed):
            continue
        half = found.get(fact.queue_pass)
        if half is None:
            half = found[fact.queue_pass] = LogPass(began_at=fact.at)
        match fact:
            case PassEntered():
                half.entered = half.entered or fact
            case PassConnected():
                half.connected = half.connected or fact
            case PassRang():
                if all(known.nth != fact.nth for known in half.rang):
                    half.rang.append(fact)
            case PassClosed():
                if half.closed is None or half.closed.outcome in END_NOT_TOLD:
                    half.closed = fact if fact.outcome not in END_NOT_TOLD else half.closed or fact
    for half in found.values():
        half.began_at = min(half.began_at, half.entered_by_its_wait)
    return found


def _pass_record(joined: JoinedPass, call_ended_at: datetime | None) -> PassRecord:
    closed = joined.closed
    entered_at, answered_at = _entered_at(joined), _answered_at(joined)
    left_at = _left_at(joined, call_ended_at)
    outcome = closed.outcome if closed else None
    if outcome is None and answered_at and left_at:
        outcome = Outcome.ANSWERED
    wait = _wait_told(joined)
    if (
        wait is None
        and outcome is not Outcome.UNKNOWN_END
        and (waited_to := answered_at or left_at)
    ):
        wait = _seconds(entered_at, waited_to)
    talk = closed.talk_seconds if closed else None
    if talk is None and outcome is Outcome.ANSWERED and answered_at and left_at:
        talk = _seconds(answered_at, left_at)
    ended_by = closed.ended_by if closed else None
    if ended_by is None and joined.ami and joined.ami.ended:
        ended_by = joined.ami.ended.ended_by
    return PassRecord(
        unique_id=joined.key.unique_id,
        queue=joined.key.queue,
        ordinal=joined.key.ordinal,
        entered_at=entered_at,
        answered_at=answered_at,
        left_at=left_at,
        outcome=outcome,
        member=_who(joined),
        wait_seconds=wait,
        talk_seconds=talk,
        ended_by=ended_by,
        attempts=(),
    )


def _not_before(started: CallStarted | None, row: PassRecord) -> PassRecord:
    """`queue_log` cuts to whole seconds: what only it saw would begin before the call did."""
    if started is None or not timedelta() < started.at - row.entered_at <= ROUNDING:
        return row
    left_at = max(row.left_at, started.at) if row.left_at else None
    return replace(row, entered_at=started.at, left_at=left_at)


def _wait_told(joined: JoinedPass) -> int | None:
    """Asterisk's own figure. Its closing row carries it; CONNECT does where that is lost."""
    if joined.closed and joined.closed.wait_seconds is not None:
        return joined.closed.wait_seconds
    return joined.log.connected.wait_seconds if joined.log and joined.log.connected else None


def _entered_at(joined: JoinedPass) -> datetime:
    """AMI's moment, unless AMI came to the pass late; then `queue_log`'s whole second."""
    ami, log = joined.ami, joined.log
    if ami is None:
        assert log is not None
        return log.began_at
    if log is None or abs(ami.began_at - log.began_at) <= NEAR:
        return ami.began_at
    return min(ami.began_at, log.began_at)


def _answered_at(joined: JoinedPass) -> datetime | None:
    """AMI's moment, unless AMI came late: after a reconnect it only sees that they are talking."""
    seen = joined.ami.answered if joined.ami else None
    told = joined.log.connected if joined.log else None
    if seen is not None:
        return told.at if told and seen.at - told.at > NEAR else seen.at
    if told is not None:
        return told.at
    closed = joined.closed
    if closed and closed.outcome is Outcome.ANSWERED and closed.talk_seconds is not None:
        return closed.at - timedelta(seconds=closed.talk_seconds)  # the CONNECT row was lost
    return None


def _left_at(joined: JoinedPass, call_ended_at: datetime | None) -> datetime | None:
    """AMI's moment, unless nobody saw that end and `queue_log` did; at the latest the call's end."""
    ami_end = joined.ami.ended_at if joined.ami else None
    log_end = joined.log.ended_at if joined.log else None
    if ami_end and log_end and joined.log and joined.log.seen_to_end_at is None:
        return max(ami_end, log_end)  # when it was seen last
    if ami_end and log_end:
        return ami_end if abs(ami_end - log_end) <= NEAR else log_end
    return ami_end or log_end or call_ended_at


def _who(joined: JoinedPass) -> Member | None:
    if joined.ami and joined.ami.answered:
        return joined.ami.answered.member
    if joined.log and joined.log.connected:
        return joined.log.connected.member
    return joined.closed.member if joined.closed else None


def _seconds(begin: datetime, end: datetime) -> int:
    """Whole seconds, never below zero: a clock may be stepped between two stamps."""
    return max(0, int((end - begin).total_seconds()))


def _picked_up(joined: JoinedPass) -> bool:
    ami = joined.ami
    if ami is None or ami.answered is None or not ami.offers:
        return False
    who = ami.answered.member
    return not any(same_member(offer.member, who) for offer in ami.offers)


def _attempts(
    joined: JoinedPass, row: PassRecord, ends: Mapping[int, OfferEnded], number: int
) -> tuple[tuple[AttemptRecord, ...], int]:
    """The rings of one pass and the highest number given: AMI's, then those only the log saw."""
    offers = joined.ami.offers if joined.ami else []
    seen = joined.ami.answered if joined.ami else None
    answered = seen or (joined.log.connected if joined.log else None)
    found = [closed_attempt(each, ends.get(each.attempt), answered, row.left_at) for each in offers]
    # The agent may have been rung twice: only the last ring before the answer was the answered one.
    mine = [each for each in found if each.result is AttemptResult.ANSWERED]
    for early in mine[:-1]:
        found[found.index(early)] = replace(early, result=AttemptResult.NO_ANSWER)
    told = _told_rings(joined.log) if joined.log else []
    if seen or any(each.result is AttemptResult.ANSWERED for each in found):
        told = [each for each in told if each.result is not AttemptResult.ANSWERED]
    for ring in _only_told(found, told):
        number += 1
        found.append(_numbered(ring, number))
    return tuple(sorted(found, key=lambda each: (each.offered_at, each.attempt))), number


def _told_rings(log: LogPass) -> list[AttemptRecord]:
    """The rings as `queue_log` tells them, without numbers."""
    found = []
    for rang in log.rang:
        elsewhere = log.connected is not None
        unanswered = AttemptResult.ELSEWHERE if elsewhere else AttemptResult.GONE
        found.append(
            AttemptRecord(
                attempt=0,
                member=rang.member,
                offered_at=rang.at - timedelta(milliseconds=rang.ring_milliseconds),
                ended_at=rang.at,
                result=unanswered if rang.cancelled else AttemptResult.NO_ANSWER,
            )
        )
    if log.connected is not None:
        rang_for = timedelta(seconds=log.connected.ring_seconds or 0)
        found.append(
            AttemptRecord(
                attempt=0,
                member=log.connected.member,
                offered_at=log.connected.at - rang_for,
                ended_at=log.connected.at,
                result=AttemptResult.ANSWERED,
                leg=log.connected.leg,
            )
        )
    return found


def _only_told(seen: Iterable[AttemptRecord], told: Sequence[AttemptRecord]) -> list[AttemptRecord]:
    """The rings of `told` that are none of `seen`: same member, about the same moments."""
    seen = list(seen)
    if not seen:
        return sorted(told, key=lambda each: each.offered_at)
    missed = []
    for name in sorted({each.member.name or "" for each in told}):
        ami = [each for each in seen if (each.member.name or "") == name]
        log = [each for each in told if (each.member.name or "") == name]
        pairs = pair([_stay(each) for each in ami], [_stay(each) for each in log])
        missed += [log[j] for i, j in pairs if i is None and j is not None]
    return sorted(missed, key=lambda each: each.offered_at)


def _numbered(ring: AttemptRecord, attempt: int) -> AttemptRecord:
    """`replace`, at a third of the time: a year has half a million of these."""
    return AttemptRecord(
        attempt=attempt,
        member=ring.member,
        offered_at=ring.offered_at,
        ended_at=ring.ended_at,
        result=ring.result,
        leg=ring.leg,
    )


def _stay(attempt: AttemptRecord) -> Stay:
    return Stay(attempt.offered_at, attempt.ended_at)
