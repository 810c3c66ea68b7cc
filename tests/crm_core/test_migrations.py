"""Migrations on both databases: what they make is what the code declares."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, delete, inspect, select, text
from sqlalchemy.exc import DBAPIError

from crm_core import migrations
from crm_core.access.models import Role, RolePermission
from crm_core.access.permissions import Permission
from crm_core.access.roles import write_presets
from crm_core.db import engine_of, reading, transaction
from crm_core.errors import SettingError
from crm_core.events import (
    AttemptResult,
    Direction,
    EndedBy,
    Feed,
    LegParty,
    Outcome,
    TransferKind,
    TransferResult,
)
from crm_core.migrations.tables import metadata


async def test_the_tables_of_the_migrations_are_those_of_the_code(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    engine = engine_of(database_url)
    async with reading(engine) as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def _checks(connection: Connection) -> dict[tuple[str, str], frozenset[str]]:
    """Table and column → the values its CHECK lets in, as the database has it."""
    look = inspect(connection)
    found = {}
    for table in look.get_table_names():
        for check in look.get_check_constraints(table):
            column = str(check["name"]).removeprefix(f"ck_{table}_")
            found[table, column] = frozenset(re.findall(r"'([^']*)'", check["sqltext"]))
    return found


async def test_every_check_of_an_enum_lets_in_exactly_its_values(database_url: str) -> None:
    declared = {
        (table.name, str(constraint.name).removeprefix(f"ck_{table.name}_")): frozenset(
            re.findall(r"'([^']*)'", str(constraint.sqltext))
        )
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    engine = engine_of(database_url)
    async with reading(engine) as connection:
        assert await connection.run_sync(_checks) == declared
    await engine.dispose()
    assert declared["calls", "direction"] == values(Direction)
    assert declared["calls", "outcome"] == values(Outcome)
    assert declared["queue_passes", "ended_by"] == values(EndedBy)
    assert declared["offer_attempts", "result"] == values(AttemptResult)
    assert declared["legs", "party"] == values(LegParty)
    assert declared["feeds", "feed"] == values(Feed)
    assert declared["transfers", "kind"] == values(TransferKind)
    assert declared["transfers", "result"] == values(TransferResult)


def values(kind: type[StrEnum]) -> frozenset[str]:
    return frozenset(member.value for member in kind)


async def test_upgrading_twice_changes_nothing(empty_database_url: str) -> None:
    assert await migrations.current(empty_database_url) is None
    await migrations.upgrade(empty_database_url)
    await migrations.upgrade(empty_database_url)
    assert await migrations.current(empty_database_url) == migrations.revisions()[-1]


async def test_two_that_start_at_once_both_find_a_migrated_database(
    empty_database_url: str,
) -> None:
    script = (
        "import asyncio, sys; from crm_core import migrations;"
        "asyncio.run(migrations.upgrade(sys.argv[1]))"
    )
    starts = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, empty_database_url, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    said = [(await start.communicate())[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], said
    assert await migrations.current(empty_database_url) == migrations.revisions()[-1]


async def test_a_database_of_a_newer_version_is_refused_with_a_sentence(
    database_url: str,
) -> None:
    engine = engine_of(database_url)
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(SettingError, match=r"revision 9999.*newer version") as refusal:
        await migrations.upgrade(database_url)
    assert refusal.value.detail.startswith("ZUOXI_DATABASE_URL")


async def test_a_migration_that_fails_half_way_leaves_nothing_behind(
    empty_database_url: str,
) -> None:
    engine = engine_of(empty_database_url)
    async with transaction(engine) as connection:
        await connection.execute(text("CREATE TABLE legs (in_the_way INTEGER)"))
    with pytest.raises(DBAPIError, match="legs"):
        await migrations.upgrade(empty_database_url)
    async with reading(engine) as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    assert tables == ["legs"]


def test_a_start_on_a_migrated_database_does_not_import_alembic(migrated_sqlite: Path) -> None:
    script = (
        "import asyncio, sys; from crm_core import migrations;"
        "asyncio.run(migrations.upgrade(sys.argv[1]));"
        "sys.exit('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{migrated_sqlite}"], check=False
    )
    assert done.returncode == 0


LATER_RIGHTS = {
    Permission.EXPORT: {"supervisor", "admin"},
    Permission.LISTEN_RECORDINGS: {"supervisor", "admin"},
    Permission.LISTEN_LIVE: {"supervisor", "admin"},
    Permission.DOWNLOAD_RECORDINGS: {"admin"},
    Permission.PLACE_CALLS: {"agent", "outbound_caller", "supervisor", "admin"},
}
"""Rights that came after the first release, and who has them."""


async def test_a_site_that_has_its_roles_already_gets_the_rights_that_came_later(
    empty_database_url: str,
) -> None:
    engine = engine_of(empty_database_url)
    async with transaction(engine) as connection:
        await connection.run_sync(lambda sync: command.upgrade(migrations.config(sync), "0004"))
        await write_presets(connection)
        await connection.execute(
            delete(RolePermission).where(
                RolePermission.permission.in_([right.value for right in LATER_RIGHTS])
            )
        )
    await migrations.upgrade(empty_database_url)
    async with reading(engine) as connection:
        for right, roles in LATER_RIGHTS.items():
            may = await connection.scalars(
                select(Role.name)
                .join(RolePermission, RolePermission.role_id == Role.id)
                .where(RolePermission.permission == right.value)
            )
            assert set(may) == roles
    await engine.dispose()


def test_revisions_are_numbered_without_a_hole() -> None:
    known = migrations.revisions()
    assert known == [f"{number:04}" for number in range(1, len(known) + 1)]
