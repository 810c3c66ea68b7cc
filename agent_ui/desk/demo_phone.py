"""The drawn phone of the demonstration: lift the handset, put it down.

A real phone stands beside the desk and tells Asterisk itself. Only the demonstration PBX has no phones,
so these routes are there only where one of the PBXs is the demonstration (`app.create_app`).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import Deps, deps_of
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.commands import Done, LiftPhone, PutDownPhone
from crm_core.errors import Conflict, NotFound, Unavailable
from crm_core.live_board.board import LiveAgent

router = APIRouter(prefix="/demo/phone")
Who = Annotated[Visit, Depends(visit_of)]

ANSWER_SECONDS = 3.0
DONE = 204


@router.post("/lift", dependencies=[needs(Permission.TAKE_CALLS)])
async def lift(request: Request, visit: Who) -> Response:
    """Answer what rings. 409 where nothing does."""
    deps = deps_of(request)
    agent = _at_a_drawn_phone(deps, visit.who)
    command = LiftPhone(pbx=agent.pbx, interface=agent.interface)
    return await _move(deps, command, "Your phone does not ring.")


@router.post("/put-down", dependencies=[needs(Permission.TAKE_CALLS)])
async def put_down(request: Request, visit: Who) -> Response:
    """End the conversation, or refuse what rings. 409 where there is neither."""
    deps = deps_of(request)
    agent = _at_a_drawn_phone(deps, visit.who)
    command = PutDownPhone(pbx=agent.pbx, interface=agent.interface)
    return await _move(deps, command, "Your phone has no call.")


def _at_a_drawn_phone(deps: Deps, viewer: Viewer) -> LiveAgent:
    agent = deps.desk.agent(viewer)
    if agent is None or agent.pbx not in deps.settings.demo_pbxs:
        raise NotFound
    return agent


async def _move(deps: Deps, command: LiftPhone | PutDownPhone, refusal: str) -> Response:
    answer = await deps.bus.ask(command, ANSWER_SECONDS)
    if answer is None:
        raise Unavailable("The demonstration did not answer.")
    if isinstance(answer, Done) and answer.refused:
        raise Conflict(refusal)
    return Response(status_code=DONE)
