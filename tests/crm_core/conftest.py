"""Databases for the tests of the records: each test gets its own, on SQLite and on PostgreSQL.

Both are migrated once a session and copied for each test, a file or a `CREATE DATABASE … TEMPLATE`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core import migrations
from crm_core.db import engine_of

PROGRAMS = Path("/usr/lib/postgresql/15/bin")


class Cluster:
    """A PostgreSQL of its own, in a folder of its own, on loopback."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"postgresql://postgres@127.0.0.1:{port}"

    def start(self) -> None:
        folder = str(self.folder / "data")
        self._run(
            "initdb", "-D", folder, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        with (self.folder / "data" / "postgresql.conf").open("a", encoding="ascii") as conf:
            conf.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nfsync = off\n"
                f"unix_socket_directories = '{self.folder}'\nmax_connections = 60\n"
            )
        self.pg_ctl("start")

    def pg_ctl(self, *what: str) -> None:
        """`start`, or `stop -m immediate` and the like; returns when it is done."""
        log = str(self.folder / "log")
        self._run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-l", log, *what)

    def _run(self, program: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            [*as_user, str(PROGRAMS / program), *arguments],
            check=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    async def sql(self, statement: str) -> None:
        connection = await asyncpg.connect(f"{self.url}/postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="zuoxi-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    cluster = Cluster(folder, _free_port())
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.pg_ctl("stop", "-m", "immediate")
        shutil.rmtree(folder)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_numbers = count(1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/zuoxi.db"
    cluster: Cluster = request.getfixturevalue("postgresql")
    name = f"empty_{next(_numbers)}"
    asyncio.run(cluster.sql(f"CREATE DATABASE {name}"))
    return f"{cluster.url}/{name}"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "zuoxi.db"
    asyncio.run(migrations.upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: Cluster) -> str:
    asyncio.run(postgresql.sql("CREATE DATABASE migrated"))
    asyncio.run(migrations.upgrade(f"{postgresql.url}/migrated"))
    return "migrated"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database without rows."""
    if request.param == "sqlite":
        path = tmp_path / "zuoxi.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    cluster: Cluster = request.getfixturevalue("postgresql")
    template: str = request.getfixturevalue("migrated_postgresql")
    name = f"test_{next(_numbers)}"
    asyncio.run(cluster.sql(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return f"{cluster.url}/{name}"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = engine_of(database_url)
    yield made
    await made.dispose()
