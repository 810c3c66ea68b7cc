"""The web application: every route, each behind its door, and what surrounds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from agent_ui import open_routes, problems
from agent_ui.account import routes as account_routes
from agent_ui.admin import people as people_routes
from agent_ui.admin import seats as seat_routes
from agent_ui.api import calls as api_calls
from agent_ui.api import customers as api_customers
from agent_ui.api import docs as api_docs
from agent_ui.api import gaps as api_gaps
from agent_ui.api import live as api_live
from agent_ui.books import routes as book_routes
from agent_ui.calls import commands as call_commands
from agent_ui.calls import dial as call_dial
from agent_ui.calls import export as call_export
from agent_ui.calls import gave_up as call_gave_up
from agent_ui.calls import routes as call_routes
from agent_ui.customers import editing as customer_editing
from agent_ui.customers import routes as customer_routes
from agent_ui.deps import Deps
from agent_ui.desk import call_commands as call_bar_commands
from agent_ui.desk import demo_phone, state_commands
from agent_ui.desk import routes as desk_routes
from agent_ui.live import socket as live_socket
from agent_ui.live_queues import routes as live_queue_routes
from agent_ui.operations import routes as operations_routes
from agent_ui.recordings import listening
from agent_ui.recordings import routes as recording_routes
from agent_ui.request_ids import RequestIds
from agent_ui.security import BodyLimit, SafeHeaders, undeclared
from agent_ui.sign_in import routes as sign_in_routes
from agent_ui.sign_in import set_up

ROUTERS: Sequence[APIRouter] = (
    open_routes.router,
    operations_routes.router,
    sign_in_routes.router,
    set_up.router,
    account_routes.router,
    desk_routes.router,
    state_commands.router,
    call_bar_commands.router,
    call_gave_up.router,
    call_routes.router,
    call_export.router,
    call_commands.router,
    call_dial.router,
    recording_routes.router,
    listening.router,
    people_routes.router,
    seat_routes.router,
    customer_editing.router,
    customer_routes.router,
    live_queue_routes.router,
    book_routes.router,
    api_calls.router,
    api_gaps.router,
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
    app.add_middleware(RequestIds)
    if without := undeclared(app):
        raise RuntimeError(f"nobody said who may use {', '.join(without)}")
    return app
