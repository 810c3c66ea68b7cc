"""The desk, and the way to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import deps_of
from agent_ui.desk.view import DeskPage
from agent_ui.live.redraw import SLOW
from agent_ui.live.regions import DRAWINGS, Region
from agent_ui.pages import page
from agent_ui.security import Door, needs
from crm_core.access.permissions import DataScope, Permission
from crm_core.errors import NotAllowed

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]


@router.get("/", dependencies=[needs(Door.SIGNED_IN)])
async def start(request: Request, visit: Who) -> Response:
    """Agents go to their desk, supervisors to the live queues, everybody else to the calls."""
    viewer = visit.who
    if viewer.may(Permission.TAKE_CALLS) and viewer.agent_number is not None:
        return RedirectResponse("/desk", 303)
    if viewer.may(Permission.READ_LIVE) and viewer.scope is not DataScope.OWN:
        return RedirectResponse("/live", 303)
    if viewer.may(Permission.READ_CALLS):
        return RedirectResponse("/calls", 303)
    raise NotAllowed("Your roles have no page of their own. Ask an administrator.")


@router.get("/desk", dependencies=[needs(Permission.TAKE_CALLS)])
async def desk(request: Request, visit: Who) -> Response:
    """The agent's desk; without a device the choice of one comes first."""
    deps = deps_of(request)
    if deps.desk.agent(visit.who) is None:
        return RedirectResponse("/device", 303)
    # The place on the bus first: what happens while the page is read is told again by the socket.
    seq = deps.bus.seq
    pending = deps.desk.pending(visit.who)
    if pending is not None:
        await pending
    values = await deps.desk.read(SLOW, visit.who, visit.language)
    if deps.desk.agent(visit.who) is None:  # signed out while the page was read
        return RedirectResponse("/device", 303)
    for region in set(Region) - SLOW:
        value = deps.desk.value(region, visit.who, visit.language)
        if value is not None:
            values[region] = value[0]
    parts = {DRAWINGS[region].variable: value for region, value in values.items()}
    may_dial = visit.who.may(Permission.PLACE_CALLS)
    return page(request, visit, "desk/page.html", DeskPage(seq=seq, may_dial=may_dial, **parts))
