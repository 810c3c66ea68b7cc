"""The recorder's upserts, once for each database: `INSERT … ON CONFLICT` has two dialects."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Executable, Update, and_, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from crm_core.call_log.models import Boot, Call, CallEventRow, FeedRow, Gap
from crm_core.ids import PbxId


def insert_events(connection: AsyncConnection) -> Executable:
    """Facts; one that is there already stays as it is."""
    return _insert_or_nothing(connection.dialect.name, CallEventRow)


def insert_boots(connection: AsyncConnection) -> Executable:
    return _insert_or_nothing(connection.dialect.name, Boot)


def insert_gaps(connection: AsyncConnection) -> Executable:
    return _insert_or_nothing(connection.dialect.name, Gap)


def upsert_calls(connection: AsyncConnection) -> Executable:
    """A call's row, computed anew; a customer that a person chose for this number stays."""
    return _upsert_calls(connection.dialect.name)


def upsert_feed(connection: AsyncConnection, column: str) -> Executable:
    """`position` or `heard_until` of a feed; the other one is left alone."""
    return _upsert_feed(connection.dialect.name, column)


def end_former_boots(pbx: PbxId) -> Update:
    """Each boot ended, at the latest, when the next one began: in whatever order they were found."""
    later = aliased(Boot)
    next_began = (
        select(func.min(later.started_at))
        .where(later.pbx == pbx, later.started_at > Boot.started_at)
        .scalar_subquery()
    )
    return update(Boot).where(Boot.pbx == pbx).values(ended_at=next_began)


def _insert(dialect: str, table: type[Any]) -> Any:
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect](table.__table__)


@cache
def _insert_or_nothing(dialect: str, table: type[Any]) -> Executable:
    statement: Executable = _insert(dialect, table).on_conflict_do_nothing()
    return statement


@cache
def _upsert_calls(dialect: str) -> Executable:
    insert = _insert(dialect, Call)
    new = insert.excluded
    changes = {
        column.name: new[column.name]
        for column in Call.__table__.columns
        if column.name not in ("call_id", "customer_id")
    }
    same_number = Call.customer_number.is_not_distinct_from(new.customer_number)
    changes["customer_id"] = case(
        (and_(same_number, Call.customer_id.is_not(None)), Call.customer_id),
        else_=new.customer_id,
    )
    upsert: Executable = insert.on_conflict_do_update(index_elements=["call_id"], set_=changes)
    return upsert


@cache
def _upsert_feed(dialect: str, column: str) -> Executable:
    insert = _insert(dialect, FeedRow)
    upsert: Executable = insert.on_conflict_do_update(
        index_elements=["pbx", "feed"], set_={column: insert.excluded[column]}
    )
    return upsert
