"""Facts into rows, within one transaction: the timeline first, then what is computed from it.

`CallWriter` keeps the timelines and rows of the calls it wrote last, so that the next fact of a call
costs no reading and only rows that differ are written. Memory is a copy: what is not there is read from
`call_events`, and after a failed transaction nothing is believed. Every statement is an upsert;
writing a batch twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast, get_args

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core import codec
from crm_core.agents.records import OfAgents, StateWriter
from crm_core.call_log import driver, statements
from crm_core.call_log.models import CallEventRow
from crm_core.call_log.natural_keys import natural_key
from crm_core.call_log.ownership import Clues, Normalise, Owner, Owners
from crm_core.call_log.rows import CallRows, Row, clues_of, fitting, rows_of
from crm_core.call_log.timeline import CallRecord, record
from crm_core.centre.holders import HolderBook
from crm_core.errors import Invalid
from crm_core.events import (
    BootFound,
    Event,
    FeedAdvanced,
    FeedHeard,
    GapRecorded,
    TimelineEvent,
)
from crm_core.ids import CallId

log = logging.getLogger("zuoxi.recorder")

OPEN_KEPT = 20_000
ENDED_KEPT = 500
"""How many timelines stay in memory: of calls that live, and of ended ones that may get a late row."""

Recorded = TimelineEvent | OfAgents | BootFound | FeedHeard | FeedAdvanced | GapRecorded
RECORDED: frozenset[type[Event]] = frozenset(get_args(Recorded))
"""What the recorder writes; everything else on the bus passes it by."""
_OF_A_CALL: frozenset[type[Event]] = frozenset(get_args(TimelineEvent))


@dataclass(slots=True)
class Kept:
    """One call as it is in the database."""

    facts: dict[tuple[str, str], TimelineEvent] = field(default_factory=dict)
    clues: Clues | None = None
    owner: Owner | None = None
    rows: CallRows | None = None
    """As they are stored; None: whatever is stored is not known here."""
    is_new: bool = False
    """Nothing of it is stored, so nothing has to be deleted."""


class CallWriter:
    """Writes batches of facts. One at a time: it owns the rows of calls."""

    def __init__(self, holders: HolderBook, normalise: Normalise) -> None:
        self._holders = holders
        self._normalise = normalise
        self._owners = Owners(normalise)
        self._states = StateWriter()
        self._open: OrderedDict[CallId, Kept] = OrderedDict()
        self._ended: OrderedDict[CallId, Kept] = OrderedDict()

    async def write(
        self, connection: AsyncConnection, batch: Sequence[Event], *, rows: bool = True
    ) -> None:
        """Write all of `batch` on this connection; without `rows` only the timeline.

        After any exception call `forget`.
        """
        facts = [cast("TimelineEvent", event) for event in batch if type(event) in _OF_A_CALL]
        calls = await self._kept(connection, dict.fromkeys(fact.call for fact in facts))
        said = statements.of_calls(connection.dialect)
        changed, events = await _taken(said, calls, facts)
        steps = _Steps(said)
        if changed and rows:
            await self._compute(connection, {call: calls[call] for call in changed}, steps)
        await driver.write(connection, [(said.insert_events, events), *steps.in_order()])
        await self._states.write(connection, batch)
        await _write_feeds(connection, batch)

    def forget(self) -> None:
        """The transaction failed: memory may be ahead of the database."""
        self._open.clear()
        self._ended.clear()
        self._owners.forget()
        self._states.forget()

    async def _kept(
        self, connection: AsyncConnection, calls: Iterable[CallId]
    ) -> dict[CallId, Kept]:
        found: dict[CallId, Kept] = {}
        unknown = []
        for call in calls:
            kept = self._open.get(call) or self._ended.get(call)
            if kept is None:
                kept = self._open[call] = Kept()
                unknown.append(call)
            found[call] = kept
        if unknown:
            await self._remember(connection, {call: found[call] for call in unknown})
        return found

    async def _remember(self, connection: AsyncConnection, calls: dict[CallId, Kept]) -> None:
        """What is stored of calls that are not in memory: mostly nothing, they have just begun."""
        stored = [CallId(call) for (call,) in await driver.rows_with(connection, _STORED, calls)]
        for call, fact in await facts_of(connection, stored):
            calls[call].facts[type(fact).__name__, natural_key(fact)] = fact
        for call in calls.keys() - stored:
            calls[call].is_new = True

    async def _compute(
        self, connection: AsyncConnection, calls: dict[CallId, Kept], steps: _Steps
    ) -> None:
        """The rows of these calls, from their timelines, and what has to be written for them."""
        records: dict[CallId, CallRecord] = {}
        for call, kept in calls.items():
            await asyncio.sleep(0)  # a ringing phone waits for one call's rows, not for a batch's
            try:
                records[call] = record(tuple(kept.facts.values()))
            except Exception:
                # Our own mistake, in one call: its facts are kept, the others go on.
                log.exception("call %s: its record cannot be computed", call)
        await self._find_owners(connection, calls, records)
        for call, rec in records.items():
            await asyncio.sleep(0)
            kept = calls[call]
            assert kept.owner is not None
            rows = rows_of(rec, kept.owner, self._holders, self._normalise)
            former = NO_ROWS if kept.rows is None and kept.is_new else kept.rows
            steps.add(Change(call, former, rows))
            kept.rows, kept.is_new = rows, False
            self._settle(call, kept, over=rec.ended_at is not None)

    async def _find_owners(
        self,
        connection: AsyncConnection,
        calls: dict[CallId, Kept],
        records: dict[CallId, CallRecord],
    ) -> None:
        asked = []
        for call, rec in records.items():
            kept, clues = calls[call], clues_of(rec, self._normalise)
            if kept.clues != clues:
                kept.clues = clues
                asked.append(kept)
        wanted = {kept.clues for kept in asked if kept.clues}
        owners = await self._owners.of(connection, wanted)
        for kept in asked:
            assert kept.clues is not None
            kept.owner = owners[kept.clues]

    def _settle(self, call: CallId, kept: Kept, *, over: bool) -> None:
        """Put a call where it belongs, and let the ones longest untouched go."""
        self._open.pop(call, None)
        self._ended.pop(call, None)
        (self._ended if over else self._open)[call] = kept
        for book, limit in ((self._open, OPEN_KEPT), (self._ended, ENDED_KEPT)):
            while len(book) > limit:
                book.popitem(last=False)


_STORED = "SELECT DISTINCT call_id FROM call_events WHERE call_id IN {keys}"


async def facts_of(
    connection: AsyncConnection, calls: Sequence[CallId]
) -> list[tuple[CallId, TimelineEvent]]:
    """The timelines of these calls, in order of the facts' moments."""
    found: list[tuple[CallId, TimelineEvent]] = []
    for begin in range(0, len(calls), 500):  # SQLite takes 32,766 parameters; plans stay small
        rows = await connection.execute(
            select(CallEventRow.call_id, CallEventRow.body)
            .where(CallEventRow.call_id.in_(calls[begin : begin + 500]))
            .order_by(CallEventRow.call_id, CallEventRow.at, CallEventRow.kind, CallEventRow.key)
        )
        found += [(CallId(call), fact) for call, body in rows if (fact := _fact(body))]
    return found


