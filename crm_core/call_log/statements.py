"""The recorder's statements, once for each database: `INSERT … ON CONFLICT` has two dialects.

Those of every call are prepared for the driver (`of_calls`); those of a PBX, one a second or fewer, are
SQLAlchemy's as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    Dialect,
    Executable,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.driver import Prepared, prepared
from crm_core.call_log.models import (
    Boot,
    Call,
    CallAlias,
    CallEventRow,
    FeedRow,
    Gap,
    Leg,
    OfferAttempt,
    QueuePass,
    Transfer,
)
from crm_core.call_log.rows import Row
from crm_core.db import Table, insert_into
from crm_core.ids import CallId, PbxId
from crm_core.recordings.models import Recording
from crm_core.wrap_up.models import ContactRecord


@dataclass(frozen=True, slots=True)
class OfAPart:
    """The rows that a call has several of: passes, rings, legs, transfers."""

    name: str
    """The field of `CallRows`."""
    key: Callable[[Row], tuple[Any, ...]]
    upsert: Prepared
    delete: Prepared
    """By the whole key."""
    delete_all: Prepared
    """Of a call."""


@dataclass(frozen=True, slots=True)
class OfCalls:
    """What is said for every call."""

    insert_events: Prepared
    """Facts; one that is there already stays as it is."""
    upsert_calls: Prepared
    """A call's row, computed anew; a customer that a person chose for this number stays."""
    parts: tuple[OfAPart, ...]
    delete_calls: Prepared
    """Of calls that became parts of others: first their parts go."""
    upsert_aliases: Prepared


def of_calls(dialect: Dialect) -> OfCalls:
    """Compiled when they are first asked for."""
    found = _OF_CALLS.get(dialect.name)
    if found is None:
        found = _OF_CALLS[dialect.name] = _prepare(dialect)
    return found


_OF_CALLS: dict[str, OfCalls] = {}


def _prepare(dialect: Dialect) -> OfCalls:
    events = _insert_or_nothing(dialect.name, CallEventRow)
    parts = (
        ("passes", QueuePass),
        ("attempts", OfferAttempt),
        ("legs", Leg),
        ("transfers", Transfer),
    )
    calls, alias = Call.__table__, insert_into(dialect.name, CallAlias)
    renamed = alias.on_conflict_do_update(
        index_elements=["alias"], set_={"call_id": alias.excluded.call_id}
    )
    gone = delete(calls).where(calls.c.call_id == bindparam("call_id"))
    return OfCalls(
        insert_events=_with_all_columns(events, CallEventRow, dialect),
        upsert_calls=_with_all_columns(_upsert_calls(dialect.name), Call, dialect),
        parts=tuple(_part(name, table, dialect) for name, table in parts),
        delete_calls=prepared(gone, calls, ["call_id"], dialect),
        upsert_aliases=_with_all_columns(renamed, CallAlias, dialect),
    )


def _with_all_columns(statement: Executable, table: type[Table], dialect: Dialect) -> Prepared:
    columns = table.__table__.columns.keys()
    return prepared(statement, table.__table__, columns, dialect)


def _part(name: str, model: type[Table], dialect: Dialect) -> OfAPart:
    table = model.__table__
    key = [column.name for column in table.primary_key]
    insert = insert_into(dialect.name, model)
    others = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in key}
    upsert = insert.on_conflict_do_update(index_elements=key, set_=others)
    by_key = delete(table).where(*(table.c[column] == bindparam(column) for column in key))
    of_call = delete(table).where(table.c.call_id == bindparam("call_id"))
    return OfAPart(
        name=name,
        key=itemgetter(*key),
        upsert=_with_all_columns(upsert, model, dialect),
        delete=prepared(by_key, table, key, dialect),
        delete_all=prepared(of_call, table, ["call_id"], dialect),
    )


def notes_of(alias: CallId, call: CallId) -> Update:
    """What was written about a call that became a part of this one; who wrote about both keeps both."""
    mine = ContactRecord.__table__.alias().c
    same = select(mine.id).where(mine.call_id == call, mine.user_id == ContactRecord.user_id)
    return (
        update(ContactRecord)
        .where(ContactRecord.call_id == alias, ~same.exists())
        .values(call_id=call)
    )


def recordings_of(alias: CallId, call: CallId) -> Update:
    """What was recorded of a call that became a part of this one: who hears it, and how long it is
    kept, is this one's."""
    return update(Recording).where(Recording.call_id == alias).values(call_id=call)


def insert_boots(connection: AsyncConnection) -> Executable:
    return _insert_or_nothing(connection.dialect.name, Boot)


def insert_gaps(connection: AsyncConnection) -> Executable:
    return _insert_or_nothing(connection.dialect.name, Gap)


def upsert_feed(connection: AsyncConnection, column: str) -> Executable:
    """`position` or `heard_until` of a feed; the other one is left alone."""
    return _upsert_feed(connection.dialect.name, column)


def end_former_boots(pbx: PbxId) -> Update:
    """Each boot ended, at the latest, when the next one began: in whatever order they were found."""
    later = Boot.__table__.alias().c
    next_began = (
        select(func.min(later.started_at))
        .where(later.pbx == pbx, later.started_at > Boot.started_at)
        .scalar_subquery()
    )
    return update(Boot).where(Boot.pbx == pbx).values(ended_at=next_began)


@cache
def _insert_or_nothing(dialect: str, table: type[Any]) -> Executable:
    statement: Executable = insert_into(dialect, table).on_conflict_do_nothing()
    return statement


@cache
def _upsert_calls(dialect: str) -> Executable:
    insert = insert_into(dialect, Call)
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
    insert = insert_into(dialect, FeedRow)
    upsert: Executable = insert.on_conflict_do_update(
        index_elements=["pbx", "feed"], set_={column: insert.excluded[column]}
    )
    return upsert
