"""What everybody may fetch: the health check and the files that pages are made of."""

from __future__ import annotations

from mimetypes import guess_type

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from agent_ui.auth_view import Shell
from agent_ui.deps import deps_of
from agent_ui.rendering import LANGUAGES
from agent_ui.security import Door, needs
from crm_core.errors import NotFound

router = APIRouter()

FOR_EVER = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}
"""Said by us: what the host's own table says of scripts differs, and browsers run no other type."""


@router.get("/healthz", dependencies=[needs(Door.PUBLIC)], include_in_schema=False)
async def healthz() -> Response:
    """The process answers. What it can reach, pages say."""
    return JSONResponse({"status": "ok"})


@router.get("/offline/{lang}", dependencies=[needs(Door.PUBLIC)], include_in_schema=False)
async def offline_page(request: Request, lang: str) -> Response:
    """What the browser keeps, to show it where no page of ours can be had. Nobody's: it says no name."""
    language = next((ours for ours, tag in LANGUAGES.items() if tag == lang), None)
    if language is None:
        raise NotFound
    return HTMLResponse(deps_of(request).renderer.render("offline.html", language, shell=Shell()))


@router.get("/offline-worker.js", dependencies=[needs(Door.PUBLIC)], include_in_schema=False)
async def offline_worker(request: Request) -> Response:
    """The service worker. At the root and without a release: from there it may answer for any page."""
    body = (deps_of(request).renderer.static.root / "worker/offline-worker.js").read_bytes()
    return Response(body, media_type=TYPES[".js"], headers={"cache-control": "no-cache"})


@router.get(
    "/static/{release}/{name:path}", dependencies=[needs(Door.PUBLIC)], include_in_schema=False
)
async def static_file(request: Request, release: str, name: str) -> Response:
    """One of the files below static/, found in a list made at the start: no path is walked."""
    static = deps_of(request).renderer.static
    try:
        address = static.url(name)
    except KeyError:
        raise NotFound from None
    if address != f"/static/{release}/{name}":
        raise NotFound("This file belongs to another release: load the page again.")
    kind = TYPES.get(f".{name.rpartition('.')[2]}") or guess_type(name)[0]
    body = (static.root / name).read_bytes()
    return Response(body, media_type=kind, headers={"cache-control": FOR_EVER})
