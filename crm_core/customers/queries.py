"""Customers by id and by whole number. What comes out has passed `visible` for the viewer.

Lists and search boxes: `search`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.scope import customers_in_scope
from crm_core.access.viewer import Viewer
from crm_core.customers.fields import definitions, readable_keys, visible
from crm_core.customers.models import Contact, Customer, PhoneNumber
from crm_core.customers.phone_numbers import Number, NumberKind, national, normalise, search_digits


async def customer(
    connection: AsyncConnection, customer_id: int, viewer: Viewer
) -> dict[str, Any] | None:
    """One customer's file; None: there is none, or it is outside the scope."""
    if not await in_scope(connection, customer_id, viewer):
        return None
    return (await files(connection, [customer_id], viewer))[0]


async def in_scope(connection: AsyncConnection, customer_id: int, viewer: Viewer) -> bool:
    """Is there such a customer, for this viewer?"""
    if not 0 < customer_id < 2**31:  # PostgreSQL answers a larger number with an error
        return False
    found = await connection.scalar(
        select(Customer.id).where(Customer.id == customer_id, customers_in_scope(viewer))
    )
    return found is not None


async def customers_by_phone(
    connection: AsyncConnection,
    raw: str,
    viewer: Viewer,
    *,
    region: str = "CN",
    area_code: str | None = None,
    limit: int = 5,
) -> tuple[dict[str, Any], ...]:
    """Whose number is this? Exact first; else a landline with and without its area code, or a
    mobile behind a prefix nobody knows."""
    if "phones" not in readable_keys(await definitions(connection), viewer):
        return ()
    wanted = normalise(raw, region, area_code)
    if wanted.number is None:
        return ()
    ids = await _holders(connection, PhoneNumber.number == wanted.number, viewer, limit)
    if not ids:
        ids = await _nearly(connection, wanted, viewer, limit)
    return tuple(await files(connection, ids, viewer))


async def full_number(connection: AsyncConnection, phone_id: int, viewer: Viewer) -> str | None:
    """The number behind a masked one, for dialling: it stays in the server, no page gets it."""
    readable = readable_keys(await definitions(connection), viewer)
    if "phones" not in readable or not 0 < phone_id < 2**31:
        return None
    found: str | None = await connection.scalar(
        select(PhoneNumber.number)
        .join(Customer, Customer.id == PhoneNumber.customer_id)
        .where(PhoneNumber.id == phone_id, customers_in_scope(viewer))
    )
    return found


async def records(
    connection: AsyncConnection, customer_ids: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Whole files by id, as `visible` takes them: nothing is left out or masked here."""
    rows = (await connection.execute(select(Customer).where(Customer.id.in_(customer_ids)))).all()
    phones = (
        await connection.execute(
            select(
                PhoneNumber.customer_id,
                PhoneNumber.id,
                PhoneNumber.number,
                PhoneNumber.raw,
                PhoneNumber.invalid_at,
                Contact.name.label("contact"),
            )
            .outerjoin(Contact, Contact.id == PhoneNumber.contact_id)
            .where(PhoneNumber.customer_id.in_(customer_ids))
            .order_by(PhoneNumber.customer_id, PhoneNumber.ordinal, PhoneNumber.id)
        )
    ).all()
    people = (
        await connection.execute(
            select(Contact).where(Contact.customer_id.in_(customer_ids)).order_by(Contact.id)
        )
    ).all()
    found = {
        row.id: {
            "id": row.id,
            "name": row.name,
            "grade": row.grade,
            "company": row.company,
            "address": row.address,
            "remark": row.remark,
            "fields": row.fields,
            "created_at": row.created_at,
            "changed_at": row.changed_at,
            "phones": [],
            "contacts": [],
        }
        for row in rows
    }
    numbers: dict[tuple[int, str], list[str]] = {}
    for phone in phones:
        found[phone.customer_id]["phones"].append(
            {
                "id": phone.id,
                "number": phone.number,
                "raw": phone.raw,
                "contact": phone.contact,
                "invalid": phone.invalid_at is not None,
            }
        )
        numbers.setdefault((phone.customer_id, phone.contact), []).append(phone.number)
    for one in people:
        whose = numbers.get((one.customer_id, one.name), [])
        found[one.customer_id]["contacts"].append(
            {"name": one.name, "position": one.position, "numbers": whose}
        )
    return found


async def files(
    connection: AsyncConnection, ids: Sequence[int], viewer: Viewer
) -> list[dict[str, Any]]:
    """The files of `ids` as the viewer may see them, in that order."""
    if not ids:
        return []
    fields = await definitions(connection)
    found = await records(connection, ids)
    return [visible(found[one], fields, viewer) for one in ids]


# --- numbers --------------------------------------------------------------------------------------


async def _holders(
    connection: AsyncConnection, condition: ColumnElement[bool], viewer: Viewer, limit: int
) -> list[int]:
    return _distinct(
        (
            await connection.scalars(
                select(PhoneNumber.customer_id)
                .join(Customer, Customer.id == PhoneNumber.customer_id)
                .where(condition, customers_in_scope(viewer))
                .order_by(PhoneNumber.customer_id)
                .limit(limit)
            )
        ).all()
    )


async def _nearly(
    connection: AsyncConnection, wanted: Number, viewer: Viewer, limit: int
) -> list[int]:
    """The match rules after "exact": the last 11 digits of a mobile, the last 7–8 of a landline."""
    assert wanted.number is not None
    digits = search_digits(national(wanted.number))
    if wanted.kind is NumberKind.LANDLINE and wanted.number.startswith("+86"):
        # Stored without its area code.
        return await _holders(
            connection, PhoneNumber.number.in_((digits[-8:], digits[-7:])), viewer, limit
        )
    kinds: tuple[NumberKind, ...]
    if wanted.kind is NumberKind.LANDLINE:
        tail, kinds = digits, (NumberKind.LANDLINE,)
    elif wanted.kind in (NumberKind.MOBILE, NumberKind.UNKNOWN) and len(digits) >= 11:
        tail, kinds = digits[-11:], (NumberKind.MOBILE, NumberKind.UNKNOWN)
        if normalise(tail).kind is not NumberKind.MOBILE:
            return []
    else:
        return []
    rows = await connection.execute(
        select(PhoneNumber.customer_id, PhoneNumber.number)
        .join(Customer, Customer.id == PhoneNumber.customer_id)
        .where(ends_in(tail), customers_in_scope(viewer))
        .order_by(PhoneNumber.customer_id)
        .limit(10 * limit)
    )
    # 62345678 is no mobile 13862345678.
    return _distinct(row.customer_id for row in rows if normalise(row.number).kind in kinds)[:limit]


def ends_in(tail: str) -> ColumnElement[bool]:
    """The number ends in these digits: a range, which the index answers on both databases."""
    first = tail[::-1]
    return PhoneNumber.digits_reversed.between(first, first.ljust(32, "9"))


def _distinct(ids: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(ids))
