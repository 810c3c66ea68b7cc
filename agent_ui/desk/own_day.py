"""The own day at the desk: what was taken, dialled and missed since midnight, and how long it took."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from agent_ui import callers
from agent_ui.desk.view import MyCall, MyDay
from agent_ui.desk.who import excerpt
from agent_ui.shapes import number_for
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.agents.queries import seconds_per_state, states_between
from crm_core.call_log.details import CallDetail
from crm_core.call_log.own_day import MissedRing, missed_by, own_notes
from crm_core.call_log.queries import calls_today_of
from crm_core.events import AgentState, Direction
from crm_core.ids import UserId

SHOWN_CALLS = 30
"""Lines of the own day."""


async def my_day(
    connection: AsyncConnection,
    viewer: Viewer,
    language: str,
    *,
    reads_names: bool,
    since: datetime,
    now: datetime,
) -> MyDay:
    """Everything since `since`, the newest first; cut to what the viewer may read."""
    assert viewer.user_id is not None
    taken = await calls_today_of(connection, viewer.user_id, since)
    missed = await missed_by(connection, viewer.user_id, since)
    notes = await own_notes(connection, viewer.user_id, since)
    lines = [
        *(_taken(one, viewer, language, reads_names, notes.get(one.call_id, "")) for one in taken),
        *(_missed(ring, viewer, reads_names) for ring in missed),
    ]
    lines.sort(key=lambda line: line.at, reverse=True)
    placed = sum(call.direction is Direction.OUTBOUND for call in taken)
    return MyDay(
        answered=len(taken) - placed,
        placed=placed,
        missed=len(missed),
        talk_seconds=sum(call.talk_seconds or 0 for call in taken),
        wrap_up_seconds=await _wrap_up_seconds(connection, viewer.user_id, since, now),
        calls=tuple(lines[:SHOWN_CALLS]),
        may_dial=viewer.may(Permission.PLACE_CALLS),
    )


async def _wrap_up_seconds(
    connection: AsyncConnection, user: UserId, since: datetime, now: datetime
) -> int:
    """Wrap-ups that are over: one that runs has its own clock in the header."""
    spans = await states_between(connection, [user], since, now)
    over = [span for span in spans if span.ended_at is not None]
    seconds = seconds_per_state(over, since, now, now).get(user, {})
    return int(seconds.get((AgentState.WRAP_UP, None), 0))


def _taken(call: CallDetail, viewer: Viewer, language: str, reads_names: bool, note: str) -> MyCall:
    return MyCall(
        call=call.call_id,
        at=call.started_at,
        direction=call.direction,
        name=call.customer_name if reads_names else None,
        number=number_for(viewer, call.customer_number),
        talk_seconds=call.talk_seconds,
        disposition=callers.disposition(call.disposition, language),
        note=excerpt(note),
    )


def _missed(ring: MissedRing, viewer: Viewer, reads_names: bool) -> MyCall:
    return MyCall(
        call=ring.call_id,
        at=ring.offered_at,
        direction=ring.direction,
        name=ring.customer_name if reads_names else None,
        number=number_for(viewer, ring.customer_number),
        missed=True,
    )
