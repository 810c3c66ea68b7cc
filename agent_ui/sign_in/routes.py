"""Getting in and out: sign-in to the pages, the agent's device, one's own password and language."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.auth import (
    LANGUAGE_COOKIE,
    Visit,
    drop_session_cookie,
    set_session_cookie,
    visit_of,
)
from agent_ui.auth_view import (
    Device,
    DevicePage,
    DeviceProblem,
    PasswordPage,
    SignInPage,
    SignInProblem,
    in_order,
)
from agent_ui.deps import Deps, deps_of
from agent_ui.pages import page
from agent_ui.rendering import LANGUAGES
from agent_ui.security import Door, form_of, needs, safe_next
from agent_ui.sign_in.ending import session_ended
from agent_ui.sign_in.password import changed
from crm_core.access import passwords, sessions, users
from crm_core.access.devices import give_back, take_seat
from crm_core.access.permissions import Permission
from crm_core.centre.queries import queues_of_user
from crm_core.centre.seats import seat_files, seats_of
from crm_core.db import reading, transaction
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany
from crm_core.ids import PbxId

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

ENDED_COOKIE = "zuoxi-ended"
"""Set for a minute when a session turned out to have ended: the sign-in page then says so."""


@router.get("/sign-in", dependencies=[needs(Door.PUBLIC)])
async def show_sign_in(request: Request, visit: Who) -> Response:
    """The sign-in page; who is signed in already goes on."""
    target = safe_next(request.query_params.get("next"))
    if visit.token and (await deps_of(request).identities.visit(request)).viewer:
        return RedirectResponse(target, 303)
    ended = request.cookies.get(ENDED_COOKIE) == "1"
    shown = SignInPage(next=target, problem=SignInProblem.ENDED if ended else None)
    response = page(request, visit, "auth/sign_in.html", shown)
    if ended:
        response.delete_cookie(ENDED_COOKIE, path="/sign-in", httponly=True, samesite="lax")
    return response


@router.post("/sign-in", dependencies=[needs(Door.PUBLIC)])
async def sign_in(request: Request, visit: Who) -> Response:
    """A new session with a new id, whatever cookie came along; the old one ends."""
    deps, form = deps_of(request), await form_of(request)
    name, target = form.get("name", ""), safe_next(form.get("next"))
    try:
        signed_in = await sessions.sign_in(
            deps.engine,
            name=name,
            password=form.get("password", ""),
            address=request.client.host if request.client else "",
            user_agent=request.headers.get("user-agent", ""),
            now=deps.now(),
            throttle=deps.throttle,
        )
    except (NotAllowed, TooMany) as wrong:
        problem = SignInProblem.TOO_MANY if isinstance(wrong, TooMany) else SignInProblem.WRONG
        shown = SignInPage(next=target, name=name[:64], problem=problem)
        status = 429 if problem is SignInProblem.TOO_MANY else 403
        return page(request, visit, "auth/sign_in.html", shown, status=status)
    if visit.session is not None:
        async with transaction(deps.engine) as connection:
            await sessions.sign_out(connection, visit.token, deps.now())
        session_ended(deps, visit)
    response = RedirectResponse(target, 303)
    set_session_cookie(response, signed_in.token, deps.settings)
    return response


@router.post("/sign-out", dependencies=[needs(Door.PASSWORD)])
async def sign_out(request: Request, visit: Who) -> Response:
    """Give the device back, end the session, close its sockets."""
    deps = deps_of(request)
    async with transaction(deps.engine) as connection:
        left = await give_back(connection, visit.who, now=deps.now())
        await sessions.sign_out(connection, visit.token, deps.now())
    if left is not None:
        deps.bus.publish(left)
    session_ended(deps, visit)
    response = RedirectResponse("/sign-in", 303)
    drop_session_cookie(response, deps.settings)
    return response


# --- the device -----------------------------------------------------------------------------------


@router.get("/device", dependencies=[needs(Permission.TAKE_CALLS)])
async def show_devices(request: Request, visit: Who) -> Response:
    """Which extension does the agent sit at? With `?from=pbx/extension`: take that one over?"""
    asked = request.query_params.get("from", "")
    return await _device_page(request, visit, taking_over=asked[:100])


@router.post("/device", dependencies=[needs(Permission.TAKE_CALLS)])
async def take_device(request: Request, visit: Who) -> Response:
    """Take the extension; the queues are told once that is committed."""
    deps, form = deps_of(request), await form_of(request)
    pbx, _, extension = form.get("device", "").partition("/")
    holder = form.get("from", "")
    from_user = int(holder) if holder.isascii() and holder.isdecimal() else None
    if from_user is not None and await _is_busy(deps, PbxId(pbx), extension):
        return await _device_page(request, visit, DeviceProblem.BUSY)
    try:
        async with transaction(deps.engine) as connection:
            seat = await take_seat(
                connection,
                visit.who,
                pbx=PbxId(pbx),
                extension=extension,
                now=deps.now(),
                from_user=from_user,
            )
    except Conflict:
        return await _device_page(request, visit, DeviceProblem.TAKEN)
    except NotFound:
        return await _device_page(request, visit, DeviceProblem.UNKNOWN)
    for left in seat.left:
        deps.bus.publish(left)
    deps.bus.publish(seat.taken)
    return RedirectResponse("/desk", 303)


async def _is_busy(deps: Deps, pbx: PbxId, extension: str) -> bool:
    """Does its phone ring or talk just now?"""
    async with reading(deps.engine) as connection:
        seats = await seat_files(connection)
    here = {seat.interface for seat in seats if (seat.pbx, seat.extension) == (pbx, extension)}
    return any(
        call.pbx == pbx and (call.talk_of(interface) or call.offer_at(interface))
        for call in deps.board.calls.values()
        for interface in here
    )


async def _device_page(
    request: Request,
    visit: Visit,
    problem: DeviceProblem | None = None,
    *,
    taking_over: str = "",
) -> Response:
    deps, viewer = deps_of(request), visit.who
    pbxs = sorted({*(url.pbx for url in deps.settings.pbxs), *(pbx for pbx, _ in _queues(deps))})
    async with reading(deps.engine) as connection:
        seats = await seats_of(connection, viewer)
        titles = [
            deps.directory.title(pbx, name)
            for pbx in pbxs
            for name, _penalty in await queues_of_user(connection, viewer.user_id or 0, pbx)
        ]
    devices = in_order(
        tuple(
            Device(
                pbx=seat.pbx,
                extension=seat.extension,
                is_usual=seat.usual,
                held_by=seat.held_by,
                held_number=seat.held_number,
                holder=seat.holder,
            )
            for seat in seats
        )
    )
    shown = DevicePage(
        devices=devices,
        queues=tuple(titles),
        shows_pbx=len({seat.pbx for seat in seats}) > 1,
        problem=problem,
        taking_over=next(
            (
                one
                for one in devices
                if one.holder is not None and f"{one.pbx}/{one.extension}" == taking_over
            ),
            None,
        ),
    )
    status = 200 if problem is None else STATUS_OF[problem]
    return page(request, visit, "auth/device.html", shown, status=status)


STATUS_OF = {
    DeviceProblem.TAKEN: 409,
    DeviceProblem.BUSY: 409,
    DeviceProblem.UNKNOWN: 404,
    DeviceProblem.NO_LINK: 503,
}


def _queues(deps: Deps) -> list[tuple[PbxId, str]]:
    return list(deps.directory.queues)


# --- the own password and language ----------------------------------------------------------------


@router.get("/password", dependencies=[needs(Door.PASSWORD)])
async def show_password(request: Request, visit: Who) -> Response:
    """Replace the one-time password."""
    shown = PasswordPage(minimum_length=passwords.SHORTEST)
    return page(request, visit, "auth/password.html", shown)


@router.post("/password", dependencies=[needs(Door.PASSWORD)])
async def change_password(request: Request, visit: Who) -> Response:
    """The new password; all other sessions of the person end."""
    deps, form = deps_of(request), await form_of(request)
    problem = await changed(deps, visit, form)
    if problem is None:
        deps.hub.end_others(visit.who.user_id, but=visit.token_hash)
        return RedirectResponse("/", 303)
    shown = PasswordPage(minimum_length=passwords.SHORTEST, problem=problem)
    return page(request, visit, "auth/password.html", shown, status=422)


@router.post("/language", dependencies=[needs(Door.PUBLIC)])
async def choose_language(request: Request, visit: Who) -> Response:
    """Remembered with the person, or by the browser before the sign-in."""
    deps, form = deps_of(request), await form_of(request)
    language = form.get("language", "")
    if language not in LANGUAGES:
        raise Invalid("There are two languages: zh_CN and en.")
    if visit.viewer is not None and visit.viewer.user_id is not None:
        async with transaction(deps.engine) as connection:
            await users.set_language(connection, visit.viewer, language)
    response = RedirectResponse(safe_next(form.get("next")), 303)
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=365 * 24 * 3600,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response
