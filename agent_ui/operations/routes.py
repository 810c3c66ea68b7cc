"""`/readyz` and `/metrics`: for who runs the centre, from this machine or with a token."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from agent_ui.deps import deps_of
from agent_ui.security import Door, needs
from crm_core.db_trouble import is_away
from crm_core.errors import ZuoxiError

router = APIRouter()


@router.get("/readyz", dependencies=[needs(Door.PUBLIC)], include_in_schema=False)
async def readyz(request: Request) -> Response:
    """200 when every part that is needed is there, else 503; which ones, only for who may look."""
    deps = deps_of(request)
    parts = await deps.operations.readiness.parts()
    ready = all(part.ok for part in parts)
    answer: dict[str, object] = {"status": "ready" if ready else "not ready"}
    if await _may_look(request):
        answer["parts"] = [{"part": part.part, "ok": part.ok, "says": part.says} for part in parts]
    return JSONResponse(answer, 200 if ready else 503)


async def _may_look(request: Request) -> bool:
    deps = deps_of(request)
    try:
        await deps.operations.admission.admit(request, deps.now())
    except Exception as wrong:
        if isinstance(wrong, ZuoxiError) or is_away(wrong):
            return False
        raise
    return True


@router.get("/metrics", dependencies=[needs(Door.PUBLIC)], include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    deps = deps_of(request)
    await deps.operations.admission.admit(request, deps.now())
    text, media_type = await deps.operations.metrics()
    return Response(text, media_type=media_type)
