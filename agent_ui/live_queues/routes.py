"""The page of live queues."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import deps_of
from agent_ui.live_queues.view import FloorPage
from agent_ui.pages import page
from agent_ui.security import needs
from crm_core.access.permissions import DataScope, Permission

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]


@router.get("/live", dependencies=[needs(Permission.READ_LIVE)])
async def live_queues(request: Request, visit: Who) -> Response:
    """The floor as far as the viewer sees it; who sees only the own work has the desk for that."""
    viewer = visit.who
    if viewer.scope is DataScope.OWN:
        return RedirectResponse("/", 303)
    deps = deps_of(request)
    # The place on the bus first: what happens while the page is drawn is told again by the socket.
    seq = deps.bus.seq
    floor = deps.floor.reader.floor(viewer, visit.language)
    regions = dict(deps.floor.drawings.regions(floor, visit.language))
    return page(request, visit, "live_queues/page.html", FloorPage(regions=regions, seq=seq))
