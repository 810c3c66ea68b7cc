"""Databases for the tests of the records: each test gets its own, on SQLite and on PostgreSQL.

Both are migrated once a session and copied for each test, a file or a `CREATE DATABASE … TEMPLATE`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core import migrations
from crm_core.db import engine_of
from tests.lab.postgres import Postgres

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


class Cluster(Postgres):
    """A PostgreSQL of which one database can be away for a while."""

    def go_away(self, url: str) -> None:
        """Every connection of this database is cut and none is let in."""
        name = url.rpartition("/")[2]
        self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )

    def come_back(self, url: str) -> None:
        self.execute(f"ALTER DATABASE {url.rpartition('/')[2]} ALLOW_CONNECTIONS true")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "zuoxi.db"
    asyncio.run(migrations.upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: Cluster) -> str:
    """The name of a migrated database, to be copied."""
    name = postgresql.create_database()
    asyncio.run(migrations.upgrade(f"{postgresql.url.removesuffix('/postgres')}/{name}"))
    return name


@pytest.fixture
def postgresql_url(postgresql: Cluster, migrated_postgresql: str) -> Iterator[str]:
    with postgresql.fresh_database(like=migrated_postgresql) as url:
        yield url


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    path = tmp_path / "zuoxi.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database without rows."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=BOTH)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/zuoxi.db"
        return
    with request.getfixturevalue("postgresql").fresh_database() as url:
        yield url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = engine_of(database_url)
    yield made
    await made.dispose()
