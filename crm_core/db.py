"""The database: one engine, one `transaction()`, SQLite and PostgreSQL alike.

Only `transaction` commits. Tables are declared beside their subject (`call_log/models.py` …) on the
`Table` base class here; migrations make them. They are SQLAlchemy Core's: nobody here keeps objects
in a session, and the mappers of its ORM would take a tenth of every start (DECISIONS 13). Instants are aware UTC everywhere: `Instant` stores
them as TIMESTAMPTZ on PostgreSQL and as microseconds since 1970 on SQLite, whose text would lose
the zone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import orjson
import sqlalchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ColumnClause,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    event,
    types,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


Column = ColumnClause
"""What a column's annotation says. (Type checkers refuse `sqlalchemy.Column` as a class attribute.)"""


class Table:
    """Base of all tables: `class Seat(Table)` declares one, `select(Seat.name)` reads from it.

    A column is annotated `Column[int]`, or `Column[int | None]` where it may be NULL; `column()` says
    what the annotation does not. The class stands for its table in `insert`, `update`, `join` ….
    """

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)
    __tablename__: ClassVar[str]
    __table_args__: ClassVar[tuple[Any, ...]] = ()
    __table__: ClassVar[sqlalchemy.Table]

    def __init_subclass__(cls) -> None:
        columns = [
            _named_column(cls, name, said)
            for name, said in cls.__annotations__.items()
            if said.startswith("Column[")
        ]
        cls.__table__ = sqlalchemy.Table(
            cls.__tablename__, cls.metadata, *columns, *cls.__table_args__
        )
        for declared in columns:
            setattr(cls, declared.key, declared)

    @classmethod
    def __clause_element__(cls) -> sqlalchemy.Table:
        return cls.__table__


def column(*said: Any, **more: Any) -> Any:
    """What an annotation cannot say: the arguments of `sqlalchemy.Column`, without name and NULL."""
    return sqlalchemy.Column(*said, **more)


_TYPES = MappingProxyType({"int": Integer, "bool": Boolean})


def _named_column(table: type[Table], name: str, annotation: str) -> sqlalchemy.Column[Any]:
    """The column of one annotation. Raises TypeError where its type is not said."""
    declared = table.__dict__.get(name)
    if declared is None:
        declared = sqlalchemy.Column()
    if not isinstance(declared, sqlalchemy.Column):
        raise TypeError(f"{table.__name__}.{name}: declare it by crm_core.db.column()")
    python, _, null = annotation.removeprefix("Column[").removesuffix("]").partition(" | ")
    declared.name = declared.key = name
    if not declared.primary_key:
        declared.nullable = null == "None"
    if isinstance(declared.type, types.NullType) and not declared.foreign_keys:
        if python not in _TYPES:
            raise TypeError(f"{table.__name__}.{name}: no column type is known for {python}")
        declared.type = _TYPES[python]()
    return declared


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


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which `where` holds.

    `migrations.tables` says it in each database's own option: that of PostgreSQL would load its
    dialect at every start on SQLite (25 ms).
    """
    return Index(name, *columns, unique=unique, info={"where": where})


def insert_into(dialect: str, table: type[Table]) -> Any:
    """An INSERT that knows ON CONFLICT: each dialect has its own."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # 30 ms that a start on SQLite does not need

        return postgresql.insert(table.__table__)
    return sqlite.insert(table.__table__)


ShortText = String(64)
"""For identities and enum values."""


class Json(types.TypeDecorator[Any]):
    """JSON; on PostgreSQL as JSONB, whose dialect is loaded there only (20 ms)."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            return dialect.type_descriptor(JSONB())
        return dialect.type_descriptor(JSON())


_EVERY_ENGINE: dict[str, Any] = {
    "hide_parameters": True,  # an error goes into the log, the customer whose values it had does not
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


def engine_of(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """The engine for `ZUOXI_DATABASE_URL` (`sqlite:///PATH` or `postgresql://…`)."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 30}, **_EVERY_ENGINE
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _roll_back_sqlite)
        return engine
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        **_EVERY_ENGINE,
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
