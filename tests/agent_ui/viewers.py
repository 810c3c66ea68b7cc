"""Viewers of the preset roles, for rules that need no database."""

from __future__ import annotations

from crm_core.access.permissions import PRESET_ROLES, Permission
from crm_core.access.viewer import Viewer
from crm_core.ids import UserId


def a_viewer(role: str, user_id: int | None = 1) -> Viewer:
    preset = PRESET_ROLES[role]
    return Viewer(
        user_id=UserId(user_id) if user_id is not None else None,
        name=role,
        full_name=role,
        agent_number="1001",
        roles=frozenset({role}),
        permissions=preset.permissions,
        scope=preset.scope,
        team_id=1,
        project_ids=frozenset({1}),
        language=None,
        reveals=Permission.REVEAL_NUMBERS in preset.permissions,
    )


AGENT, SUPERVISOR = a_viewer("agent"), a_viewer("supervisor", 2)
