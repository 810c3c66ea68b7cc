"""Who still may, asked twice a second for all open sockets together: a few small reads, no joins.

A socket is opened with rights and then lives for a shift. `standing` answers what the rights behind
every session and token are now; `rights_in` says what those of a viewer were when he came.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    String,
    bindparam,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import Role, RolePermission, Session, Token, User, UserProject, UserRole
from crm_core.access.permissions import DataScope
from crm_core.access.viewer import WIDTH, Viewer
from crm_core.centre.models import SeatHolding, Team
from crm_core.quick_dataclass import dataclass

_PERMISSIONS = select(RolePermission.role_id, RolePermission.permission)
_ROLES = select(Role.id, Role.name, Role.data_scope)
_ROLES_OF = select(UserRole.user_id, UserRole.role_id)
_PROJECTS_OF = select(UserProject.user_id, UserProject.project_id)
_TEAMS = select(Team.id, Team.project_id)
_USERS = select(User.id, User.team_id, User.agent_number).where(User.disabled_at.is_(None))
_SESSIONS = select(Session.token_hash, Session.user_id).where(Session.expires_at > bindparam("now"))
_TOKENS = select(Token.token_hash, Token.role_id, Token.user_id).where(Token.revoked_at.is_(None))
_HOLDING = select(SeatHolding.user_id).where(SeatHolding.ended_at.is_(None))
_ALL: tuple[Any, ...] = (
    _PERMISSIONS,
    _ROLES,
    _ROLES_OF,
    _PROJECTS_OF,
    _TEAMS,
    _USERS,
    _SESSIONS,
    _TOKENS,
    _HOLDING,
)

A_TURN = 100
"""Of so many people the rights are put together before the loop has its turn again: a thousand at a
time would hold up a ringing phone by 20 ms, twice a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What decides what a socket may show."""

    user_id: int | None
    roles: frozenset[str]
    permissions: frozenset[str]
    scope: DataScope
    team_id: int | None = None
    project_ids: frozenset[int] = frozenset()
    agent_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Rights by the hash of the session's or token's secret; absent: it opens nothing."""

    rights: Mapping[str, Rights]
    holding: frozenset[int]
    """The persons who hold a device now."""


def rights_in(viewer: Viewer) -> Rights:
    """The rights that a viewer came with."""
    return Rights(
        user_id=viewer.user_id,
        roles=viewer.roles,
        permissions=frozenset(permission.value for permission in viewer.permissions),
        scope=viewer.scope,
        team_id=viewer.team_id,
        project_ids=viewer.project_ids,
        agent_number=viewer.agent_number,
    )


async def fingerprint(connection: AsyncConnection, now: datetime) -> tuple[str | None, ...]:
    """Texts that are others when `standing` would be. The database makes them, not the loop.

    A thousand people's rights are put together in 25 ms; that nothing has changed is seen in one.
    """
    row = (await connection.execute(_FINGERPRINT, {"now": now})).one()
    return tuple(row)


def _as_text(question: Select[Any]) -> ScalarSelect[str]:
    """All rows of an answer in one text."""
    rows = question.subquery()
    line: ColumnElement[str] = literal("")
    for column in rows.columns:
        line = line + "\x1f" + func.coalesce(cast(column, String), "-")
    return select(func.aggregate_strings(line, "\x1e")).select_from(rows).scalar_subquery()


_FINGERPRINT = select(*(_as_text(question) for question in _ALL))


async def standing(connection: AsyncConnection, now: datetime) -> Standing:
    """The rights behind all sessions and tokens that are good at this moment."""
    roles = await _roles(connection)
    people = await _people(connection, roles)
    found: dict[str, Rights] = {}
    for token_hash, user_id in await connection.execute(_SESSIONS, {"now": now}):
        if user_id in people:
            found[token_hash] = people[user_id]
    for count, (token_hash, role_id, person) in enumerate(await connection.execute(_TOKENS)):
        if count % A_TURN == 0:
            await asyncio.sleep(0)
        role = roles[role_id]
        if person is None:
            found[token_hash] = Rights(
                user_id=None, roles=role.roles, permissions=role.permissions, scope=DataScope.ALL
            )
        elif person in people:
            found[token_hash] = _both(people[person], role)
    return Standing(rights=found, holding=frozenset(await connection.scalars(_HOLDING)))


def _both(person: Rights, role: Rights) -> Rights:
    """A token's: of the person's rights what the token's role has too."""
    return Rights(
        user_id=person.user_id,
        roles=person.roles,
        permissions=person.permissions & role.permissions,
        scope=min(person.scope, role.scope, key=WIDTH.__getitem__),
        team_id=person.team_id,
        project_ids=person.project_ids,
        agent_number=person.agent_number,
    )


def _together(roles: Iterable[Rights]) -> Rights:
    """What one has who holds all these roles."""
    held = tuple(roles)
    return Rights(
        user_id=None,
        roles=frozenset[str]().union(*(role.roles for role in held)),
        permissions=frozenset[str]().union(*(role.permissions for role in held)),
        scope=max((role.scope for role in held), key=WIDTH.__getitem__, default=DataScope.OWN),
    )


async def _roles(connection: AsyncConnection) -> dict[int, Rights]:
    permissions: dict[int, set[str]] = defaultdict(set)
    for role_id, permission in await connection.execute(_PERMISSIONS):
        permissions[role_id].add(permission)
    rows = await connection.execute(_ROLES)
    return {
        role_id: Rights(
            user_id=None,
            roles=frozenset({name}),
            permissions=frozenset(permissions[role_id]),
            scope=DataScope(scope),
        )
        for role_id, name, scope in rows
    }


async def _people(
    connection: AsyncConnection, roles: Mapping[int, Rights]
) -> dict[int | None, Rights]:
    roles_of: dict[int, set[int]] = defaultdict(set)
    for user_id, role_id in await connection.execute(_ROLES_OF):
        roles_of[user_id].add(role_id)
    together: dict[frozenset[int], Rights] = {}
    projects: dict[int, set[int]] = defaultdict(set)
    for user_id, project_id in await connection.execute(_PROJECTS_OF):
        projects[user_id].add(project_id)
    teams = (await connection.execute(_TEAMS)).all()
    project_of_team = {team.id: team.project_id for team in teams}
    people: dict[int | None, Rights] = {}
    for count, (user_id, team_id, agent_number) in enumerate(await connection.execute(_USERS)):
        if count % A_TURN == 0:
            await asyncio.sleep(0)
        role_ids = frozenset(roles_of[user_id])
        held = together.get(role_ids)
        if held is None:
            held = together[role_ids] = _together(roles[role_id] for role_id in role_ids)
        team = {project_of_team[team_id]} if team_id is not None else set()
        people[user_id] = Rights(
            user_id=user_id,
            roles=held.roles,
            permissions=held.permissions,
            scope=held.scope,
            team_id=team_id,
            project_ids=frozenset(projects[user_id] | team),
            agent_number=agent_number,
        )
    return people
