"""All that was written about a call, by whoever took part in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import User
from crm_core.call_log.details import DispositionLabel
from crm_core.ids import CallId, UserId
from crm_core.quick_dataclass import dataclass
from crm_core.wrap_up.models import ContactRecord, Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOfCall:
    """One person's note and disposition."""

    agent: str
    """Full name."""
    note: str
    disposition: DispositionLabel | None
    submitted: bool
    saved_at: datetime
    user_id: UserId | None = None


async def records_of_call(connection: AsyncConnection, call_id: CallId) -> tuple[RecordOfCall, ...]:
    """In order of saving. Who may see the call may see them: ask that first."""
    return (await records_of_calls(connection, [call_id])).get(call_id, ())


async def records_of_calls(
    connection: AsyncConnection, call_ids: Sequence[CallId]
) -> Mapping[CallId, tuple[RecordOfCall, ...]]:
    """The same of several calls; one that nobody wrote about is not there."""
    rows = await connection.execute(
        select(
            ContactRecord.call_id,
            ContactRecord.user_id,
            User.full_name,
            ContactRecord.note,
            ContactRecord.submitted,
            ContactRecord.saved_at,
            Disposition.key,
            Disposition.label_zh,
            Disposition.label_en,
        )
        .join(User, User.id == ContactRecord.user_id)
        .outerjoin(Disposition, Disposition.id == ContactRecord.disposition_id)
        .where(ContactRecord.call_id.in_(call_ids))
        .order_by(ContactRecord.saved_at)
    )
    found: dict[CallId, tuple[RecordOfCall, ...]] = {}
    for row in rows:
        found[row.call_id] = (*found.get(row.call_id, ()), _record(row))
    return found


def _record(row: Any) -> RecordOfCall:
    return RecordOfCall(
        agent=row.full_name,
        note=row.note,
        disposition=DispositionLabel(key=row.key, zh=row.label_zh, en=row.label_en)
        if row.key
        else None,
        submitted=row.submitted,
        saved_at=row.saved_at,
        user_id=UserId(row.user_id),
    )
