"""Calls of the past into the call log: what `zuoxi import queue-log` has read, written in big batches.

The facts are those that a live feed tells, and so are the rows. What a live feed has told already is
found again, under whatever call and number it told it, and is no news.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.call_log.facts import Facts
from crm_core.call_log.models import Call, CallEventRow, Leg, QueuePass
from crm_core.call_log.ownership import Normalise
from crm_core.call_log.pairing import Stay, pair
from crm_core.call_log.passes import log_passes
from crm_core.call_log.writer import CallWriter, Written
from crm_core.centre.holders import HolderBook
from crm_core.db import transaction
from crm_core.events import (
    BootFound,
    CallDialled,
    DialClosed,
    Event,
    FromQueueLog,
    MemberTold,
    PassClosed,
    PassConnected,
    PassEntered,
    PassRang,
    TimelineEvent,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey

BATCH_FACTS = 25_000
"""So many in one transaction: a product that runs beside it waits a second for its turn."""

CALM = timedelta(seconds=60)
"""A call without an open pass and without a row for so long is over, as far as anybody can tell."""

AROUND = timedelta(hours=1)
"""How long before its first row here a call may have begun that a live feed knows."""

CACHE_KILOBYTES = 256_000
"""SQLite's memory for pages: the keys of calls are hashes, so each goes to another page."""

UNKNOWN_RUN = BootId("b0")
"""The run of Asterisk that the first rows belong to where no file says when it began. An older file may
say it later; calls are found again by their channels then."""

_STEPS: dict[type[Event], int] = {PassEntered: 1, CallDialled: 1, PassClosed: -1, DialClosed: -1}
"""What opens a call, and what closes it again."""

_OF_A_PASS = PassEntered | PassConnected | PassRang | PassClosed


class Gathering:
    """Facts in the order of the rows in, whole calls out."""

    def __init__(self) -> None:
        self._calls: dict[CallId, list[FromQueueLog]] = {}
        self._open: dict[CallId, int] = {}
        self._others: list[BootFound | MemberTold] = []
        self._count = 0

    def add(self, event: Event) -> None:
        if isinstance(event, BootFound | MemberTold):
            self._others.append(event)
            return
        fact = cast("FromQueueLog", event)
        self._count += 1
        self._calls.setdefault(fact.call, []).append(fact)
        kind = type(fact)
        if kind in _STEPS:
            self._open[fact.call] = self._open.get(fact.call, 0) + _STEPS[kind]

    @property
    def is_full(self) -> bool:
        return self._count >= BATCH_FACTS

    def over(self, now: datetime) -> History:
        """The calls that are over at `now` by the rows' own clock."""
        done = [
            call
            for call, facts in self._calls.items()
            if self._open.get(call, 0) <= 0 and now - facts[-1].at >= CALM
        ]
        return self._taken(done)

    def rest(self) -> History:
        """Everything, whether it is over or not."""
        return self._taken(list(self._calls))

    def _taken(self, done: Sequence[CallId]) -> History:
        others, self._others = self._others, []
        calls = {call: self._calls.pop(call) for call in done}
        for call in done:
            self._open.pop(call, None)
        # What stays is not counted again, or a few calls without an end would make each batch small.
        self._count = 0
        return History(others, calls)


@dataclass(frozen=True, slots=True)
class History:
    """Runs of Asterisk, what was told of members, and whole calls."""

    others: list[BootFound | MemberTold]
    calls: dict[CallId, list[FromQueueLog]]


