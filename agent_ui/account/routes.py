"""One's own page: what is known of me, a new password, sign-out everywhere else."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.account.view import AccountPage, SessionShown
from agent_ui.auth import Visit, visit_of
from agent_ui.auth_view import PasswordProblem
from agent_ui.deps import deps_of
from agent_ui.pages import page
from agent_ui.security import Door, form_of, needs
from agent_ui.sign_in.password import changed
from crm_core.access import passwords, people, sessions
from crm_core.access.audit import audit
from crm_core.centre.queries import queues
from crm_core.db import reading, transaction
from crm_core.errors import NotFound
from crm_core.ids import UserId

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

DONE = ("password", "signed-out")


@router.get("/account", dependencies=[needs(Door.SIGNED_IN)])
async def account(request: Request, visit: Who) -> Response:
    """What is known of me, and where I am signed in."""
    done = request.query_params.get("done", "")
    return await _page(request, visit, done=done if done in DONE else "")


@router.post("/account/password", dependencies=[needs(Door.SIGNED_IN)])
async def change_password(request: Request, visit: Who) -> Response:
    """The new password; all other sessions end."""
    deps, user = deps_of(request), _person(visit)
    problem = await changed(deps, visit, await form_of(request))
    if problem is not None:
        return await _page(request, visit, problem=problem)
    deps.hub.end_others(user, but=visit.token_hash)
    return RedirectResponse("/account?done=password", 303)


@router.post("/account/sign-out-elsewhere", dependencies=[needs(Door.SIGNED_IN)])
async def sign_out_elsewhere(request: Request, visit: Who) -> Response:
    """All my other sessions end, their sockets too; the device stays."""
    deps, user = deps_of(request), _person(visit)
    async with transaction(deps.engine) as connection:
        ended = await sessions.sign_out_everywhere(connection, user, deps.now(), but=visit.token)
        await audit(
            connection,
            visit.who.name,
            "session.end_others",
            visit.who.name,
            {"sessions": ended},
            at=deps.now(),
        )
    deps.identities.forget_person(user, but=visit.token)
    deps.hub.end_others(user, but=visit.token_hash)
    return RedirectResponse("/account?done=signed-out", 303)


def _person(visit: Visit) -> UserId:
    """Who came with a browser's session. A program has no page of its own."""
    if visit.session is None or visit.who.user_id is None:
        raise NotFound
    return visit.who.user_id


async def _page(
    request: Request, visit: Visit, *, problem: PasswordProblem | None = None, done: str = ""
) -> Response:
    deps, user = deps_of(request), _person(visit)
    async with reading(deps.engine) as connection:
        person = await people.person(connection, user)
        titles = {queue.id: queue.title for queue in await queues(connection)}
        open_sessions = await sessions.sessions_of(connection, user, deps.now())
    shown = AccountPage(
        name=person.name,
        full_name=person.full_name,
        agent_number=person.agent_number,
        roles=tuple(sorted(person.roles)),
        team=person.team,
        queues=tuple(titles[one] for one in sorted(person.queues)),
        extension=person.extension,
        sessions=tuple(
            SessionShown(
                began_at=one.created_at,
                seen_at=one.seen_at,
                address=one.address,
                browser=one.user_agent,
                is_this=one.token_hash == visit.token_hash,
            )
            for one in open_sessions
        ),
        minimum_length=passwords.SHORTEST,
        problem=problem,
        done=done,
    )
    return page(request, visit, "account/page.html", shown, status=422 if problem else 200)
