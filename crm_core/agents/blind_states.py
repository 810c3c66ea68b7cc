"""Who was paused while AMI was away: rows of `agent_states` that `queue_log` tells of afterwards.

Only inside a gap, and only a rest is split: an agent who was *ready* or *paused* when the gap began, and
of whom nothing else is known in it. What AMI told, before and after, stands as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.agents.members import changes_between
from crm_core.agents.models import AgentStateRow
from crm_core.agents.records import upsert_states
from crm_core.agents.rules import OURS, OUTSIDE
from crm_core.call_log import driver
from crm_core.call_log.models import Gap
from crm_core.centre.holders import HolderBook
from crm_core.events import (
    AgentState,
    Event,
    Feed,
    GapRecorded,
    Member,
    MemberChange,
    MemberTold,
    StateSource,
)
from crm_core.ids import PbxId

Row = dict[str, Any]
RESTS = (AgentState.READY, AgentState.PAUSED)
PAUSES = (MemberChange.PAUSED, MemberChange.UNPAUSED)


async def fill_blind_states(
    connection: AsyncConnection, batch: Sequence[Event], holders: HolderBook
) -> bool:
    """Look again at the gaps that `batch` records, or tells pauses of; whether a row was changed.

    A gap is mostly recorded before the rows of it are read, or the other way round.
    """
    gaps = {
        (event.pbx, event.began_at, event.at)
        for event in batch
        if isinstance(event, GapRecorded) and event.feed is Feed.AMI
    }
    told = [e for e in batch if isinstance(e, MemberTold) and e.change in PAUSES]
    if told:
        gaps |= await _gaps_around(connection, told)
    changed = False
    for pbx, began_at, ended_at in sorted(gaps):
        rows = await _filled(connection, pbx, began_at, ended_at, holders)
        if rows:
            upsert = upsert_states(connection.dialect)
            await driver.write(connection, [(upsert, upsert.of(rows))])
            changed = True
    return changed


async def _gaps_around(
    connection: AsyncConnection, told: Sequence[MemberTold]
) -> set[tuple[PbxId, datetime, datetime]]:
    begin, end = min(event.at for event in told), max(event.at for event in told)
    rows = await connection.execute(
        select(Gap.pbx, Gap.began_at, Gap.ended_at).where(
            Gap.feed == Feed.AMI, Gap.began_at <= end, Gap.ended_at >= begin
        )
    )
    pbxs = {event.pbx for event in told}
    return {(PbxId(pbx), began, ended) for pbx, began, ended in rows if pbx in pbxs}


async def _filled(
    connection: AsyncConnection,
    pbx: PbxId,
    began_at: datetime,
    ended_at: datetime,
    holders: HolderBook,
) -> list[Row]:
    of_users: dict[int, list[MemberTold]] = defaultdict(list)
    for change in await changes_between(connection, pbx, began_at, ended_at):
        if change.change not in PAUSES or (change.reason or "").startswith(OURS):
            continue
        user = holders.holder(pbx, Member(name=change.name), change.at).user_id
        if user is not None:
            of_users[user].append(change)
    if not of_users:
        return []
    rows = await connection.execute(
        select(AgentStateRow.__table__).where(
            AgentStateRow.user_id.in_(of_users),
            AgentStateRow.pbx == pbx,
            AgentStateRow.state.in_(RESTS),
            AgentStateRow.began_at < ended_at,
            or_(AgentStateRow.ended_at.is_(None), AgentStateRow.ended_at > began_at),
        )
    )
    found: list[Row] = []
    for row in rows:
        found += split(dict(row._mapping), of_users[row.user_id], began_at, ended_at)
    return found


def split(
    row: Row, changes: Iterable[MemberTold], gap_began: datetime, gap_ended: datetime
) -> list[Row]:
    """The rows that take the place of `row`, the first of them itself cut short; [] where nothing
    changes. Pure.

    After the gap the agent is what `row` says, for AMI has told nothing else.
    """
    begin = max(row["began_at"], gap_began)
    end = gap_ended if row["ended_at"] is None else min(row["ended_at"], gap_ended)
    pieces: list[Row] = [dict(row)]
    paused_in = {"?"} if row["state"] == AgentState.PAUSED else set[str]()
    for change in changes:
        if not begin < change.at < end:
            continue
        if change.change is MemberChange.PAUSED:
            paused_in.add(change.queue)
        else:
            paused_in -= {change.queue, "?"}
        _go_on(pieces, AgentState.PAUSED if paused_in else AgentState.READY, change.at, row)
    if len(pieces) == 1:
        return []
    if end != row["ended_at"]:
        pieces[-1]["ended_at"] = end
        pieces.append({**row, "began_at": end})
    pieces[-1]["ended_at"] = row["ended_at"]
    return pieces


def _go_on(pieces: list[Row], state: AgentState, at: datetime, row: Row) -> None:
    """From `at` on it is `state`, if it was not so already."""
    if pieces[-1]["state"] == state:
        return
    pieces[-1]["ended_at"] = at
    pieces.append(
        {
            **row,
            "began_at": at,
            "ended_at": None,
            "state": state.value,
            "reason": OUTSIDE if state is AgentState.PAUSED else None,
            "source": StateSource.QUEUE_LOG.value,
            "call_id": None,
            "queue": None,
            "due_at": None,
            "next_state": None,
            "next_reason": None,
        }
    )
