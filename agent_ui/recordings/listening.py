"""A supervisor hears a live call at the own phone (监听): within the data scope, audited, unheard.

The phone is the one the supervisor has signed in at, else that of the usual extension. Pressing twice
rings once: the press names the listener's channel.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import Deps, deps_of
from agent_ui.security import form_of, needs
from crm_core.access.audit import audit
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.centre.models import Seat
from crm_core.commands import Done, ListenTo
from crm_core.db import reading, transaction
from crm_core.errors import Conflict, Invalid, NotFound, Unavailable
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveAgent, LiveCall

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

LISTEN_SECONDS = 5.0
DONE = 204


@router.post("/calls/{call_id}/listen", dependencies=[needs(Permission.LISTEN_LIVE)])
async def listen_in(request: Request, visit: Who, call_id: str) -> Response:
    """Ring the own phone, and let it hear `agent`'s side of this call."""
    deps, viewer = deps_of(request), visit.who
    wish = request.headers.get("idempotency-key", "")[:128]
    if deps.listened.was_done(viewer, wish):
        return Response(status_code=DONE)
    agent, live = _talking(deps, viewer, call_id, (await form_of(request)).get("agent", ""))
    talk = live.talk_of(agent.interface)
    if talk is None or talk.leg is None:
        raise NotFound("This agent does not talk just now.")
    interface = await _own_phone(deps, viewer, agent.pbx)
    detail = {"agent": agent.agent_number, "name": agent.name, "phone": interface}
    async with transaction(deps.engine) as connection:
        await audit(connection, viewer.name, "call.listen", live.call, detail, at=deps.now())
    command = ListenTo(
        pbx=agent.pbx,
        call=live.call,
        leg=talk.leg,
        interface=interface,
        listener=_listener(viewer, wish),
    )
    answer = await deps.bus.ask(command, LISTEN_SECONDS)
    if answer is None:
        raise Unavailable("Asterisk did not answer: no phone rings.")
    if isinstance(answer, Done) and answer.refused:
        raise Conflict(answer.refused)
    deps.listened.done(viewer, wish)
    return Response(status_code=DONE)


def _talking(deps: Deps, viewer: Viewer, call_id: str, user: str) -> tuple[LiveAgent, LiveCall]:
    """The agent and the call. Raises `NotFound` for whatever the viewer may not see."""
    known = user.isascii() and user.isdecimal() and len(user) < 12
    agent = deps.board.agents.get(UserId(int(user))) if known else None
    live = deps.board.calls.get(CallId(call_id[:64]))
    if agent is None or live is None or live.pbx != agent.pbx:
        raise NotFound("This agent does not talk just now.")
    if not deps.hub.audience.sees_agent(viewer, agent.user):
        raise NotFound
    if agent.user == viewer.user_id:
        raise Conflict("This is your own call.")
    return agent, live


async def _own_phone(deps: Deps, viewer: Viewer, pbx: PbxId) -> str:
    """The interface of the viewer's phone on this PBX."""
    if viewer.user_id is None:
        raise Invalid("Only a person can listen to a call.")
    here = deps.board.agents.get(viewer.user_id)
    if here is not None and here.pbx == pbx:
        return here.interface
    person = deps.directory.people.get(viewer.user_id)
    found: str | None = None
    if person is not None and person.extension and person.pbx in (None, pbx):
        async with reading(deps.engine) as connection:
            found = await connection.scalar(
                select(Seat.interface).where(Seat.pbx == pbx, Seat.extension == person.extension)
            )
    if found is None:
        raise Conflict(
            "You have no phone to listen with: an administrator can give you an extension."
        )
    if any(other.pbx == pbx and other.interface == found for other in deps.board.agents.values()):
        raise Conflict("Somebody else has signed in at your phone.")
    return found


def _listener(viewer: Viewer, wish: str) -> str:
    """What names the listener's channel: the same for the same press."""
    pressed = f"{viewer.user_id}\x1f{wish or uuid4().hex}"
    return blake2b(pressed.encode(), digest_size=12).hexdigest()
