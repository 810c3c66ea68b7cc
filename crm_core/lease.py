"""One recorder per database, one router, one follower of each PBX: the leases that a second one does
not get.

SQLite: a lock on a file beside the database, which the kernel gives back when its holder dies.
PostgreSQL: a session's advisory lock on a connection that is kept; who loses the connection has lost
the lease and asks for it again. Its holder knows that sooner than PostgreSQL gives it to another.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.errors import SettingError

log = logging.getLogger("zuoxi.lease")

KEY = 0x5A755802
"""PostgreSQL's advisory lock of the records: any number that nothing else here uses."""

RECORDS = "records"

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 1.5
"""A database that says nothing for so long may have given our lease to another."""

SHORT_KEEPALIVE = (
    "SELECT set_config('tcp_keepalives_idle', '3', false),"
    " set_config('tcp_keepalives_interval', '1', false), set_config('tcp_keepalives_count', '2', false)"
)
"""A holder whose host lost its power says no goodbye: PostgreSQL lets go of it after five seconds."""

REFUSAL = (
    "Another Zuoxi{who} works with this database. Stop that one first, or give this one a database "
    "of its own with ZUOXI_DATABASE_URL."
)


class DatabaseInUse(SettingError):
    """Another Zuoxi works with this database."""

    def __init__(self, process: str = "") -> None:
        self.process = process
        super().__init__(REFUSAL.format(who=f" (process {process})" if process else ""))


class Lease(Protocol):
    """`held` may become false while it is used: then record on, but send nothing to Asterisk."""

    @property
    def held(self) -> bool: ...
    async def take(self) -> None:
        """Raises `DatabaseInUse` when somebody else has it."""

    async def give_back(self) -> None: ...
    async def taken_over(self) -> None:
        """Return when another process has got what was ours."""


def lease_of(engine: AsyncEngine, name: str = RECORDS) -> Lease:
    """A lease on something of this engine's database."""
    if engine.dialect.name == "sqlite":
        between = "" if name == RECORDS else f".{name.replace('/', '_')}"
        return FileLease(Path(f"{engine.url.database}{between}.lock"))
    return SessionLease(engine, KEY if name == RECORDS else KEY << 32 | crc32(name.encode()))


class FileLease:
    """A lock on a file beside the SQLite database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    async def take(self) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(file, 20).decode(errors="replace").strip()
            os.close(file)
            raise DatabaseInUse(pid) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    async def give_back(self) -> None:
        if self._file is not None:
            # The file stays: unlinking it would let two holders lock two files of one name.
            os.close(self._file)
            self._file = None

    async def taken_over(self) -> None:
        await asyncio.Future()  # never: the kernel takes no lock away


class SessionLease:
    """An advisory lock on a kept PostgreSQL connection, looked after every second."""

    def __init__(self, engine: AsyncEngine, key: int = KEY) -> None:
        self._engine, self._key = engine, key
        self._another_has_it = asyncio.Event()
        self._connection: AsyncConnection | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        return self._connection is not None

    async def take(self) -> None:
        if not await self._try():
            raise DatabaseInUse
        self._watch = asyncio.create_task(self._look_after(), name="lease")

    async def taken_over(self) -> None:
        await self._another_has_it.wait()

    async def give_back(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._let_go()

    async def _try(self) -> bool:
        connection = await self._engine.connect()
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        if await connection.scalar(text(f"SELECT pg_try_advisory_lock({self._key})")):
            await connection.execute(text(SHORT_KEEPALIVE))
            self._connection = connection
            return True
        await connection.close()
        return False

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Back in the pool the session would keep the lock: the connection itself must end.
            await connection.invalidate()
            await connection.close()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    if self._connection is not None:
                        await self._connection.scalar(text("SELECT 1"))
                    elif await self._try():
                        log.info("the lease on the database is ours again")
                    else:
                        self._another_has_it.set()
            except (DBAPIError, OSError, TimeoutError) as wrong:
                if self._connection is not None:
                    log.error("the lease on the database is lost: %r", wrong)
                    with suppress(DBAPIError, OSError):
                        await self._let_go()
