"""Statements of the recorder, compiled once, and tuples handed straight to the driver.

The recorder writes some hundred rows a second while phones ring in the same loop. SQLAlchemy makes
each statement anew, and aiosqlite needs four turns of its thread for one: 0.2 ms of the loop each. So
here SQLAlchemy says once what the SQL is and how values are stored, and on SQLite everything a batch
writes is one turn of the thread, on the connection and in the transaction that SQLAlchemy opened. On
PostgreSQL the same SQL goes through SQLAlchemy's cursor, which sends a list in one round trip.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.db import Json

Parameters = tuple[Any, ...]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as the driver takes it, and how a row becomes its parameters."""

    sql: str
    _values: Callable[[dict[str, Any]], Parameters]
    _stored: tuple[tuple[int, Callable[[Any], Any]], ...]
    """Which parameters are stored otherwise than Python has them (instants), and how."""

    def of(self, rows: Iterable[dict[str, Any]]) -> list[Parameters]:
        """The parameters for these rows. Raises KeyError where a row lacks a column."""
        found = []
        for row in rows:
            values = list(self._values(row))
            for place, as_stored in self._stored:
                values[place] = as_stored(values[place])
            found.append(tuple(values))
        return found


def prepared(
    statement: Executable, table: SqlTable, names: Sequence[str], dialect: Dialect
) -> Prepared:
    """Compile a statement on `table` with the columns `names` as parameters. JSON is given as text."""
    compiled = cast("Any", statement).compile(dialect=dialect, column_keys=list(names))
    order: list[str] = compiled.positiontup
    stored = []
    for place, name in enumerate(order):
        kind = table.c[name].type
        as_stored = kind.dialect_impl(dialect).bind_processor(dialect)
        if as_stored is not None and not isinstance(kind, Json):
            stored.append((place, as_stored))

    def the_only(row: dict[str, Any]) -> Parameters:
        return (row[order[0]],)

    values = itemgetter(*order) if len(order) > 1 else the_only
    return Prepared(sql=str(compiled), _values=values, _stored=tuple(stored))


Step = tuple[Prepared, list[Parameters]]


async def write(connection: AsyncConnection, steps: Sequence[Step]) -> None:
    """All of it in this order. Raises what SQLAlchemy would."""
    steps = [(statement, rows) for statement, rows in steps if rows]
    if not steps:
        return
    if connection.dialect.name != "sqlite":
        await connection.run_sync(_write, steps)
        return

    def act(driver: sqlite3.Connection) -> None:
        for statement, rows in steps:
            driver.executemany(statement.sql, rows)

    await _in_its_thread(connection, act)


def _write(connection: Connection, steps: Sequence[Step]) -> None:
    for statement, rows in steps:
        connection.exec_driver_sql(statement.sql, rows)


async def rows_with(
    connection: AsyncConnection, question: str, keys: Collection[str]
) -> Sequence[Sequence[Any]]:
    """What `question` answers for these texts, which stand in it as `IN {keys}`."""
    if not keys:
        return []
    if connection.dialect.name != "sqlite":
        asked = question.format(keys="(SELECT unnest($1::text[]))")
        return (await connection.exec_driver_sql(asked, (list(keys),))).all()
    asked = question.format(keys="(SELECT value FROM json_each(?))")
    text = orjson.dumps(list(keys)).decode()

    def act(driver: sqlite3.Connection) -> list[Any]:
        return driver.execute(asked, (text,)).fetchall()

    return await _in_its_thread(connection, act)


async def _in_its_thread(
    connection: AsyncConnection, act: Callable[[sqlite3.Connection], Answer]
) -> Answer:
    """Do it in the thread that owns the SQLite connection: one turn, however much it is."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        answer: Answer = await driver._execute(act, driver._conn)
    except sqlite3.Error as wrong:
        raise DBAPIError.instance(
            "a batch of the recorder", None, wrong, sqlite3.Error, dialect=connection.dialect
        ) from wrong
    return answer
