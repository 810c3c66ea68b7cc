"""Questions that pages, the API and `zuoxi reconcile` ask of the call log, one function each.

All take an `AsyncConnection` (see `db.reading`) and answer frozen values, complete: nobody sends
SQL later. `scope` is the data scope of who asks, as a condition on `calls`; None: everything.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import User
from crm_core.call_log.details import (
    AttemptDetail,
    CallDetail,
    DispositionLabel,
    LastContact,
    LegDetail,
    Page,
    PassDetail,
    Repeat,
    TransferDetail,
    agent_of,
    call_detail,
    enum_or_none,
    last_contact,
)
from crm_core.call_log.gap_book import calls_touched
from crm_core.call_log.models import Call, CallAlias, Leg, OfferAttempt, QueuePass, Transfer
from crm_core.call_log.reconcile import ComparedPass
from crm_core.call_log.records import Confidence
from crm_core.call_log.writer import facts_of
from crm_core.centre.models import Hotline, Project
from crm_core.customers.models import Customer
from crm_core.db import Instant
from crm_core.errors import Invalid
from crm_core.events import Direction, Outcome, TimelineEvent
from crm_core.ids import CallId, CustomerId, PbxId, UserId
from crm_core.quick_dataclass import dataclass
from crm_core.wrap_up.models import ContactRecord, Disposition

__all__ = [
    "AttemptDetail",
    "CallDetail",
    "CallFilter",
    "DispositionLabel",
    "LastContact",
    "LegDetail",
    "Page",
    "PassDetail",
    "Repeat",
    "TransferDetail",
    "call",
    "calls",
    "calls_today_of",
    "last_contacts",
    "passes_between",
    "repeat_anchor",
    "timeline_of",
]

EXCERPT = 200
"""How much of a note one line of the card shows, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls: all conditions together. `began_from` inclusive, `began_to` exclusive."""

    began_from: datetime | None = None
    began_to: datetime | None = None
    project: str | None = None
    """A project's name."""
    queue: str | None = None
    """A queue's name: calls that entered it."""
    agent: str | None = None
    """An agent number: calls in which that agent talked (or that the agent placed)."""
    customer_id: CustomerId | None = None
    phone: str | None = None
    """The customer's number, normalised."""
    confidence: Confidence | None = None
    gap: tuple[PbxId, datetime, datetime] | None = None
    """PBX, from and to: calls that lived in that interval (`gap_book`)."""


