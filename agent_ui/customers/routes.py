"""The customers' list and one customer's file."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.customers import reading as shown
from agent_ui.customers.view import CustomersPage, FilePage
from agent_ui.deps import deps_of
from agent_ui.guessing import guessing
from agent_ui.pages import page
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.customers.fields import writable
from crm_core.customers.history import history
from crm_core.customers.queries import customer as read_customer
from crm_core.customers.search import CustomerPage, grades, is_guess, search
from crm_core.db import reading
from crm_core.errors import NotFound, TooMany
from crm_core.ids import CustomerId

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

PAGE_SIZE = 50
CALLS_ON_A_PAGE = 20


@router.get("/customers", dependencies=[needs(Permission.READ_CUSTOMERS)])
async def customer_list(request: Request, visit: Who) -> Response:
    """Customers by name, or those that a search finds."""
    deps, viewer = deps_of(request), visit.who
    text = request.query_params.get("q", "")[:128].strip()
    grade = request.query_params.get("grade", "")[:16]
    cursor = request.query_params.get("cursor") or None
    found, problem = CustomerPage(items=(), next_cursor=None), None
    async with reading(deps.engine) as connection:
        choices = await grades(connection, viewer)
        try:
            async with guessing(deps, viewer, int(is_guess(text))) as guess:
                found = await search(
                    connection,
                    text,
                    viewer,
                    grade=grade,
                    limit=PAGE_SIZE,
                    cursor=cursor,
                    region=deps.settings.region,
                )
                guess.found = bool(found.items)
        except TooMany as wrong:
            problem = wrong.detail
    given = {"q": text, "grade": grade}
    value = CustomersPage(
        text=text,
        grade=grade,
        rows=tuple(shown.row(one) for one in found.items),
        grades=choices,
        columns=shown.columns(deps.directory.fields, viewer),
        next_url=_url("/customers", given, cursor=found.next_cursor) if found.next_cursor else None,
        first_url=_url("/customers", given) if cursor else None,
        may_create="name" in writable(deps.directory.fields, viewer),
        problem=problem,
    )
    status = TooMany.status if problem else 200
    return page(request, visit, "customers/page.html", value, status=status)


@router.get("/customers/{customer_id}", dependencies=[needs(Permission.READ_CUSTOMERS)])
async def customer_file(request: Request, visit: Who, customer_id: str) -> Response:
    """One customer: who it is, and all that happened."""
    deps, viewer = deps_of(request), visit.who
    id_ = customer_id_of(customer_id)
    cursor = request.query_params.get("cursor") or None
    async with reading(deps.engine) as connection:
        one = await read_customer(connection, id_, viewer)
        if one is None:
            raise NotFound
        past = await history(connection, id_, viewer, limit=CALLS_ON_A_PAGE, cursor=cursor)
    here = f"/customers/{id_}"
    fields = deps.directory.fields
    value = FilePage(
        customer=id_,
        name=one.get("name", ""),
        grade=one.get("grade", ""),
        facts=shown.facts(one, fields, viewer, visit.language),
        numbers=shown.numbers(one),
        contacts=shown.contacts(one),
        calls=tuple(shown.past_call(call, visit.language) for call in past.calls),
        next_url=_url(here, {}, cursor=past.next_cursor) if past.next_cursor else None,
        first_url=here if cursor else None,
        may_edit=bool(writable(fields, viewer)),
        created_at=one["created_at"],
        changed_at=one["changed_at"],
    )
    return page(request, visit, "customers/file.html", value)


def customer_id_of(text: str) -> CustomerId:
    """The id in an address. Raises `NotFound` for what is none."""
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise NotFound
    return CustomerId(int(text))


def _url(path: str, given: dict[str, str], **more: str) -> str:
    kept = {name: value for name, value in {**given, **more}.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
