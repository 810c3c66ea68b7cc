"""What an agent does to a call: hang up, write the note, say who the customer is.

Commands are answered 204 and nothing else: the event that follows redraws the page (decision 9).
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.callers import CUSTOM_PREFIX, NOT_TYPED
from agent_ui.calls.number import number_of_call
from agent_ui.deps import Deps, deps_of
from agent_ui.desk.state_commands import finish_wrap_up
from agent_ui.security import form_of, needs
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.commands import Done, HangUp
from crm_core.customers.edit import create_customer
from crm_core.db import transaction
from crm_core.errors import Conflict, Invalid, NotFound, Unavailable
from crm_core.events import ContactRecorded, CustomerChanged
from crm_core.ids import CallId, CustomerId
from crm_core.live_board.board import LiveCall
from crm_core.wrap_up.queries import contact_record, save_note

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

HANG_UP_SECONDS = 3.0
DONE = 204


@router.post("/calls/{call_id}/hang-up", dependencies=[needs(Permission.TAKE_CALLS)])
async def hang_up(request: Request, visit: Who, call_id: str) -> Response:
    """End the own call. Needs no database: an agent must always be able to."""
    deps = deps_of(request)
    wish = request.headers.get("idempotency-key", "")[:128]
    if deps.hung_up.was_done(visit.who, wish):
        return Response(status_code=DONE)
    live = deps.board.calls.get(CallId(call_id))
    command = _own_hang_up(deps, visit.who, live)
    answer = await deps.bus.ask(command, HANG_UP_SECONDS)
    if answer is None:
        raise Unavailable("Asterisk did not answer. Use your phone.")
    if isinstance(answer, Done) and answer.refused:
        raise Conflict(answer.refused)
    deps.hung_up.done(visit.who, wish)
    return Response(status_code=DONE)


def _own_hang_up(deps: Deps, viewer: Viewer, live: LiveCall | None) -> HangUp:
    """The command for the viewer's own side of the call. Raises for any other call."""
    agent = deps.desk.agent(viewer)
    if live is None or agent is None or live.pbx != agent.pbx:
        raise NotFound("This call has ended, or it is not yours.")
    talk = live.talk_of(agent.interface)
    placed = live.placed_by is not None and live.placed_by.interface == agent.interface
    if talk is None and not placed:
        if live.offer_at(agent.interface) is not None:
            raise Conflict("It is still ringing: refuse it at your phone.")
        raise NotFound("This call has ended, or it is not yours.")
    # Others may go on talking after a transfer: only the own side is ended, where it is known.
    return HangUp(pbx=live.pbx, call=live.call, leg=talk.leg if talk else None)


@router.post("/calls/{call_id}/note", dependencies=[needs(Permission.WRITE_NOTES)])
async def write_note(request: Request, visit: Who, call_id: str) -> Response:
    """Save the note: a draft, or with `submit` for good, which also ends the call's wrap-up.

    A late revision changes nothing.
    """
    deps, given = deps_of(request), await _given(request)
    submitted = given.get("submit") in ("1", True, 1) or given.get("submitted") is True
    async with transaction(deps.engine) as connection:
        event = await save_note(
            connection,
            call_id=CallId(call_id[:64]),
            viewer=visit.who,
            note=_text(given, "note"),
            disposition_key=_text(given, "disposition") or None,
            customer_id=await _customer_of(connection, deps, visit.who, CallId(call_id)),
            revision=_whole(given, "revision"),
            submitted=submitted,
            now=deps.now(),
        )
    _publish(deps, event)
    if submitted:
        await finish_wrap_up(deps, visit.who, CallId(call_id[:64]))
    return Response(status_code=DONE)


@router.post("/calls/{call_id}/customer", dependencies=[needs(Permission.READ_CUSTOMERS)])
async def say_who(request: Request, visit: Who, call_id: str) -> Response:
    """Choose among several customers with the number, or make a new one of it."""
    deps, viewer, given = deps_of(request), visit.who, await _given(request)
    call = CallId(call_id[:64])
    if given.get("customer") not in (None, ""):
        viewer.require(Permission.WRITE_NOTES)
        customer = CustomerId(_whole(given, "customer"))
        event = await _choose(deps, viewer, call, customer)
        deps.pop_files.choose(call, customer)
        _publish(deps, event)
    else:
        viewer.require(Permission.WRITE_CUSTOMERS)
        _publish(deps, await _create(deps, viewer, call, given))
    return Response(status_code=DONE)


async def _choose(
    deps: Deps, viewer: Viewer, call: CallId, customer: CustomerId
) -> ContactRecorded | None:
    if viewer.user_id is None:
        raise Invalid("Only a person can say who called.")
    async with transaction(deps.engine) as connection:
        present = await contact_record(connection, call, viewer.user_id)
        return await save_note(
            connection,
            call_id=call,
            viewer=viewer,
            note=present.note if present else "",
            disposition_key=present.disposition if present else None,
            customer_id=customer,
            revision=present.revision + 1 if present else 1,
            submitted=present.submitted if present else False,
            now=deps.now(),
        )


async def _create(
    deps: Deps, viewer: Viewer, call: CallId, given: dict[str, Any]
) -> CustomerChanged:
    number = await number_of_call(deps, viewer, call)
    values: dict[str, Any] = {
        name: value
        for name, value in given.items()
        if not name.startswith(CUSTOM_PREFIX) and name not in NOT_TYPED and name != "csrf_token"
    }
    custom = {
        name.removeprefix(CUSTOM_PREFIX): value
        for name, value in given.items()
        if name.startswith(CUSTOM_PREFIX) and value != ""
    }
    values = {name: value for name, value in values.items() if value != ""} | {"phones": [number]}
    if custom:
        values["fields"] = custom
    async with transaction(deps.engine) as connection:
        return await create_customer(
            connection, values, viewer, now=deps.now(), region=deps.settings.region
        )


async def _customer_of(
    connection: Any, deps: Deps, viewer: Viewer, call: CallId
) -> CustomerId | None:
    """Whom the note is about: who was chosen, else the only one with the number."""
    if viewer.user_id is None:
        raise Invalid("Only a person can write a note.")
    present = await contact_record(connection, call, viewer.user_id)
    if present is not None and present.customer_id is not None:
        return present.customer_id
    known = deps.pop_files.known(call)
    if known is None or len(known.file.customers) != 1:
        return None
    return known.file.customers[0].id if viewer.may(Permission.READ_CUSTOMERS) else None


def _publish(deps: Deps, event: ContactRecorded | CustomerChanged | None) -> None:
    if event is not None:
        deps.bus.publish(event)


async def _given(request: Request) -> dict[str, Any]:
    """The fields of a form or of a JSON object."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return dict(await form_of(request))
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Invalid("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Invalid("The body is not a JSON object.")
    return body


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{name}: a text is expected.")
    return value


def _whole(given: dict[str, Any], name: str) -> int:
    value = given.get(name, 0)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 12:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Invalid(f"{name}: a whole number is expected.")
