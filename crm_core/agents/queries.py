"""Reading what agents did: the day of one, seconds per state, the reasons for a pause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.devices import signed_in
from crm_core.agents.models import AgentStateRow, PauseReason
from crm_core.centre.models import SeatHolding
from crm_core.commands import KnownAgent
from crm_core.events import AgentSignedIn, AgentState, AgentStateChanged, StateSource
from crm_core.ids import CallId, PbxId, UserId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseReasonInfo:
    """What a pause may be for; `code` is what rows, frames and commands say."""

    code: str
    label_zh: str
    label_en: str
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSpan:
    """One state from–to; `ended_at` None while it lasts."""

    user: UserId
    state: AgentState
    reason: str | None
    source: StateSource
    began_at: datetime
    ended_at: datetime | None
    call: CallId | None = None
    queue: str | None = None


async def pause_reasons(
    connection: AsyncConnection, *, all_of_them: bool = False
) -> tuple[PauseReasonInfo, ...]:
    """Those that may be chosen, in their order; `all_of_them`: those no longer offered, too."""
    asked = select(PauseReason).order_by(PauseReason.ordinal, PauseReason.code)
    if not all_of_them:
        asked = asked.where(PauseReason.active.is_(True))
    return tuple(
        PauseReasonInfo(
            code=row.code, label_zh=row.label_zh, label_en=row.label_en, active=row.active
        )
        for row in await connection.execute(asked)
    )


async def states_between(
    connection: AsyncConnection,
    users: Sequence[UserId],
    began_at: datetime,
    ended_at: datetime,
) -> tuple[StateSpan, ...]:
    """What these people did in [began_at, ended_at), oldest first; spans may reach beyond both."""
    found = await connection.execute(
        select(AgentStateRow)
        .where(
            AgentStateRow.user_id.in_(users),
            AgentStateRow.began_at < ended_at,
            or_(AgentStateRow.ended_at.is_(None), AgentStateRow.ended_at > began_at),
        )
        .order_by(AgentStateRow.began_at, AgentStateRow.user_id)
    )
    return tuple(_span(row) for row in found)


def seconds_per_state(
    spans: Iterable[StateSpan], began_at: datetime, ended_at: datetime, now: datetime
) -> dict[UserId, dict[tuple[AgentState, str | None], float]]:
    """Seconds of each (state, pause reason) within [began_at, ended_at), up to `now`. Pure.

    Of one person they add up to the time from the first row on; additive over people and days.
    """
    found: dict[UserId, dict[tuple[AgentState, str | None], float]] = defaultdict(dict)
    until = min(ended_at, now)
    for span in spans:
        begin, end = max(span.began_at, began_at), min(span.ended_at or until, until)
        if end > begin:
            mine, key = found[span.user], (span.state, span.reason)
            mine[key] = mine.get(key, 0.0) + (end - begin) / timedelta(seconds=1)
    return dict(found)


async def known_agents(connection: AsyncConnection, pbx: PbxId) -> tuple[KnownAgent, ...]:
    """Who is signed in at this PBX, and whose last state there is no `offline`."""
    open_rows = {
        UserId(row.user_id): row
        for row in await connection.execute(
            select(AgentStateRow).where(
                AgentStateRow.pbx == pbx,
                AgentStateRow.ended_at.is_(None),
                AgentStateRow.state != AgentState.OFFLINE,
            )
        )
    }
    holding = await _signed_in_at(connection, pbx)
    there = [
        _known(holding.get(user), open_rows.get(user)) for user in sorted({*open_rows, *holding})
    ]
    return tuple(there)


async def _signed_in_at(connection: AsyncConnection, pbx: PbxId) -> dict[UserId, AgentSignedIn]:
    """With the moment of each sign-in."""
    since = {
        (row.user_id, row.interface): row.began_at
        for row in await connection.execute(
            select(SeatHolding.user_id, SeatHolding.interface, SeatHolding.began_at).where(
                SeatHolding.pbx == pbx, SeatHolding.ended_at.is_(None)
            )
        )
    }
    if not since:
        return {}
    now = max(since.values())
    return {
        event.user: replace(event, at=since[event.user, event.interface])
        for event in await signed_in(connection, at=now)
        if event.pbx == pbx
    }


def _known(event: AgentSignedIn | None, row: Row[*tuple[Any, ...]] | None) -> KnownAgent:
    if row is None:
        return KnownAgent(signed_in=event, left_in=None)
    left_in = AgentStateChanged(
        at=row.began_at,
        pbx=PbxId(row.pbx),
        user=UserId(row.user_id),
        agent_number=event.agent_number if event is not None else "",
        interface=row.interface,
        state=AgentState(row.state),
        source=StateSource(row.source),
        reason=row.reason,
        call=CallId(row.call_id) if row.call_id is not None else None,
        queue=row.queue,
        due_at=row.due_at,
    )
    return KnownAgent(
        signed_in=event,
        left_in=left_in,
        next_state=AgentState(row.next_state) if row.next_state is not None else None,
        next_reason=row.next_reason,
    )


def _span(row: Row[*tuple[Any, ...]]) -> StateSpan:
    return StateSpan(
        user=UserId(row.user_id),
        state=AgentState(row.state),
        reason=row.reason,
        source=StateSource(row.source),
        began_at=row.began_at,
        ended_at=row.ended_at,
        call=CallId(row.call_id) if row.call_id is not None else None,
        queue=row.queue,
    )