def _fact(body: Row) -> TimelineEvent | None:
    try:
        fact = codec.from_json(body)
    except Invalid as wrong:
        log.warning("a stored fact is passed over: %s", wrong.detail)  # of a newer version
        return None
    assert isinstance(fact, TimelineEvent)
    return fact


FACTS_A_TURN = 8
"""Then the loop has its turn: a ringing phone waits for so many facts' JSON, 0.2 ms, at most."""


async def _taken(
    said: statements.OfCalls, calls: dict[CallId, Kept], facts: Sequence[TimelineEvent]
) -> tuple[list[CallId], list[driver.Parameters]]:
    """Put what is new into the timelines: the calls it changes, the rows of `call_events` for it."""
    changed: dict[CallId, None] = {}
    written: list[driver.Parameters] = []
    for begin in range(0, len(facts), FACTS_A_TURN):
        news: list[Row] = []
        for fact in facts[begin : begin + FACTS_A_TURN]:
            kind, key = type(fact).__name__, natural_key(fact)
            if calls[fact.call].facts.setdefault((kind, key), fact) is fact:
                changed[fact.call] = None
                news.append(
                    {
                        "call_id": fact.call,
                        "kind": kind,
                        "key": key,
                        "at": fact.at,
                        "body": codec.to_text(fact),
                    }
                )
        written += said.insert_events.of(fitting(CallEventRow.__table__, news))
        await asyncio.sleep(0)
    return list(changed), written