async def calls(
    connection: AsyncConnection,
    wanted: CallFilter,
    scope: ColumnElement[bool] | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """One page of calls, newest first. Raises `Invalid` for a cursor that is not ours."""
    asked = _calls(scope).where(*_conditions(wanted))
    if cursor is not None:
        at, call_id = _read_cursor(cursor)
        here = tuple_(literal(at, Instant), literal(call_id))
        asked = asked.where(tuple_(Call.started_at, Call.call_id) < here)
    rows = (await connection.execute(asked.limit(limit + 1))).all()
    more = len(rows) > limit
    items = await _details(connection, rows[:limit])
    last = items[-1] if more else None
    return Page(items=items, next_cursor=_cursor(last) if last else None)


async def call(
    connection: AsyncConnection, call_id: CallId, scope: ColumnElement[bool] | None = None
) -> CallDetail | None:
    """One call by its id or an alias, or None: there is none, or it is outside the scope."""
    older = select(CallAlias.call_id).where(CallAlias.alias == call_id)
    wanted = or_(Call.call_id == call_id, Call.call_id.in_(older))
    rows = await connection.execute(_calls(scope).where(wanted))
    found = await _details(connection, rows.all())
    return found[0] if found else None


async def last_contacts(
    connection: AsyncConnection,
    *,
    before: datetime,
    customer_id: CustomerId | None = None,
    number: str | None = None,
    limit: int = 5,
) -> tuple[LastContact, ...]:
    """Calls of that customer or that number that began before that moment, newest first."""
    keys: list[ColumnElement[bool]] = []
    if customer_id is not None:
        keys.append(Call.customer_id == customer_id)
    if number is not None:
        keys.append(Call.customer_number == number)
    # Each by its own index and no further than the limit; an OR would read all calls of both.
    found = [
        select(Call.call_id)
        .where(key, Call.started_at < before)
        .order_by(Call.started_at.desc())
        .limit(limit)
        .subquery()
        for key in keys
    ]
    if not found:
        return ()
    ids = union(*(select(each.c.call_id) for each in found)).subquery()
    rows = await connection.execute(
        _calls(None).where(Call.call_id.in_(select(ids.c.call_id))).limit(limit)
    )
    kept = rows.all()
    notes = await _notes(connection, [row.call_id for row in kept])
    return tuple(last_contact(row, notes.get(row.call_id)) for row in kept)


async def calls_today_of(
    connection: AsyncConnection, user_id: UserId, since: datetime
) -> tuple[CallDetail, ...]:
    """Calls since then in which this person talked (or that the person placed), newest first."""
    mine = union(
        select(Call.call_id).where(Call.user_id == user_id, Call.started_at >= since),
        select(QueuePass.call_id).where(
            QueuePass.user_id == user_id, QueuePass.answered_at >= since
        ),
    ).subquery()
    rows = await connection.execute(
        _calls(None).where(Call.call_id.in_(select(mine.c.call_id)), Call.started_at >= since)
    )
    return await _details(connection, rows.all())


async def timeline_of(connection: AsyncConnection, call_id: CallId) -> Sequence[TimelineEvent]:
    """All facts of a call, and of those that became a part of it, in order of their moments."""
    aliases = await _aliases(connection, [call_id])
    facts = [fact for _, fact in await facts_of(connection, [call_id, *aliases[call_id]])]
    return sorted(facts, key=lambda fact: fact.at)


async def passes_between(
    connection: AsyncConnection, pbx: PbxId, began_from: datetime, began_to: datetime
) -> list[ComparedPass]:
    """Passes entered from then (inclusive) to then (exclusive), in order of entry, for reconcile."""
    within = and_(
        QueuePass.pbx == pbx,
        QueuePass.entered_at >= began_from,
        QueuePass.entered_at < began_to,
    )
    rows = await connection.execute(
        select(QueuePass.__table__)
        .where(within)
        .order_by(QueuePass.entered_at, QueuePass.call_id, QueuePass.ordinal)
    )
    rung = await _rung_at_picked_up(connection, within)
    return [
        ComparedPass(
            unique_id=row.unique_id,
            queue=row.queue,
            entered_at=row.entered_at,
            outcome=enum_or_none(Outcome, row.outcome),
            agent=row.member_name or row.agent_number,
            wait_seconds=row.wait_seconds,
            talk_seconds=row.talk_seconds,
            rung=frozenset(rung.get((row.call_id, row.unique_id, row.queue, row.ordinal), ())),
            ended_at=row.left_at,
        )
        for row in rows
    ]


REPEAT_WITHIN = timedelta(minutes=120)
"""F01. Exactly 120:00 counts."""


async def repeat_anchor(
    connection: AsyncConnection, project_id: int, number: str, before: datetime
) -> Repeat | None:
    """The latest inbound call of that number in that project that was answered before that moment,
    and not longer than 120 minutes ago (F01). The agent is who was connected last by then."""
    anchors = (
        _calls(None)
        .where(
            Call.project_id == project_id,
            Call.customer_number == number,
            Call.direction == Direction.INBOUND,
            Call.answered_at < before,
            Call.answered_at >= before - REPEAT_WITHIN,
        )
        .order_by(None)
        .order_by(Call.answered_at.desc(), Call.call_id.desc())
        .limit(1)
    )
    anchor = (await connection.execute(anchors)).one_or_none()
    if anchor is None:
        return None
    served = (
        await connection.execute(
            select(QueuePass.__table__, User.full_name)
            .outerjoin(User, User.id == QueuePass.user_id)
            .where(QueuePass.call_id == anchor.call_id, QueuePass.answered_at < before)
            .order_by(QueuePass.answered_at.desc())
            .limit(1)
        )
    ).one_or_none()
    agent = agent_of(served or anchor)
    return Repeat(
        call_id=anchor.call_id,
        answered_at=anchor.answered_at,
        agent_number=agent.agent_number if agent else None,
        agent_name=agent.name if agent else None,
    )


# --- what to look for -----------------------------------------------------------------------------


def _calls(scope: ColumnElement[bool] | None) -> Select[Any]:
    """Calls with the names behind their ids, newest first."""
    asked = (
        select(
            Call.__table__,
            Project.name.label("project"),
            Hotline.name.label("hotline"),
            Customer.name.label("customer_name"),
            User.full_name,
        )
        .outerjoin(Project, Project.id == Call.project_id)
        .outerjoin(Hotline, Hotline.id == Call.hotline_id)
        .outerjoin(Customer, Customer.id == Call.customer_id)
        .outerjoin(User, User.id == Call.user_id)
        .order_by(Call.started_at.desc(), Call.call_id.desc())
    )
    return asked if scope is None else asked.where(scope)


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.began_from is not None:
        found.append(Call.started_at >= wanted.began_from)
    if wanted.began_to is not None:
        found.append(Call.started_at < wanted.began_to)
    if wanted.project is not None:
        named = select(Project.id).where(Project.name == wanted.project).scalar_subquery()
        found.append(Call.project_id == named)
    if wanted.queue is not None:
        in_queue = QueuePass.queue == wanted.queue
        found.append(exists().where(QueuePass.call_id == Call.call_id, in_queue))
    if wanted.agent is not None:
        talked = QueuePass.agent_number == wanted.agent
        found.append(
            or_(
                Call.agent_number == wanted.agent,
                exists().where(QueuePass.call_id == Call.call_id, talked),
            )
        )
    if wanted.customer_id is not None:
        found.append(Call.customer_id == wanted.customer_id)
    if wanted.phone is not None:
        found.append(Call.customer_number == wanted.phone)
    if wanted.confidence is not None:
        found.append(Call.confidence == wanted.confidence.value)
    if wanted.gap is not None:
        found.append(calls_touched(*wanted.gap))
    return found


def _cursor(last: CallDetail) -> str:
    text = f"{last.started_at.isoformat()} {last.call_id}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, call_id = text.partition(" ")
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise Invalid("cursor: not one that a former page gave") from None
    if moment.tzinfo is None or not call_id:
        raise Invalid("cursor: not one that a former page gave")
    return moment, call_id


# --- what belongs to the calls found --------------------------------------------------------------


async def _details(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> tuple[CallDetail, ...]:
    """The calls with all that hangs on them: six more queries, however many calls."""
    ids = [row.call_id for row in rows]
    if not ids:
        return ()
    passes = await _parts(connection, QueuePass, ids, QueuePass.entered_at, QueuePass.ordinal)
    attempts = await _parts(connection, OfferAttempt, ids, OfferAttempt.attempt)
    legs = await _parts(connection, Leg, ids, Leg.started_at, Leg.unique_id)
    transfers = await _transfers(connection, ids)
    aliases = await _aliases(connection, ids)
    labels = await _dispositions(connection, ids)
    return tuple(
        call_detail(
            row,
            passes[row.call_id],
            attempts[row.call_id],
            legs[row.call_id],
            transfers[row.call_id],
            aliases[row.call_id],
            labels.get(row.call_id),
        )
        for row in rows
    )


async def _parts(
    connection: AsyncConnection, table: type[Any], ids: Sequence[str], *order: Any
) -> Mapping[str, list[Row[Any]]]:
    rows = await connection.execute(
        select(table.__table__, User.full_name)
        .outerjoin(User, User.id == table.user_id)
        .where(table.call_id.in_(ids))
        .order_by(table.call_id, *order)
    )
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.call_id].append(row)
    return found


async def _transfers(
    connection: AsyncConnection, ids: Sequence[str]
) -> Mapping[str, list[Row[Any]]]:
    sender, to = User.__table__.alias("sender"), User.__table__.alias("receiver")
    rows = await connection.execute(
        select(Transfer.__table__, sender.c.full_name, to.c.full_name.label("to_full_name"))
        .outerjoin(sender, sender.c.id == Transfer.user_id)
        .outerjoin(to, to.c.id == Transfer.to_user_id)
        .where(Transfer.call_id.in_(ids))
        .order_by(Transfer.call_id, Transfer.nth)
    )
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.call_id].append(row)
    return found


