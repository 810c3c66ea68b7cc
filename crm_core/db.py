"""The database: one engine, one `transaction()`, SQLite and PostgreSQL alike.

Only `transaction` commits. Tables are declared beside their subject (`call_log/models.py` …) on the
`Table` base class here; migrations make them. Instants are aware UTC everywhere: `Instant` stores
them as TIMESTAMPTZ on PostgreSQL and as microseconds since 1970 on SQLite, whose text would lose
the zone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, CheckConstraint, DateTime, MetaData, String, event, types
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMES)


class Instant(types.TypeDecorator[datetime]):
    """An aware UTC datetime, to the microsecond, on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Any) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        if dialect.name == "sqlite":
            return (value - _EPOCH) // _MICROSECOND
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return _EPOCH + timedelta(microseconds=value)
        at: datetime = value.astimezone(UTC)
        return at


def stored(kind: type[StrEnum], column: str) -> CheckConstraint:
    """The CHECK of a column that holds a `StrEnum` by value."""
    values = ", ".join(f"'{member.value}'" for member in kind)
    return CheckConstraint(f"{column} IN ({values})", name=column)


ShortText = String(64)
"""For identities and enum values."""

Json = JSON().with_variant(JSONB(), "postgresql")


_JSON_BY_ORJSON: dict[str, Any] = {
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


def engine_of(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """The engine for `ZUOXI_DATABASE_URL` (`sqlite:///PATH` or `postgresql://…`)."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 30}, **_JSON_BY_ORJSON
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _roll_back_sqlite)
        return engine
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        **_JSON_BY_ORJSON,
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    cursor = connection.cursor()
    # WAL + NORMAL: a power loss may take the last commits, never the file; the resync and queue_log
    # bring the calls back.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _roll_back_sqlite(connection: Any, _record: Any, _reason: Any) -> None:
    # A task that is cancelled within a transaction throws its connection away. SQLite keeps the
    # write lock of a closed connection while anybody still refers to one of its cursors, as the
    # exception's traceback does; so the transaction ends before the connection is closed.
    driver = connection.driver_connection
    if driver._connection is not None:
        driver._tx.put_nowait((None, driver._connection.rollback))


def _begin_sqlite(connection: Any) -> None:
    # A transaction that reads first and writes later fails at once with "database is locked" if
    # somebody wrote in between; IMMEDIATE waits for its turn instead. Readers say so (`reading`).
    options = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if options.get("zuoxi_read_only") else "BEGIN IMMEDIATE")


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One request or one batch of events: commits at the end, rolls back on any exception."""
    async with engine.begin() as connection:
        yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that only reads: on SQLite it never waits for a writer."""
    async with engine.connect() as connection:
        await connection.execution_options(zuoxi_read_only=True)
        yield connection
