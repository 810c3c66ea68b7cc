"""The fields of a customer's file, and the one projection that decides who reads what.

Every page, frame, export and answer of the API passes a customer through `visible`. It lets through
what is listed, never what is merely not forbidden: a key nobody defined does not come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.customers.models import CustomerField, FieldKind
from crm_core.customers.phone_numbers import masked
from crm_core.pop_query import PopCustomer
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDefinition:
    """One field. Custom ones lie under `record["fields"][key]`, built-in ones at `record[key]`.

    `read_roles`, `write_roles`: None is everybody who may read (write) customers at all, the empty
    set nobody.
    """

    key: str
    label_zh: str
    label_en: str
    kind: FieldKind = FieldKind.TEXT
    choices: tuple[str, ...] | None = None
    custom: bool = True
    on_pop: bool = True
    read_roles: frozenset[str] | None = None
    write_roles: frozenset[str] | None = None


def _built_in(key: str, label_zh: str, label_en: str, *, on_pop: bool = True) -> FieldDefinition:
    return FieldDefinition(
        key=key, label_zh=label_zh, label_en=label_en, custom=False, on_pop=on_pop
    )


BUILT_IN: tuple[FieldDefinition, ...] = (
    _built_in("name", "姓名", "Name"),
    _built_in("phones", "电话", "Phone numbers"),
    _built_in("grade", "等级", "Grade"),
    _built_in("company", "单位", "Company"),
    _built_in("address", "地址", "Address"),
    _built_in("contacts", "联系人", "Contacts"),
    _built_in("remark", "备注", "Remark"),
)
"""What every customer's file has. A site changes who reads and writes them, and their labels, by a
row of `customer_fields` with the same key."""

_ALWAYS = ("id", "created_at", "changed_at")


async def definitions(connection: AsyncConnection) -> tuple[FieldDefinition, ...]:
    """All fields in the order of pages: the built-in ones as this site has changed them first."""
    rows = await connection.execute(
        select(CustomerField).order_by(CustomerField.ordinal, CustomerField.id)
    )
    stored = {
        row.key: FieldDefinition(
            key=row.key,
            label_zh=row.label_zh,
            label_en=row.label_en,
            kind=FieldKind(row.kind),
            choices=None if row.choices is None else tuple(row.choices),
            custom=row.custom,
            on_pop=row.on_pop,
            read_roles=None if row.read_roles is None else frozenset(row.read_roles),
            write_roles=None if row.write_roles is None else frozenset(row.write_roles),
        )
        for row in rows
    }
    built_in = tuple(stored.get(field.key, field) for field in BUILT_IN)
    return built_in + tuple(field for field in stored.values() if field.custom)


def readable(field: FieldDefinition, viewer: Viewer) -> bool:
    """May this viewer read this field?"""
    return viewer.may(Permission.READ_CUSTOMERS) and (
        field.read_roles is None or not field.read_roles.isdisjoint(viewer.roles)
    )


def readable_keys(fields: Iterable[FieldDefinition], viewer: Viewer) -> frozenset[str]:
    return frozenset(field.key for field in fields if readable(field, viewer))


def writable(fields: Iterable[FieldDefinition], viewer: Viewer) -> frozenset[str]:
    """The keys this viewer may change: never one that may not be read."""
    if not viewer.may(Permission.WRITE_CUSTOMERS):
        return frozenset()
    return frozenset(
        field.key
        for field in fields
        if readable(field, viewer)
        and (field.write_roles is None or not field.write_roles.isdisjoint(viewer.roles))
    )


def visible(
    record: Mapping[str, Any], fields: Iterable[FieldDefinition], viewer: Viewer
) -> dict[str, Any]:
    """The part of a customer's record that this viewer may read, numbers masked unless
    `viewer.reveals`.

    Shape, in and out: `{id, name, grade, company, address, remark,
    phones: [{id, number, contact, invalid}], contacts: [{name, position, numbers}], fields: {key: value}, created_at, changed_at}`; a key
    that may not be read is absent.
    """
    if not viewer.may(Permission.READ_CUSTOMERS):
        return {}
    fields = tuple(fields)
    keys = readable_keys(fields, viewer)
    seen = {key: record[key] for key in _ALWAYS if key in record}
    for field in fields:
        if field.custom or field.key not in keys or field.key not in record:
            continue
        match field.key:
            case "phones":
                seen["phones"] = [
                    _phone(phone, viewer, contact="contacts" in keys) for phone in record["phones"]
                ]
            case "contacts":
                seen["contacts"] = [
                    _contact(contact, viewer, numbers="phones" in keys)
                    for contact in record["contacts"]
                ]
            case key:
                seen[key] = record[key]
    custom = record.get("fields") or {}
    seen["fields"] = {
        field.key: custom[field.key]
        for field in fields
        if field.custom and field.key in keys and field.key in custom
    }
    return seen


def shown_number(number: str, viewer: Viewer) -> str:
    """A number as this viewer may see it."""
    return number if viewer.reveals else masked(number)


def record_of(customer: PopCustomer) -> dict[str, Any]:
    """The pop query's answer in the shape that `visible` takes."""
    return {
        "id": customer.id,
        "name": customer.name,
        "grade": customer.grade,
        "company": customer.company,
        "address": customer.address,
        "remark": customer.remark,
        "contacts": [
            {"name": contact.name, "position": contact.position, "numbers": list(contact.numbers)}
            for contact in customer.contacts
        ],
        "fields": customer.fields,
    }


def _phone(phone: Mapping[str, Any], viewer: Viewer, *, contact: bool) -> dict[str, Any]:
    seen = {
        "id": phone["id"],
        "number": shown_number(phone["number"], viewer),
        "invalid": phone["invalid"],
    }
    if contact:
        seen["contact"] = phone["contact"]
    return seen


def _contact(contact: Mapping[str, Any], viewer: Viewer, *, numbers: bool) -> dict[str, Any]:
    seen = {"name": contact["name"], "position": contact["position"]}
    if numbers:
        seen["numbers"] = [shown_number(number, viewer) for number in contact["numbers"]]
    return seen
