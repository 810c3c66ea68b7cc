"""/api/v1/customers: found by number or name, created, edited. All passes `visible`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from agent_ui.api.answers import Cursor, JsonAnswer, Limit, Who, page_of
from agent_ui.deps import deps_of
from agent_ui.guessing import guessing
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.customers import queries
from crm_core.customers.edit import create_customer, edit_customer
from crm_core.customers.search import is_guess, search
from crm_core.db import reading, transaction
from crm_core.errors import Invalid, NotFound

router = APIRouter(prefix="/api/v1", tags=["customers"])


class ContactIn(BaseModel):
    """A person at the customer."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=128)
    position: str = Field(default="", max_length=128)
    numbers: list[str] = Field(default=[], max_length=20)


class PhoneIn(BaseModel):
    """A number; `contact` is the name of the person it belongs to."""

    model_config = ConfigDict(extra="ignore")

    number: str = Field(max_length=64)
    contact: str | None = Field(default=None, max_length=128)
    invalid: bool | None = None
    """It is known to reach nobody; left out: nothing new about that."""


class CustomerChanges(BaseModel):
    """What may be given; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, max_length=128)
    grade: str | None = Field(default=None, max_length=16)
    company: str | None = Field(default=None, max_length=256)
    address: str | None = Field(default=None, max_length=512)
    remark: str | None = Field(default=None, max_length=10_000)
    phones: list[str | PhoneIn] | None = Field(default=None, max_length=50)
    contacts: list[ContactIn] | None = Field(default=None, max_length=50)
    fields: dict[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, exclude={"changed_at"})

    def whole_numbers(self) -> int:
        """How many numbers are given that are not masked."""
        given = (one if isinstance(one, str) else one.number for one in self.phones or ())
        return sum("*" not in number for number in given)


class CustomerEdit(CustomerChanges):
    """With the file's `changed_at` as it was read: 409 if somebody has changed it since."""

    changed_at: AwareDatetime | None = None


class NewCustomer(CustomerChanges):
    """A customer's file; a name is needed."""

    name: str = Field(min_length=1, max_length=128)


@router.get("/customers", dependencies=[needs(Permission.READ_CUSTOMERS)])
async def list_customers(
    request: Request,
    visit: Who,
    phone: Annotated[
        str | None, Query(min_length=1, max_length=64, description="Whose number is this?")
    ] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=128, description="Part of a name or of the company; a number, or its end."
        ),
    ] = None,
    grade: Annotated[str | None, Query(max_length=16)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Customers by number or name; without either all of them, by name.

    Who sees masked numbers finds by a whole number or its last four digits, and may ask for 60
    numbers an hour that nobody has (then 429).
    """
    deps = deps_of(request)
    if phone is not None and (q is not None or grade is not None or cursor is not None):
        raise Invalid("phone: ask by phone or by q, not by both; phone has no further pages.")
    asked = int(phone is not None or is_guess(q or ""))
    async with guessing(deps, visit.who, asked) as guess, reading(deps.engine) as connection:
        if phone is not None:
            found = await queries.customers_by_phone(
                connection, phone, visit.who, region=deps.settings.region, limit=limit
            )
            guess.found = bool(found)
            return page_of(list(found), None)
        page = await search(
            connection,
            q or "",
            visit.who,
            grade=grade or "",
            limit=limit,
            cursor=cursor,
            region=deps.settings.region,
        )
        guess.found = bool(page.items)
    return page_of(list(page.items), page.next_cursor)


@router.post("/customers", dependencies=[needs(Permission.WRITE_CUSTOMERS)], status_code=201)
async def post_customer(request: Request, visit: Who, body: NewCustomer) -> Response:
    """A new file."""
    deps = deps_of(request)
    async with transaction(deps.engine) as connection:
        event = await create_customer(
            connection, body.values(), visit.who, now=deps.now(), region=deps.settings.region
        )
        made = await queries.customer(connection, event.customer, visit.who)
    deps.bus.publish(event)
    return JsonAnswer(made, status=201, location=f"/api/v1/customers/{event.customer}")


@router.get("/customers/{customer_id}", dependencies=[needs(Permission.READ_CUSTOMERS)])
async def get_customer(request: Request, visit: Who, customer_id: int) -> Response:
    """One file."""
    async with reading(deps_of(request).engine) as connection:
        found = await queries.customer(connection, customer_id, visit.who)
    if found is None:
        raise NotFound
    return JsonAnswer(found)


@router.patch("/customers/{customer_id}", dependencies=[needs(Permission.WRITE_CUSTOMERS)])
async def patch_customer(
    request: Request, visit: Who, customer_id: int, body: CustomerEdit
) -> Response:
    """Change what is given. A masked number in `phones` stands for the one it masks; for who sees
    masks, whole ones count as numbers asked for."""
    deps = deps_of(request)
    async with (
        guessing(deps, visit.who, body.whole_numbers()),
        transaction(deps.engine) as connection,
    ):
        event = await edit_customer(
            connection,
            customer_id,
            body.values(),
            visit.who,
            now=deps.now(),
            region=deps.settings.region,
            seen=body.changed_at,
        )
        found = await queries.customer(connection, customer_id, visit.who)
    if event is not None:
        deps.bus.publish(event)
    return JsonAnswer(found)
