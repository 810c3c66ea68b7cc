"""Changes of state into rows of `agent_states`, within the recorder's transaction.

A change ends the row before it and begins one; the same change again finds its row there. Writing a
batch twice therefore changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Dialect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.agents.models import AgentStateRow
from crm_core.call_log import driver
from crm_core.call_log.driver import Prepared, prepared
from crm_core.db import insert_into
from crm_core.events import AgentState, AgentStateChanged, Event, NextStateChosen

Row = dict[str, Any]
OfAgents = AgentStateChanged | NextStateChosen
"""What the recorder writes about agents."""


class StateWriter:
    """Keeps the row that each person has open, so that a change of state costs no reading.

    Memory is a copy: whose row is not there is read; after a failed transaction call `forget`.
    """

    def __init__(self) -> None:
        self._open: dict[int, Row] = {}

    async def write(self, connection: AsyncConnection, batch: Sequence[Event]) -> None:
        """All changes of state in `batch`, in their order."""
        changes = [event for event in batch if isinstance(event, OfAgents)]
        if not changes:
            return
        unknown = {event.user for event in changes} - self._open.keys()
        if unknown:
            self._open |= await _open_rows(connection, unknown)
        rows = fold(changes, self._open)
        self._open |= {row["user_id"]: row for row in rows}
        # In this order: a row has ended before another of the person is the open one.
        upsert = upsert_states(connection.dialect)
        await driver.write(connection, [(upsert, upsert.of(rows))])

    def forget(self) -> None:
        """The transaction failed: memory may be ahead of the database."""
        self._open.clear()


async def _open_rows(connection: AsyncConnection, users: Collection[int]) -> dict[int, Row]:
    found = await connection.execute(
        select(AgentStateRow.__table__).where(
            AgentStateRow.user_id.in_(users), AgentStateRow.ended_at.is_(None)
        )
    )
    return {row.user_id: dict(row._mapping) for row in found}


def fold(changes: Iterable[OfAgents], open_rows: Mapping[int, Row]) -> list[Row]:
    """The rows that these changes make or end, for each person oldest first. Pure."""
    rows: dict[tuple[int, datetime], Row] = {}
    changes = tuple(changes)
    # Of those who changed, not of everybody: a floor has a thousand agents, a batch a dozen changes.
    concerned = {event.user for event in changes} & open_rows.keys()
    current: dict[int, Row] = {user: dict(open_rows[user]) for user in concerned}
    for event in changes:
        row = current.get(event.user)
        if isinstance(event, NextStateChosen):
            if row is not None:
                row["next_state"] = None if event.state is None else event.state.value
                row["next_reason"] = event.reason
                rows[event.user, row["began_at"]] = row
            continue
        # Two clocks (two PBXs, a sign-out of ours) may disagree by a little: time does not go back.
        began_at = event.at if row is None else max(event.at, row["began_at"])
        if row is not None and row["began_at"] < began_at:
            row["ended_at"] = began_at
            rows[event.user, row["began_at"]] = row
        new = _row(event, began_at)
        if row is not None and event.state is not AgentState.OFFLINE:
            # What was chosen during the call is told once and holds through its wrap-up.
            new |= {name: row[name] for name in ("next_state", "next_reason")}
        current[event.user] = rows[event.user, began_at] = new
    return list(rows.values())


def _row(event: AgentStateChanged, began_at: datetime) -> Row:
    return {
        "user_id": event.user,
        "began_at": began_at,
        "ended_at": None,
        "pbx": event.pbx,
        "interface": event.interface,
        "state": event.state.value,
        "reason": event.reason,
        "source": event.source.value,
        "call_id": event.call,
        "queue": event.queue,
        "due_at": event.due_at,
        "next_state": None,
        "next_reason": None,
    }


def upsert_states(dialect: Dialect) -> Prepared:
    found = _PREPARED.get(dialect.name)
    if found is None:
        table, insert = AgentStateRow.__table__, insert_into(dialect.name, AgentStateRow)
        keys = ("user_id", "began_at")
        changes = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
        upsert = insert.on_conflict_do_update(index_elements=keys, set_=changes)
        found = _PREPARED[dialect.name] = prepared(upsert, table, table.columns.keys(), dialect)
    return found


_PREPARED: dict[str, Prepared] = {}
