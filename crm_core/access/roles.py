"""Roles in the database: the presets, written by each start."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import Role, RolePermission
from crm_core.access.permissions import PRESET_ROLES
from crm_core.errors import Invalid


async def write_presets(connection: AsyncConnection) -> None:
    """Create the preset roles that are missing. One that somebody edited stays as it is."""
    present = set(await connection.scalars(select(Role.name)))
    for name, preset in PRESET_ROLES.items():
        if name in present:
            continue
        role_id = await connection.scalar(
            insert(Role).values(name=name, data_scope=preset.scope, preset=True).returning(Role.id)
        )
        await connection.execute(
            insert(RolePermission),
            [
                {"role_id": role_id, "permission": permission.value}
                for permission in sorted(preset.permissions)
            ],
        )


async def role_ids(connection: AsyncConnection, names: Sequence[str]) -> dict[str, int]:
    """Name → id. Raises `Invalid` for a role that does not exist, naming those that do.

    Writes the presets first: the command line may be here before anything was ever started.
    """
    await write_presets(connection)
    rows = await connection.execute(select(Role.name, Role.id))
    known = {row.name: row.id for row in rows}
    for name in names:
        if name not in known:
            raise Invalid(f"There is no role {name!r}; there are: {', '.join(sorted(known))}.")
    return {name: known[name] for name in names}
