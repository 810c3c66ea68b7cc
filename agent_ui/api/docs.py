"""The API described: OpenAPI as JSON, and a page of our own that lists it (nothing from a CDN)."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from agent_ui.api import frames_described
from agent_ui.api.answers import Who
from agent_ui.pages import page
from agent_ui.security import Door, needs
from crm_core.quick_dataclass import dataclass

router = APIRouter()

TITLE = "Zuoxi"
VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One line of the page."""

    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...] = ()


@router.get("/api/v1/openapi.json", dependencies=[needs(Door.SIGNED_IN)], include_in_schema=False)
async def openapi(request: Request) -> Response:
    """OpenAPI 3.1 of everything below /api/v1."""
    return JSONResponse(description_of(request.app))


@router.get("/docs", dependencies=[needs(Door.SIGNED_IN)], include_in_schema=False)
async def docs(request: Request, visit: Who) -> Response:
    """The same, for people."""
    return page(request, visit, "docs.html", _operations(request.app))


@cache
def description_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of this app."""
    routes = [
        route
        for route in app.router.routes
        if isinstance(route, APIRoute) and route.path.startswith("/api/v1/")
    ]
    document = get_openapi(title=TITLE, version=VERSION, routes=routes)
    schemes = {"token": {"type": "http", "scheme": "bearer"}}
    components = document.setdefault("components", {})
    components["securitySchemes"] = schemes
    components.setdefault("schemas", {}).update(frames_described.schemas())
    document["paths"]["/api/v1/events"] = frames_described.SOCKET
    document["security"] = [{"token": []}]
    return document


def _operations(app: FastAPI) -> tuple[Operation, ...]:
    found = [
        Operation(
            method=method.upper(),
            path=path,
            summary=(told.get("description") or told["summary"]).split("\n")[0],
            parameters=tuple(
                Parameter(name=one["name"], what=one.get("description", one["in"]))
                for one in told.get("parameters", ())
            ),
        )
        for path, operations in description_of(app)["paths"].items()
        for method, told in operations.items()
    ]
    return (*found, *_frames())


def _frames() -> tuple[Operation, ...]:
    """What comes over the socket, each type of frame as one more entry."""
    return tuple(
        Operation(
            method="FRAME",
            path=kind,
            summary=what,
            parameters=tuple(
                Parameter(name=name, what=_said_of(schema)) for name, schema in fields.items()
            ),
        )
        for kind, (what, fields) in frames_described.FRAMES.items()
    )


def _said_of(schema: dict[str, Any]) -> str:
    """The description of a field, else its type."""
    named: str = schema.get("description") or schema.get("$ref", "").rpartition("/")[2]
    kinds = schema.get("type", "")
    return named or (kinds if isinstance(kinds, str) else " or ".join(kinds))
