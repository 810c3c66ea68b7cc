"""The button "call" beside a number: the page names the number by what it belongs to, never by itself.

Who sees `138****8000` dials it all the same; the whole number stays in the server.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.calls.number import number_of_call
from agent_ui.deps import Deps, deps_of
from agent_ui.placing import place
from agent_ui.security import form_of, needs
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.customers.queries import full_number
from crm_core.db import reading
from crm_core.errors import Conflict, NotFound
from crm_core.ids import CallId

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

ACCEPTED = 204
NO_PHONE = "You are not signed in at a phone. Choose one first."


@router.post("/dial", dependencies=[needs(Permission.PLACE_CALLS)])
async def dial(request: Request, visit: Who) -> Response:
    """Ring the own phone, then the number of `call`, or the customer's number `phone` (its id)."""
    deps, viewer, given = deps_of(request), visit.who, await form_of(request)
    agent = deps.desk.agent(viewer)
    if agent is None:
        raise Conflict(NO_PHONE)
    number = await _number(deps, viewer, given.get("call", ""), given.get("phone", ""))
    key = request.headers.get("idempotency-key", "")
    await place(deps, viewer, agent, number, reason="click", key=key)
    return Response(status_code=ACCEPTED)


async def _number(deps: Deps, viewer: Viewer, call: str, phone: str) -> str:
    if call:
        return await number_of_call(deps, viewer, CallId(call[:64]))
    if not (phone.isascii() and phone.isdecimal() and len(phone) < 12):
        raise NotFound
    viewer.require(Permission.READ_CUSTOMERS)
    async with reading(deps.engine) as connection:
        number = await full_number(connection, int(phone), viewer)
    if number is None:
        raise NotFound
    return number
