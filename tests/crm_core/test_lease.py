"""The leases of the split: one of each name, and who lost it knows."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.db import engine_of
from crm_core.lease import DatabaseInUse, lease_of
from tests.crm_core.conftest import Cluster
from tests.harness import eventually


async def test_each_name_has_one_holder(engine: AsyncEngine, database_url: str) -> None:
    other_engine = engine_of(database_url)
    held = [lease_of(engine, name) for name in ("records", "routing", "telephony/east")]
    for lease in held:
        await lease.take()
    second = lease_of(other_engine, "telephony/east")
    with pytest.raises(DatabaseInUse):
        await second.take()
    west = lease_of(other_engine, "telephony/west")
    await west.take()
    await held[2].give_back()
    await second.take()
    assert second.held
    for lease in (*held, second, west):
        await lease.give_back()
    await other_engine.dispose()


@pytest.mark.postgresql
async def test_who_was_cut_off_knows_and_hears_that_another_took_over(
    postgresql: Cluster, postgresql_url: str
) -> None:
    engine, other_engine = engine_of(postgresql_url), engine_of(postgresql_url)
    former, latter = lease_of(engine, "routing"), lease_of(other_engine, "routing")
    await former.take()
    name = postgresql_url.rpartition("/")[2]
    await asyncio.to_thread(
        postgresql.execute,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    await latter.take()
    await eventually(lambda: not former.held)
    await asyncio.wait_for(former.taken_over(), 5)
    assert latter.held
    await former.give_back()
    await latter.give_back()
    await engine.dispose()
    await other_engine.dispose()
