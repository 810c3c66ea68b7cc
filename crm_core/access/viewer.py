"""Who asks: the value that every query, page, frame and answer is cut to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import Role, RolePermission, User, UserProject, UserRole
from crm_core.access.permissions import DataScope, Permission
from crm_core.centre.models import Team
from crm_core.errors import NotAllowed
from crm_core.ids import UserId
from crm_core.quick_dataclass import dataclass

WIDTH = {DataScope.OWN: 0, DataScope.TEAM: 1, DataScope.PROJECT: 2, DataScope.ALL: 3}
"""Of several scopes the one with the greatest width holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A person at a page, or a program with a token. `user_id` is None for a token of nobody's."""

    user_id: UserId | None
    name: str
    """The sign-in name, or the token's name: what audit entries carry."""
    full_name: str
    agent_number: str | None
    roles: frozenset[str]
    permissions: frozenset[Permission]
    scope: DataScope
    team_id: int | None
    project_ids: frozenset[int]
    """The projects of the person, that of the team included."""
    language: str | None
    reveals: bool
    """Whether phone numbers are shown in full."""
    must_change_password: bool = False

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises `NotAllowed` unless the viewer may."""
        if permission not in self.permissions:
            raise NotAllowed


async def viewer_of_user(connection: AsyncConnection, user_id: int) -> Viewer | None:
    """The person as a viewer; None: no such person, or disabled."""
    user = (
        await connection.execute(
            select(
                User.name,
                User.full_name,
                User.agent_number,
                User.team_id,
                User.language,
                User.must_change_password,
                Team.project_id,
            )
            .outerjoin(Team, Team.id == User.team_id)
            .where(User.id == user_id, User.disabled_at.is_(None))
        )
    ).one_or_none()
    if user is None:
        return None
    roles, permissions, scope = await rights_of(
        connection,
        select(UserRole.role_id).where(UserRole.user_id == user_id),
    )
    projects = set(
        await connection.scalars(
            select(UserProject.project_id).where(UserProject.user_id == user_id)
        )
    )
    if user.project_id is not None:
        projects.add(user.project_id)
    return Viewer(
        user_id=UserId(user_id),
        name=user.name,
        full_name=user.full_name,
        agent_number=user.agent_number,
        roles=roles,
        permissions=permissions,
        scope=scope,
        team_id=user.team_id,
        project_ids=frozenset(projects),
        language=user.language,
        reveals=Permission.REVEAL_NUMBERS in permissions,
        must_change_password=user.must_change_password,
    )


async def rights_of(
    connection: AsyncConnection, role_ids: Any
) -> tuple[frozenset[str], frozenset[Permission], DataScope]:
    """Names, permissions and the widest scope of some roles (a subquery of their ids)."""
    rows = (
        await connection.execute(
            select(Role.name, Role.data_scope, RolePermission.permission)
            .outerjoin(RolePermission, RolePermission.role_id == Role.id)
            .where(Role.id.in_(role_ids))
        )
    ).all()
    known = {permission.value for permission in Permission}
    return (
        frozenset(row.name for row in rows),
        # A permission that a later version wrote means nothing to this one.
        frozenset(Permission(row.permission) for row in rows if row.permission in known),
        max(
            (DataScope(row.data_scope) for row in rows),
            key=WIDTH.__getitem__,
            default=DataScope.OWN,
        ),
    )
