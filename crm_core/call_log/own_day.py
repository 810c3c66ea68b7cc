"""What an agent missed and wrote today, beside what was taken (`queries.calls_today_of`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.models import Call, OfferAttempt
from crm_core.customers.models import Customer
from crm_core.events import AttemptResult, Direction
from crm_core.ids import CallId, UserId
from crm_core.quick_dataclass import dataclass
from crm_core.wrap_up.models import ContactRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRing:
    """A ring at the person's device that nobody there answered."""

    call_id: CallId
    offered_at: datetime
    direction: Direction
    customer_number: str | None
    customer_name: str | None


async def missed_by(
    connection: AsyncConnection, user_id: UserId, since: datetime
) -> Sequence[MissedRing]:
    """Rings since then that ended unanswered at this person's device, newest first."""
    rows = await connection.execute(
        select(
            OfferAttempt.call_id,
            OfferAttempt.offered_at,
            Call.direction,
            Call.customer_number,
            Customer.name,
        )
        .join(Call, Call.call_id == OfferAttempt.call_id)
        .outerjoin(Customer, Customer.id == Call.customer_id)
        .where(
            OfferAttempt.user_id == user_id,
            OfferAttempt.offered_at >= since,
            OfferAttempt.result == AttemptResult.NO_ANSWER.value,
        )
        .order_by(OfferAttempt.offered_at.desc())
    )
    return tuple(
        MissedRing(
            call_id=CallId(row.call_id),
            offered_at=row.offered_at,
            direction=Direction(row.direction),
            customer_number=row.customer_number,
            customer_name=row.name,
        )
        for row in rows
    )


async def own_notes(
    connection: AsyncConnection, user_id: UserId, since: datetime
) -> Mapping[CallId, str]:
    """Call → the person's own note, of those saved since then; drafts, too."""
    rows = await connection.execute(
        select(ContactRecord.call_id, ContactRecord.note).where(
            ContactRecord.user_id == user_id, ContactRecord.saved_at >= since
        )
    )
    return {CallId(row.call_id): row.note for row in rows}
