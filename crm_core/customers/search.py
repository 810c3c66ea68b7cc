"""Customers searched for: by a part of a name or company, by a number, by grade; page by page.

What a search finds must not tell what the viewer may not read. Texts are compared with the fields he
reads, no others. A viewer who sees masked numbers finds a customer by a whole number, which he then
knows already, or by the last four digits, which he sees anyway; other parts find nothing for him,
for with them the hidden digits could be found one by one. Whole numbers can be guessed as well, ten
thousand for the four digits that a mask hides: `guesses` counts those that find nobody.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.scope import customers_in_scope
from crm_core.access.viewer import Viewer
from crm_core.customers.fields import definitions, readable_keys
from crm_core.customers.models import Contact, Customer, PhoneNumber
from crm_core.customers.phone_numbers import normalise, search_digits
from crm_core.customers.queries import ends_in, files
from crm_core.errors import Invalid
from crm_core.quick_dataclass import dataclass
from crm_core.text import storable

MOST = 200
"""The longest page."""
LONGEST = 128
"""Characters of a text that are looked at."""
MOST_GRADES = 20
_NOT_MASKED_WHOLE = 8
"""Of a number of fewer digits a mask shows only the last two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """`next_cursor` is None on the last page."""

    items: tuple[dict[str, Any], ...]
    next_cursor: str | None


async def search(
    connection: AsyncConnection,
    text: str,
    viewer: Viewer,
    *,
    grade: str = "",
    limit: int = 50,
    cursor: str | None = None,
    region: str = "CN",
) -> CustomerPage:
    """By part of a name or of the company, by a number in any form or its last four digits; empty
    text: everybody, by name. `grade` narrows it.

    Raises `Invalid` for a cursor that is not ours.
    """
    limit = max(1, min(limit, MOST))
    keys = readable_keys(await definitions(connection), viewer)
    condition = customers_in_scope(viewer)
    if text := storable(text[:LONGEST]).strip():
        condition = condition & _matches(text, keys, viewer, region)
    if grade := storable(grade[:LONGEST]).strip():
        condition = condition & (Customer.grade == grade if "grade" in keys else false())
    # The order of names would tell something of names that may not be read.
    order = (Customer.name, Customer.id) if "name" in keys else (Customer.id,)
    if cursor is not None:
        condition = condition & await _after(connection, cursor, order)
    ids = (
        await connection.scalars(
            select(Customer.id).where(condition).order_by(*order).limit(limit + 1)
        )
    ).all()
    return CustomerPage(
        items=tuple(await files(connection, ids[:limit], viewer)),
        next_cursor=str(ids[limit - 1]) if len(ids) > limit else None,
    )


async def grades(connection: AsyncConnection, viewer: Viewer) -> tuple[str, ...]:
    """The grades that customers have, for a filter; none for who may not read them."""
    if "grade" not in readable_keys(await definitions(connection), viewer):
        return ()
    found: list[str] = []
    last = ""
    # From one to the next on the index: a DISTINCT would read every customer.
    while len(found) < MOST_GRADES:
        following = await connection.scalar(
            select(func.min(Customer.grade)).where(
                Customer.grade > last, customers_in_scope(viewer)
            )
        )
        if following is None:
            break
        found.append(last := following)
    return tuple(found)


def is_number(text: str) -> bool:
    """Is this text looked for among numbers, not names?"""
    return (
        bool(re.fullmatch(r"[+＋0-9０-９\s()（）/\-–—]+", text.strip()))
        and len(search_digits(text)) >= 4
    )


def is_guess(text: str) -> bool:
    """Could somebody who sees masked numbers find out a hidden one with this text?"""
    return is_number(text) and len(search_digits(text)) != 4


def _matches(text: str, keys: Collection[str], viewer: Viewer, region: str) -> ColumnElement[bool]:
    if is_number(text):
        if "phones" not in keys:
            return false()
        holders = select(PhoneNumber.customer_id).where(_number_matches(text, viewer, region))
        return Customer.id.in_(holders)
    conditions: list[ColumnElement[bool]] = [false()]
    if "name" in keys:
        conditions.append(Customer.name.icontains(text, autoescape=True))
    if "company" in keys:
        conditions.append(Customer.company.icontains(text, autoescape=True))
    if "contacts" in keys:
        named = Contact.name.icontains(text, autoescape=True)
        conditions.append(Customer.id.in_(select(Contact.customer_id).where(named)))
    return or_(*conditions)


def _number_matches(text: str, viewer: Viewer, region: str) -> ColumnElement[bool]:
    digits = search_digits(text)
    number = normalise(text, region).number
    conditions = [PhoneNumber.number == number]
    if number == digits and len(digits) >= 7:
        # A local landline without its area code; 62345678 is no mobile 13862345678.
        conditions.append(ends_in(digits) & ~PhoneNumber.number.between(*_MOBILES))
    if viewer.reveals:
        conditions.append(ends_in(digits))
    elif len(digits) == 4:
        shown = func.length(PhoneNumber.digits_reversed) >= _NOT_MASKED_WHOLE
        conditions = [ends_in(digits) & shown]
    if viewer.reveals and not text.startswith(("+", "0")):
        conditions += [_begins_with(f"+86{digits}"), _begins_with(digits)]
    return or_(*conditions)


_MOBILES = ("+8613", "+8619".ljust(32, "9"))


def _begins_with(head: str) -> ColumnElement[bool]:
    return PhoneNumber.number.between(head, head.ljust(32, "9"))


async def _after(
    connection: AsyncConnection, cursor: str, order: Sequence[Any]
) -> ColumnElement[bool]:
    """Behind the customer whose id the cursor is. The name is looked up, not carried along: whoever
    may not read it would find it in the cursor."""
    last = None
    if cursor.isascii() and cursor.isdecimal() and int(cursor[:20]) < 2**31:
        asked = select(*order).where(Customer.id == int(cursor))
        last = (await connection.execute(asked)).one_or_none()
    if last is None:
        raise Invalid("This cursor is not one that the list gave.")
    return tuple_(*order) > tuple_(*last)
