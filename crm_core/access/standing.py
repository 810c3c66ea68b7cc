"""Who still may, asked once a second for all open sockets together: a few small reads, no joins.

A socket is opened with rights and then lives for a shift. `standing` answers for every session and
token a *stamp* of the rights behind it; a stamp that changed or is gone says that they did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import Role, RolePermission, Session, Token, User, UserProject, UserRole
from crm_core.centre.models import SeatHolding

Stamp = Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Stamps by the hash of the session's or bearer token's secret; absent: it opens nothing."""

    stamps: Mapping[str, Stamp]
    holding: frozenset[int]
    """The persons who hold a device now."""


async def standing(connection: AsyncConnection, now: datetime) -> Standing:
    """The stamps of all sessions and tokens that are good at this moment."""
    roles = await _roles(connection)
    people = await _people(connection, roles)
    stamps: dict[str, Stamp] = {}
    sessions = select(Session.token_hash, Session.user_id).where(Session.expires_at > now)
    for token_hash, user_id in await connection.execute(sessions):
        if user_id in people:
            stamps[token_hash] = people[user_id]
    tokens = select(Token.token_hash, Token.role_id, Token.user_id).where(
        Token.revoked_at.is_(None)
    )
    for token_hash, role_id, user_id in await connection.execute(tokens):
        if user_id is None or user_id in people:
            stamps[token_hash] = (roles.get(role_id), people.get(user_id))
    held = select(SeatHolding.user_id).where(SeatHolding.ended_at.is_(None))
    return Standing(stamps=stamps, holding=frozenset(await connection.scalars(held)))


async def _roles(connection: AsyncConnection) -> dict[int, Stamp]:
    permissions: dict[int, set[str]] = defaultdict(set)
    for role_id, permission in await connection.execute(
        select(RolePermission.role_id, RolePermission.permission)
    ):
        permissions[role_id].add(permission)
    rows = await connection.execute(select(Role.id, Role.name, Role.data_scope))
    return {
        role_id: (name, scope, frozenset(permissions[role_id])) for role_id, name, scope in rows
    }


async def _people(connection: AsyncConnection, roles: Mapping[int, Stamp]) -> dict[Any, Stamp]:
    roles_of: dict[int, set[Stamp]] = defaultdict(set)
    for user_id, role_id in await connection.execute(select(UserRole.user_id, UserRole.role_id)):
        roles_of[user_id].add(roles.get(role_id))
    projects: dict[int, set[int]] = defaultdict(set)
    for user_id, project_id in await connection.execute(
        select(UserProject.user_id, UserProject.project_id)
    ):
        projects[user_id].add(project_id)
    rows = await connection.execute(
        select(User.id, User.team_id, User.agent_number, User.language).where(
            User.disabled_at.is_(None)
        )
    )
    return {
        user_id: (
            user_id,
            team_id,
            agent_number,
            language,
            frozenset(roles_of[user_id]),
            frozenset(projects[user_id]),
        )
        for user_id, team_id, agent_number, language in rows
    }
