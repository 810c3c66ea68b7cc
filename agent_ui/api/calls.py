"""/api/v1/calls: the call log, and click-to-dial, exactly as design section 4 names them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from agent_ui import shapes
from agent_ui.api.answers import Cursor, JsonAnswer, Limit, Who, moment, page_of
from agent_ui.calls.routes import of_gap
from agent_ui.deps import deps_of
from agent_ui.placing import agent_numbered, place
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.call_log.queries import CallFilter
from crm_core.call_log.queries import call as read_call
from crm_core.call_log.queries import calls as read_calls
from crm_core.call_log.records import Confidence
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
    confidence: Annotated[
        Confidence | None, Query(description="How much was seen of it, and by whom.")
    ] = None,
    gap: Annotated[
        int | None, Query(ge=1, lt=2**31, description="Lived in this gap (`/api/v1/gaps`).")
    ] = None,
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
        confidence=confidence,
    )
    if customer is not None and not visit.who.may(Permission.READ_CUSTOMERS):
        raise Invalid("customer: your roles may not read customers.")
    deps = deps_of(request)
    async with reading(deps.engine) as connection:
        of = await of_gap(connection, deps, visit.who, str(gap)) if gap is not None else None
        wanted = replace(wanted, gap=of)
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


class NewCall(BaseModel):
    """Who shall talk with whom: the phone of `from_agent` rings first, then `to` is dialled."""

    model_config = ConfigDict(extra="forbid")

    from_agent: str = Field(min_length=1, max_length=16, description="Agent number.")
    to: str = Field(
        min_length=2, max_length=32, description="A phone number, or an extension of the centre."
    )
    reason: str = Field(default="", max_length=200, description="Why; kept with the attempt.")


@router.post("/calls", dependencies=[needs(Permission.PLACE_CALLS)], status_code=202)
async def post_call(
    request: Request,
    visit: Who,
    body: NewCall,
    idempotency_key: Annotated[
        str, Header(max_length=128, description="Sent twice is dialled once.")
    ] = "",
) -> Response:
    """Place a call, at most once: from the own phone, or for an agent of the own data scope.

    The same `Idempotency-Key` again answers what became of the first, and dials nothing. 409: the phone
    is busy, or nobody knows whether it rang; 503: Asterisk did not answer, ask again with the same key.
    """
    deps = deps_of(request)
    agent = agent_numbered(deps, visit.who, body.from_agent)
    done = await place(deps, visit.who, agent, body.to, reason=body.reason, key=idempotency_key)
    shown = {"attempt": done.attempt, "call_id": done.call, "agent": shapes.signed_in(agent)}
    location = f"/api/v1/calls/{done.call}" if done.call is not None else None
    return JsonAnswer(shown, status=202, location=location)
