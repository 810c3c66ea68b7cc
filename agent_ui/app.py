"""The web application: every route, each behind its door, and what surrounds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from agent_ui import open_routes, problems
from agent_ui.api import calls as api_calls
from agent_ui.api import customers as api_customers
from agent_ui.api import docs as api_docs
from agent_ui.api import live as api_live
from agent_ui.calls import commands as call_commands
from agent_ui.calls import routes as call_routes
from agent_ui.deps import Deps
from agent_ui.desk import demo_phone
from agent_ui.desk import routes as desk_routes
from agent_ui.live import socket as live_socket
from agent_ui.security import BodyLimit, SafeHeaders, undeclared
from agent_ui.sign_in import routes as sign_in_routes

ROUTERS: Sequence[APIRouter] = (
    open_routes.router,
    sign_in_routes.router,
    desk_routes.router,
    call_routes.router,
    call_commands.router,
    api_calls.router,
    api_customers.router,
    api_live.router,
    api_docs.router,
    live_socket.router,
)


def create_app(deps: Deps, *, start: Callable[[], Awaitable[None]] | None = None) -> FastAPI:
    """The app. Raises RuntimeError when a route does not say who may use it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if start is not None:
            await start()
        yield

    # FastAPI's own documentation loads scripts from a CDN, and its routes have no door.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.state.deps = deps
    for router in ROUTERS:
        # Flat, not `include_router`: one list in which every route shows its own door.
        app.router.routes.extend(router.routes)
    if deps.settings.demo_pbxs:
        app.router.routes.extend(demo_phone.router.routes)
    if deps.development:
        from agent_ui import development

        app.router.routes.extend(development.router.routes)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    if without := undeclared(app):
        raise RuntimeError(f"nobody said who may use {', '.join(without)}")
    return app
