"""Is this customer in the books already? Asked when a file is typed in, before it is saved."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.scope import customers_in_scope
from crm_core.access.viewer import Viewer
from crm_core.customers.fields import definitions, readable_keys
from crm_core.customers.models import Customer, PhoneNumber
from crm_core.customers.queries import files
from crm_core.quick_dataclass import dataclass

MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A file that may be the same customer's, as the viewer may see it."""

    customer: dict[str, Any]
    by_number: bool
    """One of the numbers is the same; else name and company are."""


async def duplicates_of(
    connection: AsyncConnection,
    viewer: Viewer,
    *,
    numbers: Collection[str] = (),
    name: str = "",
    company: str = "",
    but: int | None = None,
) -> tuple[Duplicate, ...]:
    """Files with one of these normalised numbers, then those with the same name and company; not
    `but`, the one that is being edited. What the viewer may not read makes no duplicate."""
    keys = readable_keys(await definitions(connection), viewer)
    within = customers_in_scope(viewer)
    by_number: list[int] = []
    if numbers and "phones" in keys:
        holders = select(PhoneNumber.customer_id).where(PhoneNumber.number.in_(numbers))
        asked = select(Customer.id).where(Customer.id.in_(holders), Customer.id != (but or 0))
        by_number = list(
            await connection.scalars(asked.where(within).order_by(Customer.id).limit(MOST))
        )
    by_name: list[int] = []
    if name and {"name", "company"} <= keys:
        asked = select(Customer.id).where(
            Customer.name == name, Customer.company == company, Customer.id != (but or 0)
        )
        by_name = list(
            await connection.scalars(asked.where(within).order_by(Customer.id).limit(MOST))
        )
    ids = list(dict.fromkeys((*by_number, *by_name)))[:MOST]
    return tuple(
        Duplicate(customer=one, by_number=id_ in by_number)
        for id_, one in zip(ids, await files(connection, ids, viewer), strict=True)
    )
