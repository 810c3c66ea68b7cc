"""What a failed request is answered: a page for people, RFC 9457 `problem+json` for programs."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.websockets import WebSocket

from agent_ui.auth import NotSignedIn, PasswordFirst, Visit, drop_session_cookie
from agent_ui.auth_view import ErrorPage
from agent_ui.deps import deps_of
from agent_ui.origins import from_here
from agent_ui.pages import shell_of
from agent_ui.request_ids import HEADER, id_of
from agent_ui.security import HEADERS, NO_STORE
from agent_ui.sentences import SENTENCES
from agent_ui.words import MISHAPS
from crm_core.db_trouble import is_away
from crm_core.errors import TooMany, ZuoxiError

log = logging.getLogger("zuoxi.web")

FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""What programs ask, even where somebody looks at it in a browser."""


class Problem(Response):
    """An answer of the type `application/problem+json`."""

    media_type = "application/problem+json"

    def __init__(
        self, status: int, detail: str | None, *, headers: dict[str, str] | None = None
    ) -> None:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
        }
        if detail:
            body["detail"] = detail
        super().__init__(orjson.dumps(body), status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Give the app its answers to everything that can go wrong."""
    handlers: dict[type[Exception], Any] = {
        ZuoxiError: _zuoxi_error,
        HTTPException: _http_error,
        RequestValidationError: _invalid,
        WebSocketRequestValidationError: _invalid,
        Exception: _unexpected,
    }
    for wrong, handler in handlers.items():
        app.add_exception_handler(wrong, handler)


async def _zuoxi_error(connection: HTTPConnection, wrong: Exception) -> Response | None:
    assert isinstance(wrong, ZuoxiError)
    if isinstance(wrong, NotSignedIn) and _is_page(connection):
        return _to_sign_in(connection)
    if isinstance(wrong, NotSignedIn) and _is_our_page(connection):
        # A refused handshake looks like a lost link to a page; this it understands.
        assert isinstance(connection, WebSocket)
        await connection.accept()
        await connection.close(4401, "the session has ended")
        return None
    if isinstance(wrong, PasswordFirst) and _is_page(connection):
        return RedirectResponse("/password", 303)
    return await answer(connection, wrong.status, wrong.detail)


async def _http_error(connection: HTTPConnection, wrong: Exception) -> Response | None:
    assert isinstance(wrong, HTTPException)
    response = await answer(connection, wrong.status_code, None)
    if response is not None and wrong.headers:
        response.headers.update(wrong.headers)
    return response


async def _invalid(connection: HTTPConnection, wrong: Exception) -> Response | None:
    assert isinstance(wrong, RequestValidationError | WebSocketRequestValidationError)
    return await answer(connection, 422, sentence(wrong.errors()))


def sentence(errors: Any) -> str:
    """The first of pydantic's complaints as a sentence, without the value that was sent."""
    first = errors[0] if errors else {}
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    said = str(first.get("msg", "The request is not valid")).removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


async def _unexpected(connection: HTTPConnection, wrong: Exception) -> Response | None:
    if is_away(wrong):
        log.warning("%s: the database is away", connection.url.path)
        return await answer(
            connection, 503, "The database is not reachable just now. Calls go on; try again."
        )
    case = id_of(connection.scope)
    # Said again: this runs behind the middleware that puts it beside every other line.
    log.error("case %s: %s failed", case, connection.url.path, exc_info=wrong)
    response = await answer(connection, 500, None, case=case)
    if response is not None:  # Starlette sends it past all middleware
        for name, value in (*HEADERS, NO_STORE, (HEADER, case.encode())):
            response.headers.setdefault(name.decode(), value.decode())
    return response


async def answer(
    connection: HTTPConnection, status: int, detail: str | None, *, case: str | None = None
) -> Response | None:
    """The page or problem for `status`; a socket that is not accepted yet gets the problem."""
    said = f"Number of this case: {case}" if case and not detail else detail
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    if status == TooMany.status:
        headers = {"retry-after": "60"}
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(Problem(status, said, headers=headers))
        return None
    deps = deps_of(connection)
    visit: Visit = getattr(connection.state, "visit", None) or deps.identities.nobody(connection)
    if detail in SENTENCES and not connection.url.path.startswith("/api/"):
        said = detail = deps.renderer.text(detail, visit.language)
    if not _is_page(connection):
        return Problem(status, said, headers=headers)
    page = ErrorPage(
        status=status if status in MISHAPS else (422 if status < 500 else 500),
        detail=detail if status in MISHAPS else None,
        request_id=case,
    )
    html = deps.renderer.render(
        "error.html", visit.language, shell=shell_of(connection, visit), page=page
    )
    return HTMLResponse(html, status, headers=headers)


def _is_page(connection: HTTPConnection) -> bool:
    """Did a person's browser ask for a page, not a script or a program?"""
    if not isinstance(connection, Request) or connection.url.path.startswith(FOR_PROGRAMS):
        return False
    mode = connection.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    accept = connection.headers.get("accept", "")
    sends_json = connection.headers.get("content-type", "").startswith("application/json")
    return not sends_json and ("text/html" in accept or "json" not in accept)


def _is_our_page(connection: HTTPConnection) -> bool:
    """Is it the socket of one of our pages, with the cookie of a session that has ended?"""
    deps = deps_of(connection)
    return (
        isinstance(connection, WebSocket)
        and deps.identities.cookie in connection.cookies
        and "authorization" not in connection.headers
        and from_here(connection, deps.settings, required=True)
    )


def _to_sign_in(connection: HTTPConnection) -> Response:
    path = connection.url.path
    asked = f"{path}?{connection.url.query}" if connection.url.query else path
    keeps = connection.scope["method"] == "GET" and path != "/"
    response = RedirectResponse(f"/sign-in?next={quote(asked)}" if keeps else "/sign-in", 303)
    settings = deps_of(connection).settings
    if deps_of(connection).identities.cookie in connection.cookies:
        drop_session_cookie(response, settings)
        response.set_cookie(
            "zuoxi-ended", "1", max_age=60, path="/sign-in", httponly=True, samesite="lax"
        )
    return response
