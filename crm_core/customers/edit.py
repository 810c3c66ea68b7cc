"""Customers written: a new file, or a change to one, by what the viewer may write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.audit import audit
from crm_core.access.viewer import Viewer
from crm_core.customers.fields import FieldDefinition, definitions, writable
from crm_core.customers.models import Contact, Customer, PhoneNumber
from crm_core.customers.phone_numbers import search_digits
from crm_core.customers.queries import in_scope, records
from crm_core.customers.values import (
    LONGEST,
    OF_LINES,
    ContactValue,
    CustomerValues,
    PhoneValue,
    contact_values,
    custom_value,
    phone_values,
    text_value,
)
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm_core.events import CustomerChanged
from crm_core.ids import CustomerId, PbxId

NO_PBX = PbxId("")
"""A customer's file belongs to no PBX."""

CHANGED_MEANWHILE = "Somebody has changed this file since you opened it."


async def create_customer(
    connection: AsyncConnection,
    values: Mapping[str, Any],
    viewer: Viewer,
    *,
    now: datetime,
    region: str = "CN",
) -> CustomerChanged:
    """`values` as `visible` gives them: `name`, `phones` (texts, or `{number, contact}`; `phone` is
    one), … and `fields: {key: value}`. Raises `Invalid`, `NotAllowed` (a field the viewer may not
    write)."""
    wanted = _checked(values, await definitions(connection), viewer)
    texts, custom = _texts(wanted), _custom(wanted, await definitions(connection))
    phones = tuple(phone_values(wanted.get("phones", ()), region))
    people = tuple(contact_values(wanted.get("contacts", ())))
    if not texts.get("name") and not phones:
        raise Invalid("A customer needs a name or a phone number.")
    new = CustomerValues(texts=texts, custom=custom, phones=phones, people=people)
    [customer_id] = await insert_customers(connection, [new], now=now)
    await audit(connection, viewer.name, "customer.create", str(customer_id), at=now)
    return CustomerChanged(at=now, pbx=NO_PBX, customer=CustomerId(customer_id))


async def edit_customer(
    connection: AsyncConnection,
    customer_id: int,
    changes: Mapping[str, Any],
    viewer: Viewer,
    *,
    now: datetime,
    region: str = "CN",
    seen: datetime | None = None,
) -> CustomerChanged | None:
    """Only keys that are given change; None: nothing was different. A masked number in `phones`
    stands for the stored one it masks.

    `seen` is the `changed_at` of the file that the changes were made to. Raises `NotFound`,
    `Invalid`, `NotAllowed`, and `Conflict` where somebody has changed the file since.
    """
    fields = await definitions(connection)
    wanted = _checked(changes, fields, viewer)
    if not await in_scope(connection, customer_id, viewer):
        raise NotFound
    # Of two editors at once the second waits here, and then reads what the first has written.
    await connection.execute(
        select(Customer.id).where(Customer.id == customer_id).with_for_update()
    )
    present = (await records(connection, [customer_id]))[customer_id]
    if seen is not None and seen != present["changed_at"]:
        raise Conflict(CHANGED_MEANWHILE)
    phones = None
    if "phones" in wanted:
        phones = phone_values(wanted["phones"], region, present["phones"])
    people = contact_values(wanted["contacts"]) if "contacts" in wanted else None
    changed = await change_customer(
        connection, present, _texts(wanted), _custom(wanted, fields), phones, people, now=now
    )
    if not changed:
        return None
    # The names of the fields, not what stood in them: an audit entry outlives an erasure.
    await audit(
        connection, viewer.name, "customer.edit", str(customer_id), {"fields": changed}, at=now
    )
    return CustomerChanged(at=now, pbx=NO_PBX, customer=CustomerId(customer_id))


