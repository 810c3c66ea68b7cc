"""People: the list, a new one, one's file; passwords made anew, people disabled and enabled.

For administrators. Whatever somebody may no longer see is gone within a second, open pages too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.admin.forms import (
    person_page,
    role_choices,
    role_names,
    wish_as_it_is,
    wish_for_new,
    wish_of,
)
from agent_ui.admin.view import (
    HandedOverPage,
    KnownPerson,
    PeopleFilters,
    PeoplePage,
    PersonRow,
    fitting,
)
from agent_ui.auth import Visit, visit_of
from agent_ui.calls.view import Choice
from agent_ui.deps import Deps, deps_of
from agent_ui.pages import page
from agent_ui.security import needs
from crm_core.access import passwords, people, users
from crm_core.access.people import PersonFile, Wish, WrongFields
from crm_core.access.permissions import Permission
from crm_core.access.users import UserRow
from crm_core.centre.holders import extension_of
from crm_core.centre.queries import queues
from crm_core.db import reading, transaction
from crm_core.errors import Conflict, NotFound
from crm_core.events import AgentSignedIn, AgentSignedOut
from crm_core.ids import UserId

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]
ADMINISTRATORS = needs(Permission.ADMINISTER)

PAGE_SIZE = 100
FILTERS = ("text", "role", "team", "status")

NOT_ONESELF = "You cannot disable yourself: let another administrator do it."


# --- the list -------------------------------------------------------------------------------------


@router.get("/people", dependencies=[ADMINISTRATORS])
async def people_list(request: Request, visit: Who) -> Response:
    """Everybody, filtered; disabled people stay in the list, because their calls do."""
    deps = deps_of(request)
    given = {name: request.query_params.get(name, "")[:100] for name in FILTERS}
    filters = PeopleFilters(**given)
    async with reading(deps.engine) as connection:
        everybody = await users.list_users(connection)
        of_user = await people.queue_ids_by_user(connection)
        titles = {queue.id: queue.title for queue in await queues(connection)}
        roles = await role_names(connection)
    rows = [
        _row(deps, row, tuple(titles[one] for one in sorted(of_user.get(row.user_id, ()))))
        for row in everybody
    ]
    found = fitting(rows, filters)
    begin = _page_of(request) * PAGE_SIZE
    shown = PeoplePage(
        filters=filters,
        rows=found[begin : begin + PAGE_SIZE],
        total=len(rows),
        roles=role_choices(roles, deps, visit.language),
        teams=tuple(
            Choice(value=team, label=team)
            for team in sorted({row.team for row in rows if row.team is not None})
        ),
        next_url=_url(given, begin // PAGE_SIZE + 2) if begin + PAGE_SIZE < len(found) else None,
        first_url=_url(given) if begin else None,
    )
    return page(request, visit, "admin/people.html", shown)


def _row(deps: Deps, row: UserRow, titles: tuple[str, ...]) -> PersonRow:
    agent = deps.board.agents.get(row.user_id)
    return PersonRow(
        user_id=row.user_id,
        name=row.name,
        full_name=row.full_name,
        agent_number=row.agent_number,
        roles=row.roles,
        team=row.team,
        queues=titles,
        extension=row.extension,
        seated_at=extension_of(agent.interface) if agent is not None else None,
        state=agent.state if agent is not None else None,
        disabled=row.disabled,
    )


def _page_of(request: Request) -> int:
    """Which page, from 0."""
    text = request.query_params.get("page", "1")
    return max(0, int(text) - 1) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _url(given: dict[str, str], number: int | None = None) -> str:
    kept = {name: value for name, value in given.items() if value}
    if number is not None:
        kept["page"] = str(number)
    return f"/people?{urlencode(kept)}" if kept else "/people"


# --- a new person ---------------------------------------------------------------------------------


@router.get("/people/new", dependencies=[ADMINISTRATORS])
async def new_person(request: Request, visit: Who) -> Response:
    """An empty form that proposes the next agent number."""
    deps = deps_of(request)
    async with reading(deps.engine) as connection:
        wish = await wish_for_new(connection)
        shown = await person_page(connection, deps, visit.language, wish)
    return page(request, visit, "admin/person.html", shown)


@router.post("/people", dependencies=[ADMINISTRATORS])
async def add_person(request: Request, visit: Who) -> Response:
    """The person is added; the one-time password is on the answer and nowhere else."""
    deps, wish = deps_of(request), await wish_of(request)
    password = passwords.one_time_password()
    try:
        async with reading(deps.engine) as connection:
            if wrong := await people.problems(connection, wish):
                raise WrongFields(wrong)
        hashed = await passwords.hash_password(password, name=wish.name)
        async with transaction(deps.engine) as connection:
            user_id = await people.add_person(
                connection, wish, hashed, actor=visit.who.name, now=deps.now()
            )
    except WrongFields as wrong_fields:
        return await _form_again(request, visit, wish, wrong_fields)
    await deps.directory.refresh()
    handed = HandedOverPage(
        user_id=user_id,
        name=wish.name,
        full_name=wish.full_name,
        password=password,
        address=_address(request),
        is_new=True,
    )
    return page(request, visit, "admin/handed_over.html", handed)


async def _form_again(
    request: Request,
    visit: Visit,
    wish: Wish,
    wrong: WrongFields,
    known: KnownPerson | None = None,
) -> Response:
    deps = deps_of(request)
    async with reading(deps.engine) as connection:
        shown = await person_page(
            connection, deps, visit.language, wish, known=known, problems=dict(wrong.fields)
        )
    return page(request, visit, "admin/person.html", shown, status=422)


# --- one's file -----------------------------------------------------------------------------------


@router.get("/people/{user_id}", dependencies=[ADMINISTRATORS])
async def one_person(request: Request, visit: Who, user_id: str) -> Response:
    """The form as the person is."""
    deps = deps_of(request)
    async with reading(deps.engine) as connection:
        person = await people.person(connection, _id_of(user_id))
        shown = await person_page(
            connection,
            deps,
            visit.language,
            wish_as_it_is(person),
            known=_known(person, visit),
            saved=request.query_params.get("saved") == "1",
        )
    return page(request, visit, "admin/person.html", shown)


@router.post("/people/{user_id}", dependencies=[ADMINISTRATORS])
async def change_person(request: Request, visit: Who, user_id: str) -> Response:
    """Everything in the form is as it says now; queues follow at once where the person is at work."""
    deps, wish, now = deps_of(request), await wish_of(request), deps_of(request).now()
    async with reading(deps.engine) as connection:
        person = await people.person(connection, _id_of(user_id))
    wish = replace(wish, name=person.name)
    if person.number_is_fixed and wish.agent_number is None:
        # The field of a fixed number is not part of the form.
        wish = replace(wish, agent_number=person.agent_number)
    try:
        async with transaction(deps.engine) as connection:
            event = await people.change_person(
                connection, person.user_id, wish, actor=visit.who.name, now=now
            )
    except WrongFields as wrong:
        return await _form_again(request, visit, wish, wrong, _known(person, visit))
    await _publish(deps, event)
    return RedirectResponse(f"/people/{person.user_id}?saved=1", 303)


@router.post("/people/{user_id}/password", dependencies=[ADMINISTRATORS])
async def reset_password(request: Request, visit: Who, user_id: str) -> Response:
    """A new one-time password, shown once; all sessions of the person end."""
    deps = deps_of(request)
    async with transaction(deps.engine) as connection:
        person = await people.person(connection, _id_of(user_id))
        made = await users.set_password(
            connection, person.name, actor=visit.who.name, now=deps.now()
        )
    _end_sessions(deps, person.user_id)
    handed = HandedOverPage(
        user_id=person.user_id,
        name=person.name,
        full_name=person.full_name,
        password=made or "",
        address=_address(request),
        is_new=False,
    )
    return page(request, visit, "admin/handed_over.html", handed)


@router.post("/people/{user_id}/disable", dependencies=[ADMINISTRATORS])
async def disable_person(request: Request, visit: Who, user_id: str) -> Response:
    """Sessions and sockets end now, the seat is free, the queues have one member less."""
    deps = deps_of(request)
    if _id_of(user_id) == visit.who.user_id:
        raise Conflict(NOT_ONESELF)
    async with transaction(deps.engine) as connection:
        person = await people.person(connection, _id_of(user_id))
        event = await users.disable(connection, person.name, actor=visit.who.name, now=deps.now())
    _end_sessions(deps, person.user_id)
    await _publish(deps, event)
    return RedirectResponse(f"/people/{person.user_id}", 303)


@router.post("/people/{user_id}/enable", dependencies=[ADMINISTRATORS])
async def enable_person(request: Request, visit: Who, user_id: str) -> Response:
    """The person gets in again, by the former password."""
    deps = deps_of(request)
    async with transaction(deps.engine) as connection:
        person = await people.person(connection, _id_of(user_id))
        await users.enable(connection, person.name, actor=visit.who.name, now=deps.now())
    await _publish(deps, None)
    return RedirectResponse(f"/people/{person.user_id}", 303)


def _id_of(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise NotFound
    return int(text)


def _known(person: PersonFile, visit: Visit) -> KnownPerson:
    seat = person.seat
    return KnownPerson(
        user_id=person.user_id,
        name=person.name,
        full_name=person.full_name,
        number_is_fixed=person.number_is_fixed,
        created_at=person.created_at,
        seen_at=person.seen_at,
        disabled_at=person.disabled_at,
        must_change_password=person.must_change_password,
        seated_at=(seat.extension or extension_of(seat.interface)) if seat is not None else None,
        seated_since=seat.began_at if seat is not None else None,
        is_self=person.user_id == visit.who.user_id,
    )


def _end_sessions(deps: Deps, user: UserId) -> None:
    """What the rows say already, without waiting for the watch over rights."""
    deps.identities.forget_person(user)
    deps.hub.end_others(user, but="")


async def _publish(deps: Deps, event: AgentSignedIn | AgentSignedOut | None) -> None:
    await deps.directory.refresh()
    if event is not None:
        deps.bus.publish(event)


def _address(request: Request) -> str:
    """Where people sign in: as this administrator came, where no address is set."""
    return deps_of(request).settings.public_url or str(request.base_url).rstrip("/")
