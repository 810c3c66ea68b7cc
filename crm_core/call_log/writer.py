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
from dataclasses import dataclass, field, replace
from typing import cast, get_args

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core import codec
from crm_core.agents.blind_states import fill_blind_states
from crm_core.agents.members import write_members
from crm_core.agents.records import OfAgents, StateWriter
from crm_core.call_log import driver, statements
from crm_core.call_log.joining import joined, oldest
from crm_core.call_log.models import CallEventRow
from crm_core.call_log.natural_keys import natural_key
from crm_core.call_log.ownership import Clues, Normalise, Owner, Owners
from crm_core.call_log.rows import CallRows, Row, clues_of, fitting, rows_of
from crm_core.call_log.timeline import CallRecord, record
from crm_core.centre.holders import HolderBook
from crm_core.errors import Invalid
from crm_core.events import (
    BootFound,
    CallJoined,
    Event,
    FeedAdvanced,
    FeedHeard,
    GapRecorded,
    MemberTold,
    TimelineEvent,
)
from crm_core.ids import CallId

log = logging.getLogger("zuoxi.recorder")

OPEN_KEPT = 20_000
ENDED_KEPT = 500
"""How many timelines stay in memory: of calls that live, and of ended ones that may get a late row."""

JOINS_KEPT = 2_000
"""And how many names of calls that became parts of others."""

Recorded = (
    TimelineEvent | OfAgents | MemberTold | BootFound | FeedHeard | FeedAdvanced | GapRecorded
)
RECORDED: frozenset[type[Event]] = frozenset(get_args(Recorded))
"""What the recorder writes; everything else on the bus passes it by."""
_OF_A_CALL: frozenset[type[Event]] = frozenset(get_args(TimelineEvent))


NO_ROWS = CallRows({}, [], [], [], [])


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


@dataclass(frozen=True, slots=True)
class Written:
    """What of a batch was news."""

    facts: int
    calls: int
    """Those of which nothing was stored before."""