async def insert_customers(
    connection: AsyncConnection,
    new: Sequence[CustomerValues],
    *,
    now: datetime,
    batch_id: int | None = None,
) -> list[int]:
    """New files out of checked values, in three statements however many they are; their ids."""
    if not new:
        return []
    customer_ids = list(
        await connection.scalars(
            insert(Customer).returning(Customer.id, sort_by_parameter_order=True),
            [
                {
                    **{key: one.texts.get(key, "") for key in LONGEST},
                    "fields": {k: value for k, value in one.custom.items() if value is not None},
                    "created_at": now,
                    "changed_at": now,
                    "import_batch_id": batch_id,
                }
                for one in new
            ],
        )
    )
    owned = list(zip(customer_ids, new, strict=True))
    contacts = await _insert_contacts(
        connection, [(id_, person) for id_, one in owned for person in one.everybody()]
    )
    phones = [
        _phone_row(id_, phone, ordinal, contacts.get((id_, phone.contact or "")), now)
        for id_, one in owned
        for ordinal, phone in enumerate(one.phones, start=1)
    ]
    if phones:
        await connection.execute(insert(PhoneNumber), phones)
    return customer_ids


async def _insert_contacts(
    connection: AsyncConnection, people: Sequence[tuple[int, ContactValue]]
) -> dict[tuple[int, str], int]:
    """(customer, name) → id."""
    if not people:
        return {}
    ids = await connection.scalars(
        insert(Contact).returning(Contact.id, sort_by_parameter_order=True),
        [
            {"customer_id": customer_id, "name": person.name, "position": person.position}
            for customer_id, person in people
        ],
    )
    return {
        (customer_id, person.name): id_
        for (customer_id, person), id_ in zip(people, ids, strict=True)
    }


def _phone_row(
    customer_id: int, phone: PhoneValue, ordinal: int, contact_id: int | None, now: datetime
) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "contact_id": contact_id,
        "number": phone.number,
        "digits_reversed": search_digits(phone.number)[::-1],
        "raw": phone.raw,
        "ordinal": ordinal,
        "invalid_at": now if phone.invalid else None,
    }


async def change_customer(
    connection: AsyncConnection,
    present: Mapping[str, Any],
    texts: Mapping[str, str],
    custom: Mapping[str, Any],
    phones: Sequence[PhoneValue] | None,
    people: Sequence[ContactValue] | None,
    *,
    now: datetime,
) -> list[str]:
    """Make the file (`present`, of `queries.records`) what is given; the keys that were different."""
    customer_id = present["id"]
    new: dict[str, Any] = {key: text for key, text in texts.items() if text != present[key]}
    merged = {**present["fields"], **custom}
    merged = {key: value for key, value in merged.items() if value is not None}
    changed = sorted(new) + sorted(
        key for key in custom if merged.get(key) != present["fields"].get(key)
    )
    if people is not None and [(one.name, one.position) for one in people] != [
        (one["name"], one["position"]) for one in present["contacts"]
    ]:
        await _write_people(connection, customer_id, people)
        changed.append("contacts")
    if phones is not None and _differ(phones, present["phones"]):
        await _write_phones(connection, customer_id, phones, now)
        changed.append("phones")
    if changed:
        await connection.execute(
            update(Customer)
            .where(Customer.id == customer_id)
            .values(**new, fields=merged, changed_at=now)
        )
    return changed


def _differ(phones: Sequence[PhoneValue], present: Sequence[Mapping[str, Any]]) -> bool:
    invalid = {one["number"]: one["invalid"] for one in present}
    return [
        (
            one.number,
            one.contact,
            invalid.get(one.number) if one.invalid is None else one.invalid,
        )
        for one in phones
    ] != [(one["number"], one["contact"], one["invalid"]) for one in present]


