"""Callers who gave up and with whom nobody has talked since (放弃后未接通): one row a number and project."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.models import Call, QueuePass
from crm_core.centre.models import Hotline, Project
from crm_core.customers.models import Customer
from crm_core.db import Instant
from crm_core.errors import Invalid
from crm_core.events import Direction, Outcome
from crm_core.ids import CallId, CustomerId, PbxId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp:
    """A number that somebody should ring."""

    number: str
    """Normalised."""
    project: str | None
    last_at: datetime
    """When the last call began that was given up."""
    times: int
    """How often in the period."""
    last_call: CallId
    pbx: PbxId
    hotline: str | None
    queue: str | None
    """Where the last one was given up."""
    wait_seconds: int | None
    customer_id: CustomerId | None
    customer_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUpPage:
    """The newest first. `next_cursor` is None on the last page."""

    items: tuple[GaveUp, ...]
    next_cursor: str | None


async def gave_up(
    connection: AsyncConnection,
    scope: ColumnElement[bool],
    began_from: datetime,
    began_to: datetime | None = None,
    *,
    queue: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> GaveUpPage:
    """One page of who gave up in [began_from, began_to) and was not talked to since.

    `scope` is the condition on `calls` for who asks: of the calls that were given up. Whoever of the
    project talked to that number since, by whichever way, ends it. Raises `Invalid` for a cursor that
    is not ours.
    """
    numbers = _numbers(scope, began_from, began_to, queue)
    asked = (
        select(numbers, Project.name.label("project"))
        .outerjoin(Project, Project.id == numbers.c.project_id)
        .order_by(numbers.c.last_at.desc(), numbers.c.tie.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        at, tie = _read_cursor(cursor)
        here = tuple_(literal(at, Instant), literal(tie))
        asked = asked.where(tuple_(numbers.c.last_at, numbers.c.tie) < here)
    rows = (await connection.execute(asked)).all()
    items = tuple([await _with_last_call(connection, row) for row in rows[:limit]])
    last = rows[limit - 1] if len(rows) > limit else None
    return GaveUpPage(items=items, next_cursor=_cursor(last.last_at, last.tie) if last else None)


async def count_gave_up(
    connection: AsyncConnection,
    scope: ColumnElement[bool],
    began_from: datetime,
    began_to: datetime | None = None,
    *,
    queue: str | None = None,
) -> int:
    """How many rows all pages have."""
    numbers = _numbers(scope, began_from, began_to, queue)
    found = await connection.scalar(select(func.count()).select_from(numbers))
    return found or 0


def _numbers(
    scope: ColumnElement[bool], began_from: datetime, began_to: datetime | None, queue: str | None
) -> Any:
    """(project_id, customer_number, last_at, times) of those whom nobody reached, as a subquery.

    By `ix_calls_gave_up`, then one look into (project, number, answered_at) a number: what the table
    holds besides does not matter (a test counts the steps).
    """
    # An expression: else SQLite walks all calls by (project, number), to have them in groups already.
    number = func.coalesce(Call.customer_number, "")
    given_up = (
        select(
            Call.project_id,
            number.label("customer_number"),
            func.max(Call.started_at, type_=Instant).label("last_at"),
            func.count().label("times"),
            # Two who gave up at one moment: by an id, for a number must not stand in a link.
            func.max(Call.call_id).label("tie"),
        )
        .where(
            # Its text, not a parameter: only so SQLite sees that the partial index fits.
            Call.outcome == literal(Outcome.ABANDONED.value, literal_execute=True),
            Call.started_at >= began_from,
            Call.direction == Direction.INBOUND.value,
            Call.customer_number.is_not(None),
            scope,
        )
        .group_by(Call.project_id, number)
    )
    if began_to is not None:
        given_up = given_up.where(Call.started_at < began_to)
    if queue is not None:
        in_queue = QueuePass.queue == queue
        given_up = given_up.where(exists().where(QueuePass.call_id == Call.call_id, in_queue))
    who = given_up.subquery()
    return select(who).where(~_talked_since(who.c)).subquery()


def _talked_since(who: Any) -> ColumnElement[bool]:
    later = Call.__table__.alias("later").c
    talked = and_(later.customer_number == who.customer_number, later.answered_at >= who.last_at)
    # Whoever is rung back by a click is rung outside any hotline: of which project, nothing says.
    rung_back = exists().where(
        later.customer_number == who.customer_number,
        later.started_at >= who.last_at,
        later.direction == Direction.OUTBOUND.value,
        later.answered_at.is_not(None),
    )
    # Apart, because no index answers "equal, or both null" on PostgreSQL.
    return or_(
        rung_back,
        exists().where(later.project_id == who.project_id, talked),
        and_(who.project_id.is_(None), exists().where(later.project_id.is_(None), talked)),
    )


async def _with_last_call(connection: AsyncConnection, row: Any) -> GaveUp:
    asked = (
        select(
            Call.call_id,
            Call.pbx,
            Call.customer_id,
            Hotline.name.label("hotline"),
            Customer.name.label("customer_name"),
            QueuePass.queue,
            QueuePass.wait_seconds,
        )
        .outerjoin(Hotline, Hotline.id == Call.hotline_id)
        .outerjoin(Customer, Customer.id == Call.customer_id)
        .outerjoin(
            QueuePass,
            and_(QueuePass.call_id == Call.call_id, QueuePass.outcome == Outcome.ABANDONED.value),
        )
        .where(
            Call.customer_number == row.customer_number,
            Call.started_at == row.last_at,
            Call.project_id.is_not_distinct_from(row.project_id),
            Call.outcome == Outcome.ABANDONED.value,
        )
        .order_by(QueuePass.entered_at.desc())
        .limit(1)
    )
    last = (await connection.execute(asked)).one()
    return GaveUp(
        number=row.customer_number,
        project=row.project,
        last_at=row.last_at,
        times=row.times,
        last_call=CallId(last.call_id),
        pbx=PbxId(last.pbx),
        hotline=last.hotline,
        queue=last.queue,
        wait_seconds=last.wait_seconds,
        customer_id=last.customer_id,
        customer_name=last.customer_name,
    )


def _cursor(last_at: datetime, tie: str) -> str:
    text = f"{last_at.isoformat()} {tie}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    wrong = Invalid("cursor: not one that a former page gave")
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, call = text.partition(" ")
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise wrong from None
    if moment.tzinfo is None or not call:
        raise wrong
    return moment, call