class CallWriter:
    """Writes batches of facts. One at a time: it owns the rows of calls."""

    def __init__(self, holders: HolderBook, normalise: Normalise) -> None:
        self._holders = holders
        self._normalise = normalise
        self._owners = Owners(normalise)
        self._states = StateWriter()
        self._open: OrderedDict[CallId, Kept] = OrderedDict()
        self._ended: OrderedDict[CallId, Kept] = OrderedDict()
        self._into: OrderedDict[CallId, CallId] = OrderedDict()
        """Calls that became parts of others."""

    async def write(
        self, connection: AsyncConnection, batch: Sequence[Event], *, rows: bool = True
    ) -> Written:
        """Write all of `batch` on this connection; without `rows` only the timeline.

        After any exception call `forget`.
        """
        facts = [cast("TimelineEvent", event) for event in batch if type(event) in _OF_A_CALL]
        calls = await self._kept(connection, dict.fromkeys(fact.call for fact in facts))
        said = statements.of_calls(connection.dialect)
        changed, events = await _taken(said, calls, facts)
        written = Written(len(events), sum(kept.is_new for kept in calls.values()))
        joins = [fact for fact in facts if type(fact) is CallJoined]
        if joins:
            await self._learn(connection, joins)
        steps = _Steps(said)
        if changed and rows:
            whole = dict.fromkeys(oldest(call, self._into) for call in changed)
            if self._into:
                calls |= await self._kept(connection, whole)
            await self._compute(connection, {call: calls[call] for call in whole}, steps)
        await driver.write(connection, [(said.insert_events, events), *steps.in_order()])
        for call, into in steps.joined:
            await connection.execute(statements.notes_of(call, into))
            await connection.execute(statements.recordings_of(call, into))
        await self._states.write(connection, batch)
        await _write_feeds(connection, batch)
        told = await write_members(connection, batch)
        if await fill_blind_states(connection, batch, self._holders):
            self._states.forget()
        return replace(written, facts=written.facts + told)

    async def known(
        self, connection: AsyncConnection, calls: Iterable[CallId]
    ) -> dict[CallId, list[TimelineEvent]]:
        """What is stored of these calls; those of which nothing is are left out."""
        found = await self._kept(connection, dict.fromkeys(calls))
        return {call: list(kept.facts.values()) for call, kept in found.items() if kept.facts}

    def forget(self) -> None:
        """The transaction failed: memory may be ahead of the database."""
        self._open.clear()
        self._ended.clear()
        self._into.clear()
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
        found = await driver.rows_with(connection, _STORED, calls)
        stored = [CallId(call) for call, _, has_facts in found if has_facts]
        joins: list[CallJoined] = []
        for call, fact in await facts_of(connection, stored):
            calls[call].facts[type(fact).__name__, natural_key(fact)] = fact
            if type(fact) is CallJoined:
                joins.append(fact)
        for call in calls.keys() - stored:
            calls[call].is_new = True
        for alias, into, _ in found:
            if into is not None:
                self._into[CallId(alias)] = CallId(into)
                await self._kept(connection, [CallId(into)])
        if joins:
            await self._learn(connection, joins)

    async def _learn(self, connection: AsyncConnection, joins: Sequence[CallJoined]) -> None:
        """These calls became one: what is stored of the younger is needed from now on."""
        for each in joins:
            self._into[each.other] = each.call
        while len(self._into) > JOINS_KEPT:
            self._into.popitem(last=False)
        await self._kept(connection, [each.other for each in joins])

    async def _whole(
        self, connection: AsyncConnection, call: CallId, kept: Kept
    ) -> tuple[Sequence[TimelineEvent], dict[CallId, Kept]]:
        """The facts of a call with those of the calls that it took in; and these calls."""
        own = tuple(kept.facts.values())
        if call not in self._into.values():
            return own, {}
        taken = [other for other in self._into if oldest(other, self._into) == call]
        parts = await self._kept(connection, taken)
        return joined(own, [tuple(part.facts.values()) for part in parts.values()]), parts

    async def _compute(
        self, connection: AsyncConnection, calls: dict[CallId, Kept], steps: _Steps
    ) -> None:
        """The rows of these calls, from their timelines, and what has to be written for them."""
        records: dict[CallId, CallRecord] = {}
        taken: list[Change] = []
        for call, kept in calls.items():
            await asyncio.sleep(0)  # a ringing phone waits for one call's rows, not for a batch's
            timeline, parts = await self._whole(connection, call, kept)
            try:
                records[call] = record(timeline)
            except Exception:
                # Our own mistake, in one call: its facts are kept, the others go on.
                log.exception("call %s: its record cannot be computed", call)
                continue
            for other, part in parts.items():
                if part.rows is not NO_ROWS:
                    former = NO_ROWS if part.rows is None and part.is_new else part.rows
                    taken.append(Change(other, former, NO_ROWS, into=call))
                    part.rows = NO_ROWS
                self._settle(other, part, over=records[call].ended_at is not None)
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
        for change in taken:
            steps.add(change)

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


_STORED = """
WITH asked (call) AS {keys}
SELECT asked.call, call_aliases.call_id,
    EXISTS (SELECT 1 FROM call_events WHERE call_events.call_id = asked.call)
FROM asked LEFT JOIN call_aliases ON call_aliases.alias = asked.call
"""
"""Of each call: the call that it is a part of, and whether facts of it are there."""


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
    into: CallId | None = None
    """It became a part of that call, and has no rows of its own any more."""


class _Steps:
    """Upsert what differs from what is stored; delete what is stored and no more.

    Gathered call by call, so that the loop has its turn between them; written in one order.
    """

    def __init__(self, said: statements.OfCalls) -> None:
        self._said = said
        self.joined: list[tuple[CallId, CallId]] = []
        """Calls that became parts of others."""
        self._parameters: dict[driver.Prepared, list[driver.Parameters]] = {said.upsert_calls: []}
        for part in said.parts:
            for statement in (part.delete_all, part.delete, part.upsert):
                self._parameters[statement] = []
        for statement in (said.delete_calls, said.upsert_aliases):
            self._parameters[statement] = []

    def add(self, change: Change) -> None:
        said, parameters = self._said, self._parameters
        if change.into is not None:
            self.joined.append((change.call, change.into))
            parameters[said.delete_calls] += said.delete_calls.of([{"call_id": change.call}])
            alias = {"call_id": change.into, "alias": change.call}
            parameters[said.upsert_aliases] += said.upsert_aliases.of([alias])
        elif not change.former or change.former.call != change.rows.call:
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
        "feed": event.feed,
    }
