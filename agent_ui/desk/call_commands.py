"""What the call bar does: hold, take back, transfer, consult, complete, go back to the customer.

Commands are answered 204 and nothing else: the fact that Asterisk tells redraws the bar (decision 9).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, Response

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import Deps, deps_of
from agent_ui.desk.targets import transfer_targets
from agent_ui.security import form_of, needs
from crm_core.access.audit import audit
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.commands import (
    CompleteTransfer,
    ConsultCall,
    Done,
    EndConsultation,
    HoldCall,
    OfOwnLeg,
    ResumeCall,
    Target,
    TargetKind,
    TransferCall,
)
from crm_core.customers.phone_numbers import masked
from crm_core.db import transaction
from crm_core.dialling import dialled_digits
from crm_core.errors import Conflict, NotFound, Unavailable
from crm_core.ids import CallId
from crm_core.live_board.board import LiveAgent, LiveCall, Talk

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

ANSWER_SECONDS = 5.0
DONE = 204

NOT_YOURS = "This call has ended, or it is not yours."
NO_ANSWER = "Asterisk did not answer. Use your phone."
NOBODY_CONSULTED = "Nobody is consulted about this call any more."
CONSULTING = "You consult somebody about this call already."
NO_TARGET = "Choose from the list where the call shall go."


@router.get("/desk/targets", dependencies=[needs(Permission.TAKE_CALLS)])
async def targets(request: Request, visit: Who) -> Response:
    """The list of the transfer panel, as it is at this moment: a fragment of the page."""
    deps = deps_of(request)
    agent = deps.desk.agent(visit.who)
    if agent is None:
        raise NotFound
    extensions = [extension for pbx, extension in deps.directory.extensions if pbx == agent.pbx]
    found = transfer_targets(deps.board, agent, deps.directory.titles(agent.pbx), extensions)
    html = deps.renderer.render("desk/targets.html", visit.language, targets=found)
    return HTMLResponse(html)


@router.post("/calls/{call_id}/hold", dependencies=[needs(Permission.TAKE_CALLS)])
async def hold(request: Request, visit: Who, call_id: str) -> Response:
    """The other party hears music."""
    return await _own(request, visit, call_id, HoldCall)


@router.post("/calls/{call_id}/resume", dependencies=[needs(Permission.TAKE_CALLS)])
async def resume(request: Request, visit: Who, call_id: str) -> Response:
    """Take the other party back."""
    return await _own(request, visit, call_id, ResumeCall)


@router.post("/calls/{call_id}/complete", dependencies=[needs(Permission.TAKE_CALLS)])
async def complete(request: Request, visit: Who, call_id: str) -> Response:
    """Who is consulted gets the call. 409 where nobody is: the own phone would only be hung up."""
    deps = deps_of(request)
    agent, live, _ = own_talk(deps, visit.who, call_id)
    if live.consultation_of(agent.interface) is None:
        raise Conflict(NOBODY_CONSULTED)
    return await _own(request, visit, call_id, CompleteTransfer)


@router.post("/calls/{call_id}/back", dependencies=[needs(Permission.TAKE_CALLS)])
async def back(request: Request, visit: Who, call_id: str) -> Response:
    """Let go who is consulted, and talk with the customer again."""
    return await _own(request, visit, call_id, EndConsultation)


@router.post("/calls/{call_id}/transfer", dependencies=[needs(Permission.TAKE_CALLS)])
async def transfer(request: Request, visit: Who, call_id: str) -> Response:
    """Send the call to `kind` (seat, queue, number) `exten`; with `consult=1` talk with them first."""
    deps, viewer, given = deps_of(request), visit.who, await form_of(request)
    agent, live, talk = own_talk(deps, viewer, call_id)
    if live.consultation_of(agent.interface) is not None:
        raise Conflict(CONSULTING)
    to = _target(deps, viewer, agent, given.get("kind", ""), given.get("exten", ""))
    of: Any = {"pbx": live.pbx, "call": live.call, "leg": talk.leg}
    consults = given.get("consult") == "1"
    if to.kind is TargetKind.NUMBER:
        detail = {"to": masked(to.exten), "consult": consults}
        async with transaction(deps.engine) as connection:
            await audit(
                connection, viewer.name, "call.transfer_outside", live.call, detail, at=deps.now()
            )
    command: OfOwnLeg = TransferCall(**of, to=to)
    if consults:
        command = ConsultCall(**of, to=to, held=talk.held_since is not None)
    await _ask(deps, viewer, request, command)
    return Response(status_code=DONE)


def own_talk(deps: Deps, viewer: Viewer, call_id: str) -> tuple[LiveAgent, LiveCall, Talk]:
    """The viewer's own conversation in this call. Raises for any other call."""
    agent, live = deps.desk.agent(viewer), deps.board.calls.get(CallId(call_id[:64]))
    talk = live.talk_of(agent.interface) if live is not None and agent is not None else None
    if agent is None or live is None or talk is None or talk.leg is None or live.pbx != agent.pbx:
        raise NotFound(NOT_YOURS)
    return agent, live, talk


def _target(deps: Deps, viewer: Viewer, agent: LiveAgent, kind: str, exten: str) -> Target:
    if kind == TargetKind.SEAT and (agent.pbx, exten) in deps.directory.extensions:
        if exten == agent.interface.rpartition("/")[2]:
            raise Conflict(NO_TARGET)
        return Target(kind=TargetKind.SEAT, exten=exten)
    if kind == TargetKind.QUEUE and (agent.pbx, exten) in deps.directory.queues:
        return Target(kind=TargetKind.QUEUE, exten=exten)
    if kind == TargetKind.NUMBER:
        viewer.require(Permission.PLACE_CALLS)
        digits = dialled_digits(exten[:64], deps.settings.region)
        return Target(kind=TargetKind.NUMBER, exten=digits)
    raise Conflict(NO_TARGET)


async def _own(
    request: Request,
    visit: Visit,
    call_id: str,
    kind: Callable[..., HoldCall | ResumeCall | CompleteTransfer | EndConsultation],
) -> Response:
    deps = deps_of(request)
    _, live, talk = own_talk(deps, visit.who, call_id)
    command = kind(pbx=live.pbx, call=live.call, leg=talk.leg)
    await _ask(deps, visit.who, request, command)
    return Response(status_code=DONE)


async def _ask(deps: Deps, viewer: Viewer, request: Request, command: OfOwnLeg) -> None:
    wish = request.headers.get("idempotency-key", "")[:128]
    if deps.acted.was_done(viewer, wish):
        return
    answer = await deps.bus.ask(command, ANSWER_SECONDS)
    if answer is None:
        raise Unavailable(NO_ANSWER)
    if isinstance(answer, Done) and answer.refused:
        raise Conflict(answer.refused)
    deps.acted.done(viewer, wish)
