"""From customers' files, cut to the viewer, to the values of `customers.view`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent_ui import callers
from agent_ui.calls.view import RecordShown
from agent_ui.customers.typed import FormRules, input_of, stored_value
from agent_ui.customers.view import (
    CallShown,
    ContactInput,
    ContactShown,
    CustomerRow,
    DuplicateShown,
    FactShown,
    Input,
    NumberShown,
    PhoneInput,
)
from crm_core.access.viewer import Viewer
from crm_core.customers.duplicates import Duplicate
from crm_core.customers.fields import FieldDefinition, readable, readable_keys
from crm_core.customers.history import PastCall
from crm_core.customers.phone_numbers import masked
from crm_core.customers.values import OF_LINES
from crm_core.ids import CustomerId
from crm_core.wrap_up.records import RecordOfCall

WITH_A_PLACE = frozenset({"name", "grade", "phones", "contacts"})
"""Fields that are not facts: each has a place of its own on the file's page."""


def row(one: Mapping[str, Any]) -> CustomerRow:
    """A line of the list."""
    phones = one.get("phones", ())
    return CustomerRow(
        customer=CustomerId(one["id"]),
        name=one.get("name", ""),
        grade=one.get("grade", ""),
        company=one.get("company", ""),
        number=_first_number(one),
        more_numbers=max(0, len(phones) - 1),
        contacts=tuple(contact["name"] for contact in one.get("contacts", ())),
        changed_at=one["changed_at"],
    )


def columns(fields: Sequence[FieldDefinition], viewer: Viewer) -> frozenset[str]:
    """The built-in fields that this viewer reads."""
    return readable_keys((one for one in fields if not one.custom), viewer)


def facts(
    one: Mapping[str, Any], fields: Sequence[FieldDefinition], viewer: Viewer, language: str
) -> tuple[FactShown, ...]:
    """The fields of a file as its page lists them; empty ones as well: people look for them."""
    return tuple(
        FactShown(
            label=field.label_en if language == "en" else field.label_zh,
            value=_text(one["fields"].get(field.key) if field.custom else one.get(field.key)),
            is_long=field.key in OF_LINES,
        )
        for field in fields
        if readable(field, viewer) and (field.custom or field.key not in WITH_A_PLACE)
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def numbers(one: Mapping[str, Any]) -> tuple[NumberShown, ...] | None:
    if "phones" not in one:
        return None
    return tuple(
        NumberShown(
            phone=phone["id"],
            number=phone["number"],
            contact=phone.get("contact"),
            is_invalid=phone["invalid"],
        )
        for phone in one["phones"]
    )


def contacts(one: Mapping[str, Any]) -> tuple[ContactShown, ...] | None:
    if "contacts" not in one:
        return None
    return tuple(
        ContactShown(
            name=contact["name"],
            position=contact["position"],
            numbers=tuple(contact.get("numbers", ())),
        )
        for contact in one["contacts"]
    )


def past_call(call: PastCall, language: str) -> CallShown:
    return CallShown(
        call=call.call_id,
        at=call.started_at,
        direction=call.direction,
        outcome=call.outcome,
        answered=call.answered,
        live=not call.ended,
        agent=call.agent,
        talk_seconds=call.talk_seconds,
        may_open=call.may_open,
        records=tuple(_record(one, language) for one in call.records),
    )


def _record(one: RecordOfCall, language: str) -> RecordShown:
    return RecordShown(
        agent=one.agent,
        saved_at=one.saved_at,
        note=one.note,
        disposition=callers.disposition(one.disposition, language),
        submitted=one.submitted,
    )


def duplicate(found: Duplicate) -> DuplicateShown:
    one = found.customer
    return DuplicateShown(
        customer=CustomerId(one["id"]),
        name=one.get("name", ""),
        company=one.get("company", ""),
        number=_first_number(one),
        by_number=found.by_number,
    )


def _first_number(one: Mapping[str, Any]) -> str | None:
    phones = sorted(one.get("phones", ()), key=lambda phone: bool(phone["invalid"]))
    return phones[0]["number"] if phones else None


# --- the form as it opens -------------------------------------------------------------------------


def inputs(rules: FormRules) -> tuple[Input, ...]:
    """What the viewer reads; typed where he also writes it."""
    return tuple(
        input_of(one, stored_value(one, rules.present), rules)
        for one in rules.fields
        if one.key in rules.readable and (one.custom or one.key not in ("phones", "contacts"))
    )


def with_stored(typed: Sequence[Input], rules: FormRules) -> tuple[Input, ...]:
    """Each input with what stands in the file where that is something else."""
    stored = {one.name: one.value for one in inputs(rules)}
    return tuple(
        replace(one, in_file=stored[one.name])
        if one.may_write and stored.get(one.name, one.value) != one.value
        else one
        for one in typed
    )


def phone_inputs(rules: FormRules, *, reveals: bool) -> tuple[PhoneInput, ...] | None:
    if "phones" not in rules.writable:
        return None
    names = "contacts" in rules.writable
    found = [
        PhoneInput(
            number=phone["number"] if reveals else masked(phone["number"]),
            contact=(phone["contact"] or "") if names else "",
            is_invalid=phone["invalid"],
            kept=None if reveals else phone["id"],
        )
        for phone in (rules.present["phones"] if rules.present is not None else ())
    ]
    if rules.call_number is not None:
        shown = rules.call_number if reveals else masked(rules.call_number)
        found.append(PhoneInput(number=shown, of_call=not reveals))
    return tuple(found)


def contact_inputs(rules: FormRules) -> tuple[ContactInput, ...] | None:
    if "contacts" not in rules.writable:
        return None
    people = rules.present["contacts"] if rules.present is not None else ()
    return tuple(
        ContactInput(name=one["name"], position=one["position"], was=one["name"]) for one in people
    )
