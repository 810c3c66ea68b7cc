"""What the filters of the call list offer to choose, each viewer the own."""

from __future__ import annotations

from agent_ui.calls.view import Choice
from agent_ui.deps import Deps
from agent_ui.words import CONFIDENCE_BADGES
from crm_core.access.permissions import DataScope
from crm_core.access.scope import sees_agent
from crm_core.access.viewer import Viewer


def queue_choices(deps: Deps, viewer: Viewer) -> tuple[Choice, ...]:
    agent = deps.board.agents.get(viewer.user_id) if viewer.user_id else None
    return tuple(
        Choice(value=queue.name, label=queue.title)
        for (pbx, name), queue in deps.directory.queues.items()
        if viewer.scope is DataScope.ALL
        or queue.project_id in viewer.project_ids
        or (agent is not None and agent.pbx == pbx and name in agent.queues)
    )


def agent_choices(deps: Deps, viewer: Viewer) -> tuple[Choice, ...]:
    if viewer.scope is DataScope.OWN:
        return ()
    return tuple(
        Choice(value=row.agent_number, label=f"{row.full_name} {row.agent_number}")
        for row in deps.directory.people.values()
        if row.agent_number and sees_agent(viewer, row.user_id, row.team_id, row.project_ids)
    )


def confidence_choices(deps: Deps, language: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=confidence.value, label=deps.renderer.text(word.text, language))
        for confidence, word in CONFIDENCE_BADGES.items()
    )
