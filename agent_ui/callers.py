"""Who calls, as pages show it: from the look-up's answer to the values of `desk.who`.

Pure. Everything passes `visible` for the viewer, and numbers are masked for who may not see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agent_ui.desk.who import (
    ContactShown,
    CustomerShown,
    FieldInput,
    FieldShown,
    InputKind,
    Match,
    PastContact,
    Recognised,
    RepeatBadge,
    Who,
    excerpt,
    shown_fields,
)
from agent_ui.live.pop_files import Known
from agent_ui.shapes import number_for
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.call_log.details import DispositionLabel, LastContact, Repeat
from crm_core.customers.fields import FieldDefinition, record_of, visible, writable
from crm_core.ids import CallId, CustomerId

IN_THE_HEAD = frozenset({"name", "phones", "grade", "contacts"})
"""Fields that have a place of their own on the card."""
NOT_TYPED = frozenset({"phones", "contacts"})
"""Fields the short form of a new customer leaves out: the number is known."""
CUSTOM_PREFIX = "field."
"""How the inputs of custom fields are named in forms."""


def seen_customers(
    known: Known, fields: Sequence[FieldDefinition], viewer: Viewer
) -> list[dict[str, Any]]:
    """The files of the caller's number, cut to what this viewer may read."""
    if not viewer.may(Permission.READ_CUSTOMERS):
        return []
    return [visible(record_of(one), fields, viewer) for one in known.file.customers]


def chosen(customers: list[dict[str, Any]], customer: int | None) -> dict[str, Any] | None:
    """The one customer it is: the only one, or the one that was chosen among several."""
    if len(customers) == 1:
        return customers[0]
    return next((one for one in customers if one["id"] == customer), None)


def recognised(known: Known, one: dict[str, Any] | None, customers: Sequence[Any]) -> Recognised:
    if known.number is None:
        return Recognised.HIDDEN
    if one is not None:
        return Recognised.KNOWN
    return Recognised.SEVERAL if customers else Recognised.UNKNOWN


def who(
    known: Known,
    *,
    fields: Sequence[FieldDefinition],
    viewer: Viewer,
    language: str,
    call: CallId,
    at: datetime,
    customer: int | None = None,
) -> Who:
    """The left side of a call's card."""
    customers = seen_customers(known, fields, viewer)
    one = chosen(customers, customer)
    kind = recognised(known, one, customers)
    number = number_for(viewer, known.number)
    may_see_past = viewer.may(Permission.READ_CUSTOMERS)
    return Who(
        recognised=kind,
        number=number,
        customer=_shown(one, number, fields, language) if one is not None else None,
        matches=_matches(customers) if kind is Recognised.SEVERAL else (),
        new_customer=_form(fields, viewer, language) if kind is Recognised.UNKNOWN else (),
        history=tuple(
            past(contact, language, viewer)
            for contact in known.file.last_contacts
            if may_see_past and contact.call_id != call
        ),
        repeat=repeat_badge(known.file.repeat, known, at, language) if may_see_past else None,
    )


def _shown(
    one: dict[str, Any], number: str | None, fields: Sequence[FieldDefinition], language: str
) -> CustomerShown:
    phones = tuple(phone["number"] for phone in one.get("phones", ()))
    return CustomerShown(
        customer=CustomerId(one["id"]),
        name=one.get("name", ""),
        grade=one.get("grade", ""),
        numbers=phones or ((number,) if number else ()),
        fields=shown_fields(
            [
                FieldShown(label=_label(field, language), value=_value(one, field))
                for field in fields
                if field.key not in IN_THE_HEAD and field.on_pop
            ]
        ),
        contacts=tuple(
            ContactShown(
                name=contact["name"],
                position=contact.get("position", ""),
                numbers=tuple(contact.get("numbers", ())),
            )
            for contact in one.get("contacts", ())
        ),
    )


def _value(one: dict[str, Any], field: FieldDefinition) -> str:
    found = one.get("fields", {}).get(field.key) if field.custom else one.get(field.key)
    return "" if found is None else str(found)


def _label(field: FieldDefinition, language: str) -> str:
    return field.label_en if language == "en" else field.label_zh


def _matches(customers: Sequence[dict[str, Any]]) -> tuple[Match, ...]:
    return tuple(
        Match(
            customer=CustomerId(one["id"]),
            name=one.get("name", ""),
            grade=one.get("grade", ""),
            company=one.get("company", ""),
        )
        for one in customers[:5]
    )


def _form(
    fields: Sequence[FieldDefinition], viewer: Viewer, language: str
) -> tuple[FieldInput, ...]:
    keys = writable(fields, viewer)
    if "name" not in keys:
        return ()
    return tuple(
        FieldInput(
            name=f"{CUSTOM_PREFIX}{field.key}" if field.custom else field.key,
            label=_label(field, language),
            kind=InputKind(field.kind.value),
            choices=field.choices or (),
            required=field.key == "name" and not field.custom,
        )
        for field in fields
        if field.key in keys and (field.custom or field.key not in NOT_TYPED)
    )


def past(contact: LastContact, language: str, viewer: Viewer) -> PastContact:
    """An earlier call in one line. Whether it opens is for the call's own page to decide."""
    return PastContact(
        call=contact.call_id,
        at=contact.started_at,
        direction=contact.direction,
        outcome=contact.outcome,
        agent=contact.agent_name,
        talk_seconds=contact.talk_seconds,
        disposition=disposition(contact.disposition, language),
        note=excerpt(contact.note),
        may_open=viewer.may(Permission.READ_CALLS),
    )


def repeat_badge(
    repeat: Repeat | None, known: Known, at: datetime, language: str
) -> RepeatBadge | None:
    """The number was connected within two hours before `at`."""
    if repeat is None:
        return None
    said = next((c for c in known.file.last_contacts if c.call_id == repeat.call_id), None)
    return RepeatBadge(
        minutes_ago=max(0, int((at - repeat.answered_at).total_seconds()) // 60),
        agent=repeat.agent_name or repeat.agent_number or "–",
        disposition=disposition(said.disposition, language) if said else None,
    )


def disposition(label: DispositionLabel | None, language: str) -> str | None:
    if label is None:
        return None
    return label.en if language == "en" else label.zh
