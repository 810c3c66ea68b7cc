"""All calls of one customer with what was written about them, newest first, page by page.

A call is the customer's when its row says so, when somebody said so in the note, or when it was with
one of the customer's numbers and nobody said that it was another customer's.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, literal, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import User
from crm_core.access.scope import calls_in_scope
from crm_core.access.viewer import Viewer
from crm_core.call_log.models import Call
from crm_core.customers.models import PhoneNumber
from crm_core.customers.queries import in_scope
from crm_core.db import Instant
from crm_core.errors import Invalid
from crm_core.events import Direction, Outcome
from crm_core.ids import CallId
from crm_core.quick_dataclass import dataclass
from crm_core.wrap_up.models import ContactRecord
from crm_core.wrap_up.records import RecordOfCall, records_of_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """One call and what people wrote about it."""

    call_id: CallId
    started_at: datetime
    direction: Direction
    answered: bool
    ended: bool
    outcome: Outcome | None
    """Of the last pass; None without a queue, or while it lasts."""
    agent: str | None
    """The full name of who talked last, else the member's name."""
    talk_seconds: int | None
    may_open: bool
    """The call lies in the viewer's own data scope, so its page opens."""
    records: tuple[RecordOfCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`next_cursor` is None at the first call ever."""

    calls: tuple[PastCall, ...]
    next_cursor: str | None


async def history(
    connection: AsyncConnection,
    customer_id: int,
    viewer: Viewer,
    *,
    limit: int = 20,
    cursor: str | None = None,
) -> History:
    """Who may read the file may know of all its calls, as on the screen pop; opening one is for the
    call's own scope. Raises `Invalid` for a cursor that is not ours."""
    if not await in_scope(connection, customer_id, viewer):
        return History(calls=(), next_cursor=None)
    before = None if cursor is None else _read_cursor(cursor)
    ids = union(
        *(
            select(each.c.call_id)
            for each in (
                _newest(condition, before, limit + 1).subquery()
                for condition in _whose(customer_id)
            )
        )
    ).subquery()
    rows = (
        await connection.execute(
            select(Call, User.full_name, calls_in_scope(viewer).label("may_open"))
            .outerjoin(User, User.id == Call.user_id)
            .where(Call.call_id.in_(select(ids.c.call_id)))
            .order_by(Call.started_at.desc(), Call.call_id.desc())
            .limit(limit + 1)
        )
    ).all()
    kept = rows[:limit]
    written = await records_of_calls(connection, [row.call_id for row in kept])
    return History(
        calls=tuple(_past_call(row, written.get(row.call_id, ())) for row in kept),
        next_cursor=_cursor(kept[-1]) if len(rows) > limit else None,
    )


def _whose(customer_id: int) -> tuple[ColumnElement[bool], ...]:
    """Each answered by an index of its own; one OR would read all calls."""
    numbers = select(PhoneNumber.number).where(PhoneNumber.customer_id == customer_id)
    said = select(ContactRecord.call_id).where(ContactRecord.customer_id == customer_id)
    is_anothers = exists().where(
        ContactRecord.call_id == Call.call_id,
        ContactRecord.customer_id.is_not(None),
        ContactRecord.customer_id != customer_id,
    )
    return (
        and_(Call.customer_id == customer_id, ~is_anothers),
        and_(Call.customer_number.in_(numbers), ~is_anothers),
        Call.call_id.in_(said),
    )


def _newest(
    condition: ColumnElement[bool], before: tuple[datetime, str] | None, limit: int
) -> Select[Any]:
    asked = select(Call.call_id).where(condition)
    if before is not None:
        here = tuple_(literal(before[0], Instant), literal(before[1]))
        asked = asked.where(tuple_(Call.started_at, Call.call_id) < here)
    return asked.order_by(Call.started_at.desc(), Call.call_id.desc()).limit(limit)


def _past_call(row: Any, records: Sequence[RecordOfCall]) -> PastCall:
    return PastCall(
        call_id=CallId(row.call_id),
        started_at=row.started_at,
        direction=Direction(row.direction),
        answered=row.answered_at is not None,
        ended=row.ended_at is not None,
        outcome=Outcome(row.outcome) if row.outcome else None,
        agent=row.full_name or row.member_name,
        talk_seconds=row.talk_seconds,
        may_open=bool(row.may_open),
        records=tuple(records),
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _cursor(row: Any) -> str:
    microseconds = (row.started_at - _EPOCH) // timedelta(microseconds=1)
    return urlsafe_b64encode(f"{microseconds} {row.call_id}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, str]:
    try:
        plain = urlsafe_b64decode(text[:200] + "=" * (-len(text[:200]) % 4)).decode("ascii")
        microseconds, call_id = plain.split(" ")
        return _EPOCH + timedelta(microseconds=int(microseconds)), call_id
    except (ValueError, OverflowError):
        raise Invalid("This cursor is not one that the list gave.") from None
