"""The form that makes a customer's file or changes it.

It is answered with itself where something is to be said first: a mistake at its field, customers who
may be the same one, somebody else's change. What was typed is never lost.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.auth import Visit, visit_of
from agent_ui.calls.number import number_of_call
from agent_ui.customers import reading as shown
from agent_ui.customers import typed
from agent_ui.customers.routes import customer_id_of
from agent_ui.customers.typed import FormRules, Typed
from agent_ui.customers.view import FormPage
from agent_ui.deps import Deps, deps_of
from agent_ui.guessing import guessing
from agent_ui.pages import page
from agent_ui.security import form_of, needs
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.customers.duplicates import Duplicate, duplicates_of
from crm_core.customers.edit import create_customer, edit_customer
from crm_core.customers.fields import definitions, readable_keys, writable
from crm_core.customers.queries import in_scope, records
from crm_core.db import reading, transaction
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm_core.ids import CallId, CustomerId

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]


@router.get("/customers/new", dependencies=[needs(Permission.WRITE_CUSTOMERS)])
async def new_customer(request: Request, visit: Who) -> Response:
    """An empty form; with `call` the number of that call stands in it."""
    deps = deps_of(request)
    call = _call(request.query_params.get("call", ""))
    rules = await _rules(deps, visit, None, call)
    return page(request, visit, "customers/form.html", _form(rules, visit.who, call=call))


@router.post("/customers", dependencies=[needs(Permission.WRITE_CUSTOMERS)])
async def post_customer(request: Request, visit: Who) -> Response:
    """Make the file."""
    deps, given = deps_of(request), await form_of(request)
    wish = deps.made.of(visit.who, given.get("wish", ""))
    async with wish.lock:
        if wish.customer is None:
            call = _call(given.get("call", ""))
            rules = await _rules(deps, visit, None, call)
            said = typed.read(given, rules)
            refusal = await _objections(deps, visit, said, given, rules, None, call)
            if refusal is not None:
                return page(request, visit, "customers/form.html", refusal, status=422)
            async with transaction(deps.engine) as connection:
                event = await create_customer(
                    connection, said.values, visit.who, now=deps.now(), region=deps.settings.region
                )
            deps.bus.publish(event)
            wish.customer = event.customer
    return RedirectResponse(f"/customers/{wish.customer}", 303)


@router.get("/customers/{customer_id}/edit", dependencies=[needs(Permission.WRITE_CUSTOMERS)])
async def edit_form(request: Request, visit: Who, customer_id: str) -> Response:
    """The form with what stands in the file."""
    deps, id_ = deps_of(request), customer_id_of(customer_id)
    rules = await _rules(deps, visit, id_, None)
    if not rules.writable:
        raise NotAllowed
    return page(request, visit, "customers/form.html", _form(rules, visit.who, customer=id_))


@router.post("/customers/{customer_id}", dependencies=[needs(Permission.WRITE_CUSTOMERS)])
async def post_edit(request: Request, visit: Who, customer_id: str) -> Response:
    """Change the file, unless somebody else has changed it since the form was opened."""
    deps, given, id_ = deps_of(request), await form_of(request), customer_id_of(customer_id)
    rules = await _rules(deps, visit, id_, None)
    said = typed.read(given, rules)
    seen = _moment(given.get("seen", ""))
    refusal = await _objections(deps, visit, said, given, rules, id_, None)
    if refusal is not None:
        return page(request, visit, "customers/form.html", refusal, status=422)
    try:
        async with transaction(deps.engine) as connection:
            event = await edit_customer(
                connection,
                id_,
                said.values,
                visit.who,
                now=deps.now(),
                region=deps.settings.region,
                seen=seen,
            )
    except Conflict:
        rules = await _rules(deps, visit, id_, None)  # with what the other has written
        outdated = _answer(rules, said, given, customer=id_, is_outdated=True)
        return page(request, visit, "customers/form.html", outdated, status=Conflict.status)
    if event is not None:
        deps.bus.publish(event)
    return RedirectResponse(f"/customers/{id_}", 303)


async def _rules(
    deps: Deps, visit: Visit, customer: CustomerId | None, call: CallId | None
) -> FormRules:
    """Raises `NotFound` for a customer, or a call, that the viewer may not see."""
    viewer = visit.who
    number = None if call is None else await number_of_call(deps, viewer, call)
    async with reading(deps.engine) as connection:
        fields = await definitions(connection)
        present = None
        if customer is not None:
            if not await in_scope(connection, customer, viewer):
                raise NotFound
            present = (await records(connection, [customer]))[customer]
    return FormRules(
        fields=fields,
        readable=readable_keys(fields, viewer),
        writable=writable(fields, viewer),
        language=visit.language,
        region=deps.settings.region,
        present=present,
        call_number=number,
    )


async def _objections(
    deps: Deps,
    visit: Visit,
    said: Typed,
    given: dict[str, str],
    rules: FormRules,
    customer: CustomerId | None,
    call: CallId | None,
) -> FormPage | None:
    """The form again with what is to be said before it is saved; None: nothing is."""
    if not said.is_sound:
        return _answer(rules, said, given, customer=customer, call=call)
    if given.get("anyway") != "1":
        found = await _duplicates(deps, visit.who, said, rules, customer)
    else:
        # A number that the file has already would not be added: an edit answers like a search.
        asked = _guesses(said, rules) if customer is not None else 0
        async with guessing(deps, visit.who, asked):
            found = ()
    if found:
        return _answer(rules, said, given, customer=customer, call=call, duplicates=found)
    return None


def _guesses(said: Typed, rules: FormRules) -> int:
    return len(said.new_numbers - {rules.call_number})


async def _duplicates(
    deps: Deps, viewer: Viewer, said: Typed, rules: FormRules, customer: CustomerId | None
) -> tuple[Duplicate, ...]:
    """Of what is new in the form: who has kept an unusual name is not asked again and again."""
    present = rules.present or {}
    name, company = (str(said.values.get(key, present.get(key, ""))) for key in ("name", "company"))
    if (name, company) == (present.get("name"), present.get("company")):
        name = ""
    async with guessing(deps, viewer, _guesses(said, rules)) as guess:
        async with reading(deps.engine) as connection:
            found = await duplicates_of(
                connection,
                viewer,
                numbers=said.new_numbers,
                name=" ".join(name.split()),
                company=" ".join(company.split()),
                but=customer,
            )
        guess.found = any(one.by_number for one in found)
    return found


def _form(
    rules: FormRules,
    viewer: Viewer,
    *,
    customer: CustomerId | None = None,
    call: CallId | None = None,
) -> FormPage:
    """The form as it opens."""
    return FormPage(
        customer=customer,
        name=_name(rules),
        inputs=shown.inputs(rules),
        phones=shown.phone_inputs(rules, reveals=viewer.reveals),
        contacts=shown.contact_inputs(rules),
        names_contacts="contacts" in rules.writable,
        wish=secrets.token_urlsafe(16),
        seen=rules.present["changed_at"].isoformat() if rules.present is not None else "",
        call=call,
    )


def _answer(
    rules: FormRules,
    said: Typed,
    given: dict[str, str],
    *,
    customer: CustomerId | None,
    call: CallId | None = None,
    duplicates: tuple[Duplicate, ...] = (),
    is_outdated: bool = False,
) -> FormPage:
    """The form as it was sent, with what is to be said."""
    seen, inputs = given.get("seen", "")[:64], said.inputs
    if is_outdated and rules.present is not None:
        # Sent again it is meant: the reader has seen the other's change by then.
        seen = rules.present["changed_at"].isoformat()
        inputs = shown.with_stored(inputs, rules)
    return FormPage(
        customer=customer,
        name=_name(rules),
        inputs=inputs,
        phones=said.phones,
        contacts=said.contacts,
        names_contacts="contacts" in rules.writable,
        wish=given.get("wish", "")[:128],
        seen=seen,
        call=call,
        duplicates=tuple(shown.duplicate(one) for one in duplicates),
        is_outdated=is_outdated,
        problem=said.problem,
    )


def _name(rules: FormRules) -> str:
    readable = rules.present is not None and "name" in rules.readable
    return str(rules.present["name"]) if readable and rules.present is not None else ""


def _call(text: str) -> CallId | None:
    return CallId(text[:64]) if text else None


def _moment(text: str) -> datetime:
    """When the file was last changed, by the form. Raises `Invalid` for a form that does not say."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid("The form does not say which state of the file it changes: open it again.")
    return at