async def _aliases(connection: AsyncConnection, ids: Sequence[str]) -> Mapping[str, list[CallId]]:
    """Ids of calls that became parts of these."""
    rows = await connection.execute(
        select(CallAlias.__table__)
        .where(CallAlias.call_id.in_(ids))
        .order_by(CallAlias.call_id, CallAlias.alias)
    )
    found: dict[str, list[CallId]] = defaultdict(list)
    for row in rows:
        found[row.call_id].append(CallId(row.alias))
    return found


async def _dispositions(
    connection: AsyncConnection, ids: Sequence[str]
) -> dict[str, DispositionLabel]:
    """Of the contact record that was submitted last."""
    rows = await connection.execute(
        select(
            ContactRecord.call_id,
            Disposition.key,
            Disposition.label_zh.label("zh"),
            Disposition.label_en.label("en"),
        )
        .join(Disposition, Disposition.id == ContactRecord.disposition_id)
        .where(ContactRecord.call_id.in_(ids), ContactRecord.submitted)
        .order_by(ContactRecord.saved_at)
    )
    return {row.call_id: DispositionLabel(key=row.key, zh=row.zh, en=row.en) for row in rows}


async def _notes(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """What was written last about each call, a draft too: it is what the agent heard."""
    if not ids:
        return {}
    rows = await connection.execute(
        select(
            ContactRecord.call_id,
            func.substr(ContactRecord.note, 1, EXCERPT).label("note"),
            Disposition.key,
            Disposition.label_zh.label("zh"),
            Disposition.label_en.label("en"),
        )
        .outerjoin(Disposition, Disposition.id == ContactRecord.disposition_id)
        .where(ContactRecord.call_id.in_(ids))
        .order_by(ContactRecord.saved_at, ContactRecord.id)
    )
    return {row.call_id: row for row in rows}


async def _rung_at_picked_up(
    connection: AsyncConnection, within: ColumnElement[bool]
) -> Mapping[tuple[str, str, str, int], list[str]]:
    """Names of the members at whom a pass rang that somebody else picked up."""
    same_pass = and_(
        OfferAttempt.call_id == QueuePass.call_id,
        OfferAttempt.unique_id == QueuePass.unique_id,
        OfferAttempt.queue == QueuePass.queue,
        OfferAttempt.ordinal == QueuePass.ordinal,
    )
    rows = await connection.execute(
        select(OfferAttempt.__table__).join(QueuePass, same_pass).where(within, QueuePass.picked_up)
    )
    found: dict[tuple[str, str, str, int], list[str]] = defaultdict(list)
    for row in rows:
        name = row.member_name or row.agent_number
        found[row.call_id, row.unique_id, row.queue, row.ordinal].append(name)
    return found
