"""Migrations of the database, numbered, run without an alembic.ini.

`upgrade` is what every start calls: on a database that is up to date it costs one query and does not
import alembic. `python -m crm_core.migrations revision "what changes"` writes the next one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.db import engine_of, reading, transaction
from crm_core.errors import SettingError

FOLDER = Path(__file__).parent

LOCK = 0x5A755801
"""PostgreSQL's advisory lock while migrating: any number that nothing else here uses."""


def revisions() -> list[str]:
    """The revisions this code knows, oldest first: the numbers before the names of the files."""
    return sorted(file.name.partition("_")[0] for file in (FOLDER / "versions").glob("[0-9]*.py"))


async def current(url: str) -> str | None:
    """The revision the database is at; None: it holds nothing of ours yet."""
    if url.startswith("sqlite:///"):
        return _sqlite_version(url.removeprefix("sqlite:///"))
    engine = engine_of(url)
    try:
        async with reading(engine) as connection:
            return await version_in(connection)
    finally:
        await engine.dispose()


async def upgrade(url: str) -> None:
    """Bring the database to this code's schema, all of it or nothing.

    Two at once are safe: the second waits for the first. Raises `SettingError` when the database is
    newer than the code.
    """
    known = revisions()
    if await _checked(url, known) == known[-1]:
        return
    engine = engine_of(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _without_foreign_keys)
    try:
        async with transaction(engine) as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            await connection.run_sync(_upgrade)
            await _check_foreign_keys(engine, connection)
    finally:
        await engine.dispose()


async def _checked(url: str, known: list[str]) -> str | None:
    version = await current(url)
    if version is not None and version not in known:
        raise SettingError(
            f"ZUOXI_DATABASE_URL: the database is at revision {version}, this version of Zuoxi "
            f"knows none after {known[-1]}. Start the newer version again, or point the setting at "
            "another database."
        )
    return version


def _sqlite_version(path: str) -> str | None:
    # Every start asks this: the driver alone answers in under a millisecond.
    if not Path(path).exists():
        return None
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        tables = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        if connection.execute(tables).fetchone() is None:
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found[0]) if found else None


async def version_in(connection: AsyncConnection) -> str | None:
    """The revision of this database; None: it holds nothing of ours."""
    try:
        found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found
    except ProgrammingError:  # the table is not there
        return None


def _upgrade(connection: Connection) -> None:
    from alembic import command  # 0.2 s: only when there is something to do

    command.upgrade(config(connection), "head")


def config(connection: Connection) -> Any:
    """Alembic's configuration; `env.py` takes the connection from it."""
    from alembic.config import Config

    found = Config(attributes={"connection": connection})
    found.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    found.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return found


def _without_foreign_keys(connection: Any, _record: Any) -> None:
    # Changing a column on SQLite builds the table anew and drops the old one, which would delete
    # the rows that refer to it.
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


async def _check_foreign_keys(engine: AsyncEngine, connection: AsyncConnection) -> None:
    if engine.dialect.name == "sqlite":
        dangling = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
        assert not dangling, f"a migration left rows that refer to nothing: {dangling[:3]}"
