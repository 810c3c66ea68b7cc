"""Who may do what over HTTP, decided before any route's own code runs: deny by default.

Every route names its door, `dependencies=[needs(Permission.READ_CALLS)]`; `undeclared` finds those
that do not, and `create_app` refuses to build an app with one. The same dependency refuses forged
requests (a foreign Origin, a missing token) and, below `/api`, query parameters nobody declared.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from fastapi import FastAPI, params
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_ui.auth import NotSignedIn, PasswordFirst, Visit
from agent_ui.deps import deps_of
from agent_ui.origins import from_here
from crm_core.access.permissions import Permission
from crm_core.errors import Invalid, NotAllowed
from crm_core.quick_dataclass import dataclass
from crm_core.settings import Settings

BODY_LIMIT = 256 * 1024
"""Bytes of a request's body; the longest honest one is a note of 10,000 characters."""

DRAINED = 4 * BODY_LIMIT
"""So much of a body that is too large is read and thrown away, so that the sender hears why."""

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Door(StrEnum):
    """Doors that no permission opens."""

    PUBLIC = "public"
    """Everybody, without a sign-in."""
    SIGNED_IN = "signed_in"
    """Whoever is signed in, whatever the roles."""
    PASSWORD = "password"
    """As SIGNED_IN, and also who still has to replace a one-time password."""


Access = Door | Permission


class Needs:
    """The guard of one route; as a FastAPI dependency it runs before anything else of it."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def __call__(self, connection: HTTPConnection) -> None:
        deps = deps_of(connection)
        if self.access is Door.PUBLIC and connection.scope.get("method") in SAFE_METHODS:
            # Files and the health check ask nothing of the database.
            connection.state.visit = deps.identities.nobody(connection)
            return
        visit = await deps.identities.visit(connection)
        connection.state.visit = visit
        if visit.viewer is None and connection.scope["type"] == "websocket":
            raise NotSignedIn
        await refuse_forgery(connection, visit, deps.settings)
        if self.access is not Door.PUBLIC:
            _admit(visit, self.access)
        if connection.url.path.startswith("/api/"):
            _refuse_unknown_parameters(connection)


def needs(access: Access) -> Any:
    """For `dependencies=[…]` of a route: who may come in."""
    return params.Depends(Needs(access))


def _admit(visit: Visit, access: Access) -> None:
    if visit.viewer is None:
        raise NotSignedIn
    if visit.viewer.must_change_password and access is not Door.PASSWORD:
        raise PasswordFirst
    if isinstance(access, Permission):
        visit.viewer.require(access)


def _refuse_unknown_parameters(connection: HTTPConnection) -> None:
    route = connection.scope.get("route")
    if not isinstance(route, APIRoute | APIWebSocketRoute):
        return
    known = {field.alias for field in route.dependant.query_params}
    for name in connection.query_params:
        if name not in known:
            raise Invalid(
                f"There is no query parameter {name[:40]!r} here; known: {', '.join(sorted(known))}."
                if known
                else f"There is no query parameter {name[:40]!r} here; none is known."
            )
    repeated = [name for name in known if len(connection.query_params.getlist(name)) > 1]
    if repeated:
        raise Invalid(f"The query parameter {sorted(repeated)[0]!r} was given more than once.")


# --- forged requests ------------------------------------------------------------------------------


async def refuse_forgery(connection: HTTPConnection, visit: Visit, settings: Settings) -> None:
    """Raise `NotAllowed` for a request that another site made a browser send.

    Programs with a bearer token are exempt: no browser adds that header by itself. A socket that
    comes with a session must name our Origin; a form must, too, and carry the session's token.
    """
    socket = connection.scope["type"] == "websocket"
    if visit.bearer or (not socket and connection.scope["method"] in SAFE_METHODS):
        return
    if not from_here(connection, settings, required=socket):
        raise NotAllowed("This request comes from another site's page.")
    if socket or visit.session is None:
        return
    assert isinstance(connection, Request)
    given = connection.headers.get(CSRF_HEADER) or await _token_in_form(connection)
    if not hmac.compare_digest(given.encode(), visit.session.csrf_token.encode()):
        raise NotAllowed("The page is from an earlier session: load it again and repeat.")


async def _token_in_form(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return ""
    return (await form_of(request)).get(CSRF_FIELD, "")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a posted form. Files are refused; of a name given twice the last counts."""
    form = await request.form(max_files=0, max_fields=200)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def safe_next(target: str | None) -> str:
    """Where to go after a sign-in: a path of ours, else the start page (no open redirect)."""
    if not target or not target.startswith("/") or not target.isprintable() or len(target) > 500:
        return "/"
    # //host and /\host leave this site in every browser.
    return "/" if target[1:2] in ("/", "\\") else target


# --- every route has a door -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A route and who may use it; None: nobody said."""

    method: str
    path: str
    access: Access | None


def declared_routes(app: FastAPI) -> Iterator[Declared]:
    """All routes of the app, one entry per method (`WS` for sockets)."""
    for route in app.router.routes:
        path = getattr(route, "path", repr(route))
        access = _access_of(route)
        methods: Iterable[str] = getattr(route, "methods", None) or ()
        if isinstance(route, APIWebSocketRoute):
            methods = ("WS",)
        for method in sorted(methods) or ("?",):
            yield Declared(method=method, path=path, access=access)


def _access_of(route: object) -> Access | None:
    # Anything but these two (a mount, a plain Starlette route, FastAPI's own docs) has no door.
    if not isinstance(route, APIRoute | APIWebSocketRoute):
        return None
    doors = [d.dependency for d in route.dependencies if isinstance(d.dependency, Needs)]
    return doors[0].access if len(doors) == 1 else None


def undeclared(app: FastAPI) -> list[str]:
    """Routes on which nobody said who may use them."""
    return [f"{r.method} {r.path}" for r in declared_routes(app) if r.access is None]


# --- headers and bodies ---------------------------------------------------------------------------

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; media-src 'self'; object-src 'none'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), geolocation=(), payment=(), usb=(), microphone=(self), "
        b"speaker-selection=(self)",
    ),
)
NO_STORE = (b"cache-control", b"no-store")
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")


class SafeHeaders:
    """Puts the security headers on every answer; what a route set itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                more = [*HEADERS, NO_STORE]
                if scope["scheme"] == "https":
                    more.append(STRICT_TRANSPORT)
                message = {
                    **message,
                    "headers": given + [header for header in more if header[0] not in names],
                }
            await send(message)

        await self.app(scope, receive, send_safely)


class BodyLimit:
    """Answers 413 to a body over `BODY_LIMIT`, told beforehand or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            await _too_large(receive, send)
            return
        taken = 0

        async def receive_limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_LIMIT:
                # The kind that FastAPI lets through while it reads a body.
                raise HTTPException(413)
            return message

        await self.app(scope, receive_limited, send)


async def _too_large(receive: Receive, send: Send) -> None:
    # Who is answered while still sending gets a broken connection instead of the answer.
    drained, more = 0, True
    while more and drained < DRAINED:
        message = await receive()
        drained += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    body = b'{"type":"about:blank","title":"Content Too Large","status":413}'
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