def _checked(
    values: Mapping[str, Any], fields: Sequence[FieldDefinition], viewer: Viewer
) -> dict[str, Any]:
    """`values` with custom fields flattened, once every key is known and may be written."""
    wanted = dict(values)
    if "phone" in wanted:
        wanted["phones"] = [wanted.pop("phone"), *wanted.get("phones", ())]
    custom = wanted.pop("fields", {})
    if not isinstance(custom, Mapping):
        raise Invalid("fields: an object of keys and values is expected.")
    known = {field.key: field for field in fields}
    for key in (*wanted, *custom):
        if key not in known or known[key].custom != (key in custom):
            raise Invalid(f"There is no field {str(key)[:64]!r}.")
    may_write = writable(fields, viewer)
    if forbidden := sorted(key for key in (*wanted, *custom) if key not in may_write):
        raise NotAllowed(f"Your roles do not allow you to write: {', '.join(forbidden)}.")
    return {**wanted, **custom}


def _texts(wanted: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: text_value(wanted[key], key, longest, lines=key in OF_LINES)
        for key, longest in LONGEST.items()
        if key in wanted
    }


def _custom(wanted: Mapping[str, Any], fields: Sequence[FieldDefinition]) -> dict[str, Any]:
    return {
        field.key: custom_value(field, wanted[field.key])
        for field in fields
        if field.custom and field.key in wanted
    }


async def _write_people(
    connection: AsyncConnection, customer_id: int, people: Sequence[ContactValue]
) -> None:
    """The customer's people are these; a person who stays keeps the numbers, the numbers of one who
    goes stay with the customer."""
    rows = await connection.execute(
        select(Contact.id, Contact.name).where(Contact.customer_id == customer_id)
    )
    present = {row.name: row.id for row in rows}
    gone = [present[name] for name in present if name not in {one.name for one in people}]
    if gone:
        await connection.execute(
            update(PhoneNumber).where(PhoneNumber.contact_id.in_(gone)).values(contact_id=None)
        )
        await connection.execute(delete(Contact).where(Contact.id.in_(gone)))
    for person in people:
        if person.name in present:
            await connection.execute(
                update(Contact)
                .where(Contact.id == present[person.name])
                .values(position=person.position)
            )
        else:
            await connection.execute(
                insert(Contact).values(
                    customer_id=customer_id, name=person.name, position=person.position
                )
            )


async def _write_phones(
    connection: AsyncConnection, customer_id: int, phones: Sequence[PhoneValue], now: datetime
) -> None:
    """The customer's numbers are these, tried in this order. A contact that is named and unknown is
    made."""
    rows = await connection.execute(
        select(PhoneNumber.id, PhoneNumber.number, PhoneNumber.invalid_at).where(
            PhoneNumber.customer_id == customer_id
        )
    )
    present = {row.number: row for row in rows}
    wanted = {phone.number for phone in phones}
    gone = [row.id for number, row in present.items() if number not in wanted]
    if gone:
        await connection.execute(delete(PhoneNumber).where(PhoneNumber.id.in_(gone)))
    contacts = await _contact_ids(connection, customer_id, phones)
    for ordinal, phone in enumerate(phones, start=1):
        row = _phone_row(customer_id, phone, ordinal, contacts.get(phone.contact or ""), now)
        if (before := present.get(phone.number)) is not None:
            since = before.invalid_at if phone.invalid in (None, True) else None
            kept = {
                "ordinal": ordinal,
                "contact_id": row["contact_id"],
                "invalid_at": since or row["invalid_at"],
            }
            await connection.execute(
                update(PhoneNumber).where(PhoneNumber.id == before.id).values(kept)
            )
        else:
            await connection.execute(insert(PhoneNumber).values(row))


async def _contact_ids(
    connection: AsyncConnection, customer_id: int, phones: Sequence[PhoneValue]
) -> dict[str, int]:
    named = sorted({phone.contact for phone in phones if phone.contact})
    if not named:
        return {}
    asked = select(Contact.name, Contact.id).where(
        Contact.customer_id == customer_id, Contact.name.in_(named)
    )
    known = {row.name: row.id for row in await connection.execute(asked)}
    missing = [(customer_id, ContactValue(name=one)) for one in named if one not in known]
    made = await _insert_contacts(connection, missing)
    return known | {name: id_ for (_customer, name), id_ in made.items()}
