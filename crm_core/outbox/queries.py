"""Writing a wish down, finding it again, and how it ended."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.models import Leg
from crm_core.commands import Target, TargetKind
from crm_core.db import insert_into
from crm_core.ids import CallId, PbxId, UserId
from crm_core.outbox.models import CommandOutcome, CommandRow
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A call to be placed: by whom it is wanted, at whose phone, to whom."""

    actor: str
    wish: str
    pbx: PbxId
    attempt: str
    user_id: UserId
    interface: str
    to: Target
    reason: str
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWish:
    """A wish as it was written down first, and what became of it (None: nobody knows yet)."""

    attempt: str
    pbx: PbxId
    user_id: UserId | None
    to: Target
    asked_at: datetime
    outcome: CommandOutcome | None
    refused: str | None
    call_id: CallId | None


async def keep(connection: AsyncConnection, wish: Wish) -> tuple[KeptWish, bool]:
    """Write it down; True: it is new. Else what was written down under this key before."""
    values = {name: value for name, value in asdict(wish).items() if name != "to"}
    insert = insert_into(connection.dialect.name, CommandRow).values(
        **values, target_kind=wish.to.kind, target=wish.to.exten
    )
    made = await connection.scalar(insert.on_conflict_do_nothing().returning(CommandRow.id))
    row = (
        await connection.execute(
            select(CommandRow).where(CommandRow.actor == wish.actor, CommandRow.wish == wish.wish)
        )
    ).one()
    kept = KeptWish(
        attempt=row.attempt,
        pbx=PbxId(row.pbx),
        user_id=UserId(row.user_id) if row.user_id is not None else None,
        to=Target(kind=TargetKind(row.target_kind), exten=row.target),
        asked_at=row.asked_at,
        outcome=CommandOutcome(row.outcome) if row.outcome is not None else None,
        refused=row.refused,
        call_id=CallId(row.call_id) if row.call_id is not None else None,
    )
    return kept, made is not None


async def settle(
    connection: AsyncConnection,
    attempt: str,
    outcome: CommandOutcome,
    *,
    at: datetime,
    refused: str | None = None,
    call: CallId | None = None,
) -> None:
    """How it ended; what is settled already stays so."""
    await connection.execute(
        update(CommandRow)
        .where(CommandRow.attempt == attempt, CommandRow.outcome.is_(None))
        .values(outcome=outcome, ended_at=at, refused=refused and refused[:500], call_id=call)
    )


async def call_of_attempt(connection: AsyncConnection, attempt: str) -> CallId | None:
    """The recorded call that began with this channel: it is its own oldest one."""
    found = await connection.scalar(select(Leg.call_id).where(Leg.linked_id == attempt).limit(1))
    return CallId(found) if found is not None else None
