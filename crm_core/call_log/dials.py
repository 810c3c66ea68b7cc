"""Calls without a queue as our dialplan writes them into `queue_log`: the second witness of AMI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_core.call_log.facts import Facts
from crm_core.call_log.records import AttemptRecord
from crm_core.events import AttemptResult, CallDialled, DialClosed, Member

RESULTS: dict[str, AttemptResult] = {
    "ANSWER": AttemptResult.ANSWERED,
    "NOANSWER": AttemptResult.NO_ANSWER,
    "BUSY": AttemptResult.REFUSED,
    "CONGESTION": AttemptResult.REFUSED,
    "CHANUNAVAIL": AttemptResult.REFUSED,
}
"""DIALSTATUS → how the ring ended; every other one is a caller who gave up."""


@dataclass(frozen=True, slots=True)
class DialRows:
    """One dial, by one of its two rows or both."""

    dialled: CallDialled | None
    closed: DialClosed | None

    @property
    def began_at(self) -> datetime:
        if self.dialled is not None:
            return self.dialled.at
        return self.answered_at or self._end.at

    @property
    def answered_at(self) -> datetime | None:
        """`ANSWEREDTIME` counts from the answer to the end."""
        if self.closed is None or self.closed.talk_seconds is None:
            return None
        answered_at = self.closed.at - timedelta(seconds=self.closed.talk_seconds)
        return max(answered_at, self.dialled.at) if self.dialled else answered_at

    @property
    def cause(self) -> int | None:
        return self.closed.cause if self.closed else None

    @property
    def _end(self) -> DialClosed:
        assert self.closed is not None
        return self.closed


def dial_rows(facts: Facts) -> list[DialRows]:
    """Every dial of a call, oldest first. An end that a row told counts, not one that was concluded."""
    dialled = {(each.unique_id, each.nth): each for each in reversed(facts.of(CallDialled))}
    ends = sorted(facts.of(DialClosed), key=lambda each: each.status is not None)
    closed = {(each.unique_id, each.nth): each for each in ends}
    found = [DialRows(dialled.get(key), closed.get(key)) for key in {**dialled, **closed}]
    return sorted(found, key=lambda dial: dial.began_at)


def dial_attempts(dials: Sequence[DialRows]) -> tuple[AttemptRecord, ...]:
    """The rings of a call that AMI saw nothing of, where the row says which phone rang."""
    found = []
    for nth, dial in enumerate(dials, start=1):
        interface = dial.dialled.interface if dial.dialled else None
        if interface is None:
            continue
        status = dial.closed.status if dial.closed else None
        answered_at = dial.answered_at
        found.append(
            AttemptRecord(
                attempt=nth,
                member=Member(interface=interface),
                offered_at=dial.began_at,
                ended_at=answered_at or (dial.closed.at if dial.closed else None),
                result=RESULTS.get(status, AttemptResult.GONE) if status else None,
            )
        )
    return tuple(found)
