"""GET /api/v1/live: the board, with the place on the bus from which the socket goes on."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from agent_ui.api.answers import JsonAnswer, Who
from agent_ui.deps import deps_of
from agent_ui.security import needs
from crm_core.access.permissions import Permission

router = APIRouter(prefix="/api/v1", tags=["live"])


@router.get("/live", dependencies=[needs(Permission.READ_LIVE)])
async def live(request: Request, visit: Who) -> Response:
    """What is going on right now, within the data scope."""
    deps = deps_of(request)
    board = deps.hub.picture.board_for(visit.who)
    return JsonAnswer({"seq": deps.bus.seq, "at": deps.now(), **board})
