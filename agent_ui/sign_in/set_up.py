"""The set-up link: the first administrator names himself, is signed in, and goes on to the people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.auth import Visit, set_session_cookie, visit_of
from agent_ui.auth_view import SetUpPage, SetUpProblem
from agent_ui.deps import deps_of
from agent_ui.pages import page
from agent_ui.security import Door, form_of, needs
from agent_ui.sign_in.ending import session_ended
from crm_core.access import passwords, sessions, setup_links
from crm_core.access.users import wrong_name
from crm_core.db import reading, transaction
from crm_core.errors import Invalid

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]


@router.get(setup_links.PATH + "{token}", dependencies=[needs(Door.PUBLIC)])
async def show_set_up(request: Request, token: str) -> Response:
    """The form, while the link is good."""
    deps = deps_of(request)
    async with reading(deps.engine) as connection:
        await setup_links.require_good(connection, token, deps.now())
    # Whoever is signed in already sends the session's token with the form.
    visit = request.state.visit = await deps.identities.visit(request)
    shown = SetUpPage(minimum_length=passwords.SHORTEST)
    return page(request, visit, "auth/set_up.html", shown)


@router.post(setup_links.PATH + "{token}", dependencies=[needs(Door.PUBLIC)])
async def set_up(request: Request, visit: Who, token: str) -> Response:
    """The administrator's first session; the link is used up."""
    deps, form = deps_of(request), await form_of(request)
    name, password = form.get("name", "").strip()[:64], form.get("new_password", "")
    async with reading(deps.engine) as connection:
        await setup_links.require_good(connection, token, deps.now())
    problem = _problem(name, password, form.get("new_password_again", ""))
    if problem is None:
        try:
            signed_in = await setup_links.first_administrator(
                deps.engine,
                token=token,
                name=name,
                password=password,
                address=request.client.host if request.client else "",
                user_agent=request.headers.get("user-agent", ""),
                now=deps.now(),
            )
        except Invalid:
            problem = SetUpProblem.WEAK
    if problem is not None:
        shown = SetUpPage(minimum_length=passwords.SHORTEST, name=name, problem=problem)
        return page(request, visit, "auth/set_up.html", shown, status=422)
    if visit.session is not None:
        async with transaction(deps.engine) as connection:
            await sessions.sign_out(connection, visit.token, deps.now())
        session_ended(deps, visit)
    await deps.directory.refresh()
    response = RedirectResponse("/people", 303)
    set_session_cookie(response, signed_in.token, deps.settings)
    return response


def _problem(name: str, password: str, again: str) -> SetUpProblem | None:
    if wrong_name(name):
        return SetUpProblem.NAME
    return SetUpProblem.DIFFERENT if password != again else None
