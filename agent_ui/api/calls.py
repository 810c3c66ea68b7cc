"""GET /api/v1/calls: the call log, exactly as design section 4 names it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from agent_ui import shapes
from agent_ui.api.answers import Cursor, JsonAnswer, Limit, Who, moment, page_of
from agent_ui.deps import deps_of
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.call_log.queries import CallFilter
from crm_core.call_log.queries import call as read_call
from crm_core.call_log.queries import calls as read_calls
from crm_core.db import reading
from crm_core.errors import Invalid, NotFound
from crm_core.ids import CallId, CustomerId

router = APIRouter(prefix="/api/v1", tags=["calls"])

Name = Annotated[str | None, Query(min_length=1, max_length=128)]


@router.get("/calls", dependencies=[needs(Permission.READ_CALLS)])
async def list_calls(
    request: Request,
    visit: Who,
    began_from: Annotated[
        str | None, Query(alias="from", description="Started then or later (RFC 3339).")
    ] = None,
    began_to: Annotated[
        str | None, Query(alias="to", description="Started before (RFC 3339).")
    ] = None,
    project: Name = None,
    queue: Name = None,
    agent: Annotated[
        str | None, Query(min_length=1, max_length=16, description="Agent number.")
    ] = None,
    customer: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Calls within the data scope, newest first."""
    wanted = CallFilter(
        began_from=moment(began_from, "from"),
        began_to=moment(began_to, "to"),
        project=project,
        queue=queue,
        agent=agent,
        customer_id=CustomerId(customer) if customer is not None else None,
    )
    if customer is not None and not visit.who.may(Permission.READ_CUSTOMERS):
        raise Invalid("customer: your roles may not read customers.")
    async with reading(deps_of(request).engine) as connection:
        found = await read_calls(connection, wanted, calls_in_scope(visit.who), limit, cursor)
    return page_of([shapes.call(one, visit.who) for one in found.items], found.next_cursor)


@router.get("/calls/{call_id}", dependencies=[needs(Permission.READ_CALLS)])
async def get_call(request: Request, visit: Who, call_id: str) -> Response:
    """One call; an alias answers too."""
    async with reading(deps_of(request).engine) as connection:
        found = await read_call(connection, CallId(call_id[:64]), calls_in_scope(visit.who))
    if found is None:
        raise NotFound
    return JsonAnswer(shapes.call(found, visit.who))
