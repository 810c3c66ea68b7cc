"""Pages for those who build the product; not part of an app that serves people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.deps import deps_of
from agent_ui.pages import page
from agent_ui.patterns import PatternsPage
from agent_ui.security import Door, needs

router = APIRouter()


@router.get("/patterns", dependencies=[needs(Door.PUBLIC)])
async def patterns(request: Request, visit: Annotated[Visit, Depends(visit_of)]) -> Response:
    """Every macro in every state."""
    return page(request, visit, "patterns.html", PatternsPage(at=deps_of(request).now()))
