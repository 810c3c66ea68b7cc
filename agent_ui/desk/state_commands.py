"""What an agent does to the own state: be ready, pause, take more time for the note.

Commands to the machine that holds AMI (decision 17), answered 204 and nothing else: the
`AgentStateChanged` or `NextStateChosen` that follows redraws the header.
"""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import Deps, deps_of
from agent_ui.security import form_of, needs
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.commands import ChooseState, Done, ExtendWrapUp
from crm_core.errors import Conflict, Invalid, Unavailable
from crm_core.events import AgentState
from crm_core.ids import CallId
from crm_core.live_board.board import LiveAgent

log = logging.getLogger("zuoxi.web")

router = APIRouter(prefix="/desk")
Who = Annotated[Visit, Depends(visit_of)]

ANSWER_SECONDS = 3.0
DONE = 204

NOT_AT_A_PHONE = "You are not signed in at a phone. Choose one first."
NO_SUCH_REASON = "There is no such reason for a pause. Choose one of the list."
NO_ANSWER = "The PBX did not answer, so the state is as it was. Try again in a moment."


@router.post("/ready", dependencies=[needs(Permission.TAKE_CALLS)])
async def be_ready(request: Request, visit: Who) -> Response:
    """Take calls again: ends pause, wrap-up and *missed*, and takes back a pause after this call."""
    deps = deps_of(request)
    await _choose(deps, _at_a_phone(deps, visit.who), AgentState.READY)
    return Response(status_code=DONE)


@router.post("/pause", dependencies=[needs(Permission.TAKE_CALLS)])
async def pause(request: Request, visit: Who) -> Response:
    """Take no calls, for the reason whose code is `reason`; during a call: afterwards."""
    deps = deps_of(request)
    reason = str((await form_of(request)).get("reason", ""))
    if reason not in {one.code for one in deps.directory.pause_reasons if one.active}:
        raise Invalid(NO_SUCH_REASON)
    await _choose(deps, _at_a_phone(deps, visit.who), AgentState.PAUSED, reason)
    return Response(status_code=DONE)


@router.post("/wrap-up/extend", dependencies=[needs(Permission.TAKE_CALLS)])
async def extend(request: Request, visit: Who) -> Response:
    """Thirty seconds more, once a wrap-up. The same wish (`Idempotency-Key`) twice is one."""
    deps = deps_of(request)
    wish = request.headers.get("idempotency-key", "")[:128]
    if not deps.extended.was_done(visit.who, wish):
        agent = _at_a_phone(deps, visit.who)
        await _ask(deps, ExtendWrapUp(pbx=agent.pbx, user=agent.user))
        deps.extended.done(visit.who, wish)
    return Response(status_code=DONE)


async def finish_wrap_up(deps: Deps, viewer: Viewer, call: CallId) -> None:
    """The note of `call` is submitted: end its wrap-up, if that is what runs.

    Never fails: the note is saved whatever happens here, and wrap-up ends by itself.
    """
    agent = deps.desk.agent(viewer)
    if agent is None or agent.state is not AgentState.WRAP_UP or agent.call != call:
        return
    follows = agent.next_state is AgentState.PAUSED
    state = AgentState.PAUSED if follows else AgentState.READY
    try:
        await _choose(deps, agent, state, agent.next_reason if follows else None)
    except (Conflict, Unavailable) as wrong:
        log.warning("call %s: the wrap-up goes on: %s", call, wrong.detail)


def _at_a_phone(deps: Deps, viewer: Viewer) -> LiveAgent:
    agent = deps.desk.agent(viewer)
    if agent is None:
        raise Conflict(NOT_AT_A_PHONE)
    return agent


async def _choose(
    deps: Deps, agent: LiveAgent, state: AgentState, reason: str | None = None
) -> None:
    await _ask(deps, ChooseState(pbx=agent.pbx, user=agent.user, state=state, reason=reason))


async def _ask(deps: Deps, command: ChooseState | ExtendWrapUp) -> None:
    answer = await deps.bus.ask(command, ANSWER_SECONDS)
    if answer is None:
        raise Unavailable(NO_ANSWER)
    if isinstance(answer, Done) and answer.refused:
        raise Conflict(answer.refused)