@dataclass(slots=True)
class HistoryWriter:
    """Writes into the call log of one PBX; every batch is a transaction, so it may be broken off."""

    engine: AsyncEngine
    pbx: PbxId
    holders: HolderBook
    normalise: Normalise
    _writer: CallWriter = field(init=False)

    def __post_init__(self) -> None:
        self._writer = CallWriter(self.holders, self.normalise)

    async def write(self, history: History) -> Written:
        """All of it; what was there already changes nothing."""
        async with transaction(self.engine) as connection:
            if connection.dialect.name == "sqlite":
                await connection.execute(text(f"PRAGMA cache_size = -{CACHE_KILOBYTES}"))
            facts = await self._as_known(connection, history.calls)
            written = await self._writer.write(connection, [*history.others, *facts])
        self._writer.forget()  # a year does not fit in memory
        return written

    async def _as_known(
        self, connection: AsyncConnection, calls: dict[CallId, list[FromQueueLog]]
    ) -> list[FromQueueLog]:
        """The facts under the calls and ordinals by which they are known."""
        if not calls:
            return []
        elsewhere = await self._elsewhere(connection, calls)
        stored = await self._writer.known(connection, [*calls, *elsewhere.values()])
        found: list[FromQueueLog] = []
        for call, facts in sorted(calls.items()):  # as the index has them: fewer pages at a time
            # A call that became a part of another one keeps its facts where they were told.
            known = call if call in stored else elsewhere.get(call, call)
            if known != call:
                facts = [replace(fact, call=known) for fact in facts]
            if known in stored:
                facts = renumbered(facts, Facts(stored[known]))
            found += facts
        return found

    async def _elsewhere(
        self, connection: AsyncConnection, calls: dict[CallId, list[FromQueueLog]]
    ) -> dict[CallId, CallId]:
        """Calls that are a part of an older one: AMI saw their channel there (a transfer)."""
        begin = min(facts[0].at for facts in calls.values()) - AROUND
        end = max(facts[-1].at for facts in calls.values()) + AROUND
        known = await _channels(connection, self.pbx, begin, end)
        if not known:
            return {}
        found: dict[CallId, CallId] = {}
        for call, facts in calls.items():
            first = next(
                (fact for fact in facts if isinstance(fact, PassEntered | CallDialled)), None
            )
            if first is None:
                continue
            unique_id = (
                first.unique_id if isinstance(first, CallDialled) else first.queue_pass.unique_id
            )
            for boot, other in known.get(unique_id, ()):
                if boot == first.boot or UNKNOWN_RUN in (boot, first.boot):
                    found[call] = other
        return {call: other for call, other in found.items() if call != other}


async def _channels(
    connection: AsyncConnection, pbx: PbxId, begin: datetime, end: datetime
) -> dict[str, list[tuple[BootId | None, CallId]]]:
    """In which calls the channels of this time are known, by Uniqueid."""
    here = (Call.pbx == pbx, Call.started_at >= begin, Call.started_at < end)
    legs = select(Call.boot, Leg.unique_id, Call.call_id).join(Leg, Leg.call_id == Call.call_id)
    passes = select(Call.boot, QueuePass.unique_id, Call.call_id).join(
        QueuePass, QueuePass.call_id == Call.call_id
    )
    # Halves of Local channels dial, too, and have no leg: their key is Uniqueid/nth.
    dials = (
        select(Call.boot, CallEventRow.key, Call.call_id)
        .join(CallEventRow, CallEventRow.call_id == Call.call_id)
        .where(CallEventRow.kind == CallDialled.__name__)
    )
    rows = await connection.execute(
        union_all(passes.where(*here), legs.where(*here), dials.where(*here))
    )
    found: dict[str, list[tuple[BootId | None, CallId]]] = defaultdict(list)
    for boot, unique_id, call in rows:
        found[unique_id.partition("/")[0]].append((BootId(boot) if boot else None, CallId(call)))
    return found


def renumbered(facts: Sequence[FromQueueLog], stored: Facts) -> list[FromQueueLog]:
    """The passes under the ordinals that they are stored with; a new one gets the next.

    A live feed may have begun to read in the middle of a call, and counted from there.
    """
    told: dict[tuple[str, str], list[tuple[int, Stay]]] = defaultdict(list)
    for key, known in log_passes(stored).items():
        stay = Stay(known.began_at, known.ended_at)
        told[key.unique_id, key.queue].append((key.ordinal, stay))
    news: dict[tuple[str, str], list[tuple[QueuePassKey, Stay]]] = defaultdict(list)
    for key, known in log_passes(Facts(cast("Sequence[TimelineEvent]", facts))).items():
        stay = Stay(known.began_at, known.ended_at)
        news[key.unique_id, key.queue].append((key, stay))
    keys: dict[QueuePassKey, QueuePassKey] = {}
    for place, passes in news.items():
        keys |= _keys(passes, told[place])
    return [_under(fact, keys) for fact in facts]


def _keys(
    passes: list[tuple[QueuePassKey, Stay]], told: list[tuple[int, Stay]]
) -> dict[QueuePassKey, QueuePassKey]:
    passes.sort(key=lambda each: each[1].begin)
    told.sort(key=lambda each: each[1].begin)
    last, found = max([ordinal for ordinal, _ in told], default=0), {}
    for i, j in pair([stay for _, stay in told], [stay for _, stay in passes]):
        if j is None:
            continue
        last += i is None
        found[passes[j][0]] = replace(passes[j][0], ordinal=last if i is None else told[i][0])
    return found


def _under(fact: FromQueueLog, keys: dict[QueuePassKey, QueuePassKey]) -> FromQueueLog:
    if not isinstance(fact, _OF_A_PASS):
        return fact
    key = keys[fact.queue_pass]
    return fact if key == fact.queue_pass else replace(fact, queue_pass=key)
