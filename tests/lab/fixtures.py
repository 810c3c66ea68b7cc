"""Fixtures of the real parts, one of each for a whole run. `tests/conftest.py` imports them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab import install
from tests.lab.asterisk import Laboratory
from tests.lab.postgres import Postgres
from tests.lab.redis import RedisServer


@pytest.fixture(scope="session")
def installed() -> None:
    """Installs on root's Debian; elsewhere what needs it is skipped, or red where CI=true."""
    reason = install.why_not()
    if reason is None:
        install.install()
    elif os.environ.get("CI") == "true":
        pytest.fail(f"CI=true and {reason}", pytrace=False)
    else:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def laboratory(installed: None) -> Iterator[Laboratory]:
    """A real Asterisk with queues, hotlines and seats; nobody is signed in to a queue."""
    with Laboratory() as lab:
        yield lab


@pytest.fixture(scope="session")
def postgres(installed: None) -> Iterator[Postgres]:
    with Postgres() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of its own for each test."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server(installed: None) -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    redis_server.flush()
    return redis_server.url
