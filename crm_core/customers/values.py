"""What people, programs and files want written into a customer's file, checked and made clean.

Pure. Raises `Invalid` with a sentence that names the field.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from crm_core.customers.fields import FieldDefinition
from crm_core.customers.models import FieldKind
from crm_core.customers.phone_numbers import Number, masked, normalise
from crm_core.errors import Invalid
from crm_core.quick_dataclass import dataclass

LONGEST = {"name": 128, "grade": 16, "company": 256, "address": 512, "remark": 10_000}
"""Characters of the built-in text fields: the widths of their columns, and for the remark what a
person can read."""
OF_LINES = ("remark", "address")
"""Those that may hold line breaks."""
LONGEST_CUSTOM = 1_000
LONGEST_NAME = 128
"""Of a contact, and of the position."""
MOST_PHONES = 20
MOST_CONTACTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneValue:
    """A number to be kept. `kept_id`: it stands for this row, which is there already.

    `invalid` says whether it is known to reach nobody; None: nothing new about that.
    """

    number: str
    raw: str
    contact: str | None = None
    kept_id: int | None = None
    invalid: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactValue:
    name: str
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerValues:
    """A customer's file as an import wants it: only what was said."""

    texts: Mapping[str, str]
    custom: Mapping[str, Any]
    phones: tuple[PhoneValue, ...]
    people: tuple[ContactValue, ...] = ()

    def followed_by(self, later: CustomerValues) -> CustomerValues:
        """Both together; where they differ the later word counts, and silence takes nothing back."""
        phones = {one.number: one for one in self.phones}
        for one in later.phones:
            before = phones.get(one.number)
            if before is None or one.contact is not None:
                phones[one.number] = replace(one, raw=before.raw if before else one.raw)
        people = {one.name: one for one in self.people}
        for person in later.people:
            if person.name not in people or person.position:
                people[person.name] = person
        return CustomerValues(
            texts={**self.texts, **later.texts},
            custom={**self.custom, **later.custom},
            phones=tuple(phones.values()),
            people=tuple(people.values()),
        )

    def everybody(self) -> tuple[ContactValue, ...]:
        """The people, and those whom only a number names."""
        known = {one.name for one in self.people}
        named = {one.contact for one in self.phones if one.contact} - known
        return self.people + tuple(ContactValue(name=name) for name in sorted(named))


def text_value(value: Any, label: str, longest: int, *, lines: bool = False) -> str:
    """Text without what no field can hold: control characters, halves of characters."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{label}: text is expected.")
    if not lines:
        value = " ".join(value.split())
    cleaned = "".join(
        char
        for char in value.strip()
        if unicodedata.category(char) not in ("Cc", "Cs") or (lines and char in "\n\t")
    )
    if len(cleaned) > longest:
        raise Invalid(f"{label}: at most {longest} characters.")
    return cleaned


def custom_value(field: FieldDefinition, value: Any) -> Any:
    """The value of a custom field in its kind; None: empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    label = field.label_zh
    match field.kind:
        case FieldKind.TEXT:
            return text_value(value, label, LONGEST_CUSTOM, lines=True)
        case FieldKind.NUMBER:
            return _number(value, label)
        case FieldKind.DATE:
            try:
                return date.fromisoformat(str(value).strip().replace("/", "-")).isoformat()
            except ValueError:
                raise Invalid(f"{label}: a date like 2026-11-24 is expected.") from None
        case FieldKind.CHOICE:
            if value not in (field.choices or ()):
                raise Invalid(f"{label}: one of {', '.join(field.choices or ())} is expected.")
            return value


def phone_values(
    entries: Any, region: str, present: Sequence[Mapping[str, Any]] = ()
) -> list[PhoneValue]:
    """Numbers to keep, in order, each once. `present` are those there (`{id, number, raw,
    contact}`): a masked entry, or one with an `id`, stands for one of them."""
    if not isinstance(entries, list | tuple):
        raise Invalid("phones: a list of numbers is expected.")
    if len(entries) > MOST_PHONES:
        raise Invalid(f"phones: at most {MOST_PHONES} numbers.")
    kept: dict[str, PhoneValue] = {}
    for entry in entries:
        found = _phone(entry, region, [row for row in present if row["number"] not in kept])
        kept.setdefault(found.number, found)
    return list(kept.values())


def contact_values(entries: Any) -> list[ContactValue]:
    """The people at a customer, each name once."""
    if not isinstance(entries, list | tuple) or not all(
        isinstance(entry, Mapping) for entry in entries
    ):
        raise Invalid("contacts: a list of {name, position} is expected.")
    if len(entries) > MOST_CONTACTS:
        raise Invalid(f"contacts: at most {MOST_CONTACTS} people.")
    people = {}
    for entry in entries:
        name = text_value(entry.get("name"), "contacts: name", LONGEST_NAME)
        if not name:
            raise Invalid("contacts: a contact needs a name.")
        position = text_value(entry.get("position"), "contacts: position", LONGEST_NAME)
        people[name] = ContactValue(name=name, position=position)
    return list(people.values())


def phone_number(raw: str, region: str) -> Number:
    """A number that can be kept. Raises `Invalid` for what is none."""
    number = normalise(raw, region)
    if number.number is None or len(number.number) < 3:
        shown = raw if len(raw) <= 40 else f"{raw[:40]}…"
        raise Invalid(f"{shown!r} is not a phone number.")
    return number


def _phone(entry: Any, region: str, present: Iterable[Mapping[str, Any]]) -> PhoneValue:
    if isinstance(entry, str):
        entry = {"number": entry}
    if not isinstance(entry, Mapping):
        raise Invalid("phones: a number is text, or {number, contact}.")
    contact = text_value(entry.get("contact"), "phones: contact", LONGEST_NAME) or None
    invalid = entry.get("invalid")
    if not isinstance(invalid, bool | None):
        raise Invalid("phones: invalid is true or false.")
    text = entry.get("number")
    for row in present:
        bare = "".join(text.split()) if isinstance(text, str) else None
        if entry.get("id") == row["id"] or (bare and "*" in bare and bare == masked(row["number"])):
            return PhoneValue(
                number=row["number"],
                raw=row["raw"],
                contact=contact if "contact" in entry else row["contact"],
                kept_id=row["id"],
                invalid=invalid,
            )
    if not isinstance(text, str):
        raise Invalid("phones: a number is text, or {number, contact}.")
    number = phone_number(text, region).number
    assert number is not None
    return PhoneValue(
        number=number, raw=text_value(text, "phones", 64), contact=contact, invalid=invalid
    )


def _number(value: Any, label: str) -> int | float:
    if isinstance(value, str):
        try:
            value = float(value.strip().replace(",", ""))
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid(f"{label}: a number is expected.")
    if abs(value) > 1e15:
        raise Invalid(f"{label}: the number is too large.")
    return int(value) if float(value).is_integer() else float(value)
