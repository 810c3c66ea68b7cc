"""What somebody typed into a customer's form: read, checked field by field, told in sentences.

Pure. The same rules hold again when it is written (`crm_core.customers.values`); here each mistake
finds its field and its words in the reader's language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent_ui.callers import CUSTOM_PREFIX
from agent_ui.customers.view import ContactInput, Input, InputKind, PhoneInput, Problem
from agent_ui.words import N_
from crm_core.customers.fields import FieldDefinition
from crm_core.customers.models import FieldKind
from crm_core.customers.phone_numbers import masked, normalise
from crm_core.customers.values import (
    LONGEST,
    LONGEST_CUSTOM,
    LONGEST_NAME,
    MOST_CONTACTS,
    MOST_PHONES,
    OF_LINES,
    contact_values,
    custom_value,
    phone_values,
    text_value,
)
from crm_core.errors import Invalid
from crm_core.quick_dataclass import dataclass

TOO_LONG = N_("At most %(most)d characters.")
NO_NUMBER = N_("This is not a phone number.")
NO_NAME = N_("A customer needs a name or a phone number.")
NO_CONTACT_NAME = N_("A contact needs a name.")
TOO_MANY_PHONES = N_("At most %(most)d phone numbers.")
TOO_MANY_CONTACTS = N_("At most %(most)d contacts.")
WRONG_KINDS: Mapping[FieldKind, str] = {
    FieldKind.TEXT: TOO_LONG,
    FieldKind.NUMBER: N_("A number is expected."),
    FieldKind.DATE: N_("A date like 2026-11-24 is expected."),
    FieldKind.CHOICE: N_("Choose one of the list."),
}

_ROW = re.compile(r"(phone|contact)\.(\d{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """`values` as `create_customer` and `edit_customer` take them; the inputs as they were typed."""

    values: dict[str, Any]
    inputs: tuple[Input, ...]
    phones: tuple[PhoneInput, ...] | None
    contacts: tuple[ContactInput, ...] | None
    new_numbers: frozenset[str]
    """Normalised numbers that the file did not have."""
    problem: Problem | None = None

    @property
    def is_sound(self) -> bool:
        rows: list[Input | PhoneInput | ContactInput] = [*self.inputs]
        rows += [*(self.phones or ()), *(self.contacts or ())]
        return all(problem is None for problem in (self.problem, *(r.problem for r in rows)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRules:
    """Whom the form is for: which fields, and which of them this viewer reads and writes."""

    fields: Sequence[FieldDefinition]
    readable: frozenset[str]
    writable: frozenset[str]
    language: str
    region: str
    present: Mapping[str, Any] | None = None
    """The file as it is stored (`queries.records`); None: a new one."""
    call_number: str | None = None
    """The whole number of the call that the form was opened for; it never leaves the server."""


def read(given: Mapping[str, str], rules: FormRules) -> Typed:
    """The posted form. What the viewer may not write is not looked at."""
    values: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    inputs = []
    for one in rules.fields:
        if one.key in ("phones", "contacts") and not one.custom:
            continue
        name = input_name(one)
        if one.key in rules.writable and name in given:
            (custom if one.custom else values)[one.key] = given[name]
            problem = _wrong(one, given[name])
            inputs.append(input_of(one, given[name], rules, problem))
        elif one.key in rules.readable:
            inputs.append(input_of(one, stored_value(one, rules.present), rules))
    if custom:
        values["fields"] = custom
    contacts, renamed = _contacts(given, rules)
    phones, entries = _phones(given, rules, renamed)
    if contacts is not None:
        values["contacts"] = [
            {"name": one.name, "position": one.position} for one in contacts if one.name
        ]
    if phones is not None:
        values["phones"] = entries
    problem = None
    if rules.present is None and not (values.get("name", "").strip() or values.get("phones")):
        problem = Problem(text=NO_NAME)
    return Typed(
        values=values,
        inputs=tuple(inputs),
        phones=phones,
        contacts=contacts,
        new_numbers=_new_numbers(entries, rules),
        problem=problem or _too_many(phones, contacts),
    )


def input_name(one: FieldDefinition) -> str:
    """How the field is posted."""
    return f"{CUSTOM_PREFIX}{one.key}" if one.custom else one.key


def stored_value(one: FieldDefinition, present: Mapping[str, Any] | None) -> str:
    """What stands in the file, as a text."""
    if present is None:
        return ""
    found = present["fields"].get(one.key) if one.custom else present[one.key]
    return "" if found is None else str(found)


def input_of(
    one: FieldDefinition, value: str, rules: FormRules, problem: Problem | None = None
) -> Input:
    lines = one.key in OF_LINES if not one.custom else False
    kind = InputKind.LINES if lines else InputKind(one.kind.value)
    choices = one.choices or ()
    if kind is InputKind.CHOICE and value and value not in choices:
        choices = (*choices, value)  # chosen before the list was changed: it is shown, not lost
    return Input(
        name=input_name(one),
        label=one.label_en if rules.language == "en" else one.label_zh,
        kind=kind,
        value=value,
        choices=choices,
        longest=None if one.custom else LONGEST.get(one.key),
        may_write=one.key in rules.writable,
        problem=problem,
    )


def _wrong(one: FieldDefinition, text: str) -> Problem | None:
    try:
        if one.custom:
            custom_value(one, text)
        else:
            text_value(text, one.key, LONGEST[one.key], lines=one.key in OF_LINES)
    except Invalid:
        most = LONGEST_CUSTOM if one.custom else LONGEST[one.key]
        message = WRONG_KINDS[one.kind]
        return Problem(text=message, values={"most": most} if message == TOO_LONG else {})
    return None


# --- the people, and the numbers ------------------------------------------------------------------


def _rows(given: Mapping[str, str], kind: str) -> list[str]:
    """The prefixes of the rows of a kind, in the order in which they stood on the page."""
    found = (match.group() for name in given if (match := _ROW.match(name)))
    return [prefix for prefix in dict.fromkeys(found) if prefix.startswith(f"{kind}.")]


def _contacts(
    given: Mapping[str, str], rules: FormRules
) -> tuple[tuple[ContactInput, ...] | None, dict[str, str]]:
    """The people as typed, and who was renamed to what."""
    if "contacts" not in rules.writable or "has.contacts" not in given:
        return None, {}
    found, renamed = [], {}
    for prefix in _rows(given, "contact"):
        name = given.get(f"{prefix}.name", "").strip()
        position = given.get(f"{prefix}.position", "").strip()
        was = given.get(f"{prefix}.was", "")
        if not name and not position:
            continue
        if was and name:
            renamed[was] = name
        problem = None
        if not name:
            problem = Problem(text=NO_CONTACT_NAME)
        else:
            try:
                contact_values([{"name": name, "position": position}])
            except Invalid:
                problem = Problem(text=TOO_LONG, values={"most": LONGEST_NAME})
        found.append(ContactInput(name=name, position=position, was=was, problem=problem))
    return tuple(found), renamed


def _phones(
    given: Mapping[str, str], rules: FormRules, renamed: Mapping[str, str]
) -> tuple[tuple[PhoneInput, ...] | None, list[dict[str, Any]]]:
    """The numbers as typed, and as entries for `phone_values`."""
    if "phones" not in rules.writable or "has.phones" not in given:
        return None, []
    present = rules.present["phones"] if rules.present is not None else []
    whose = {row["number"]: row["contact"] for row in present}
    shown, entries = [], []
    for prefix in _rows(given, "phone"):
        entry, row = _phone(given, prefix, rules, present)
        if entry is None:
            continue
        if (said := given.get(f"{prefix}.contact")) is not None:
            said = said.strip()
            entry["contact"] = renamed.get(said, said) or None
        elif "number" in entry:
            # The page did not ask whose it is, so it stays whose it is.
            number = normalise(entry["number"], rules.region).number
            entry["contact"] = whose.get(number or "")
        entry["invalid"] = f"{prefix}.invalid" in given
        shown.append(replace(row, problem=_wrong_phone(entry, rules, present)))
        entries.append(entry)
    return tuple(shown), entries


def _phone(
    given: Mapping[str, str],
    prefix: str,
    rules: FormRules,
    present: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any] | None, PhoneInput]:
    text = given.get(f"{prefix}.number", "").strip()
    row = PhoneInput(
        number=text,
        contact=given.get(f"{prefix}.contact", "").strip(),
        is_invalid=f"{prefix}.invalid" in given,
    )
    of_call = f"{prefix}.of_call" in given and rules.call_number is not None
    kept = next((one for one in present if given.get(f"{prefix}.id") == str(one["id"])), None)
    if of_call and rules.call_number is not None:
        shown = masked(rules.call_number)
        return {"number": rules.call_number}, replace(row, number=shown, of_call=True)
    if kept is not None:
        shown = masked(kept["number"])
        return {"id": kept["id"]}, replace(row, number=shown, kept=kept["id"])
    return ({"number": text} if text else None), row


def _wrong_phone(
    entry: Mapping[str, Any], rules: FormRules, present: Sequence[Mapping[str, Any]]
) -> Problem | None:
    try:
        phone_values([{**entry, "contact": None}], rules.region, present)
    except Invalid:
        return Problem(text=NO_NUMBER)
    try:
        phone_values([entry], rules.region, present)
    except Invalid:
        return Problem(text=TOO_LONG, values={"most": LONGEST_NAME})
    return None


def _new_numbers(entries: Sequence[Mapping[str, Any]], rules: FormRules) -> frozenset[str]:
    had = {row["number"] for row in rules.present["phones"]} if rules.present else set()
    typed = (
        normalise(entry["number"], rules.region).number for entry in entries if "number" in entry
    )
    return frozenset(number for number in typed if number is not None and number not in had)


def _too_many(
    phones: Sequence[PhoneInput] | None, contacts: Sequence[ContactInput] | None
) -> Problem | None:
    if len(phones or ()) > MOST_PHONES:
        return Problem(text=TOO_MANY_PHONES, values={"most": MOST_PHONES})
    if len(contacts or ()) > MOST_CONTACTS:
        return Problem(text=TOO_MANY_CONTACTS, values={"most": MOST_CONTACTS})
    return None