@dataclass(frozen=True, slots=True)
class Change:
    """The rows of one call. `former` None: whatever is stored of its parts goes first."""

    call: CallId
    former: CallRows | None
    rows: CallRows


NO_ROWS = CallRows({}, [], [], [])


class _Steps:
    """Upsert what differs from what is stored; delete what is stored and no more.

    Gathered call by call, so that the loop has its turn between them; written in one order.
    """

    def __init__(self, said: statements.OfCalls) -> None:
        self._said = said
        self._parameters: dict[driver.Prepared, list[driver.Parameters]] = {said.upsert_calls: []}
        for part in said.parts:
            for statement in (part.delete_all, part.delete, part.upsert):
                self._parameters[statement] = []

    def add(self, change: Change) -> None:
        said, parameters = self._said, self._parameters
        if not change.former or change.former.call != change.rows.call:
            parameters[said.upsert_calls] += said.upsert_calls.of([change.rows.call])
        for part in said.parts:
            if change.former is None:
                parameters[part.delete_all] += part.delete_all.of([{"call_id": change.call}])
            former = {part.key(row): row for row in getattr(change.former or NO_ROWS, part.name)}
            rows = getattr(change.rows, part.name)
            news = [row for row in rows if former.pop(part.key(row), None) != row]
            parameters[part.delete] += part.delete.of(former.values())
            parameters[part.upsert] += part.upsert.of(news)

    def in_order(self) -> Iterator[driver.Step]:
        return iter(self._parameters.items())


async def _write_feeds(connection: AsyncConnection, batch: Sequence[Event]) -> None:
    """Boots, gaps, and how far the feeds are: last, and in the same transaction as their rows."""
    boots = [event for event in batch if isinstance(event, BootFound)]
    if boots:
        await connection.execute(
            statements.insert_boots(connection),
            [{"pbx": e.pbx, "boot": e.boot, "started_at": e.started_at} for e in boots],
        )
        for pbx in {event.pbx for event in boots}:
            await connection.execute(statements.end_former_boots(pbx))
    gaps = [event for event in batch if isinstance(event, GapRecorded)]
    if gaps:
        await connection.execute(statements.insert_gaps(connection), [_gap_row(e) for e in gaps])
    heard = {(e.pbx, e.feed): e for e in batch if isinstance(e, FeedHeard)}
    if heard:
        rows = [{"pbx": pbx, "feed": f, "heard_until": e.at} for (pbx, f), e in heard.items()]
        await connection.execute(statements.upsert_feed(connection, "heard_until"), rows)
    advanced = {(e.pbx, e.feed): e for e in batch if isinstance(e, FeedAdvanced)}
    if advanced:
        rows = [{"pbx": pbx, "feed": f, "position": e.position} for (pbx, f), e in advanced.items()]
        await connection.execute(statements.upsert_feed(connection, "position"), rows)


def _gap_row(event: GapRecorded) -> Row:
    return {
        "pbx": event.pbx,
        "began_at": event.began_at,
        "ended_at": event.at,
        "boot_changed": event.boot_changed,
        "calls_touched": len(event.calls),
        "reason": event.reason[:256],
    }
