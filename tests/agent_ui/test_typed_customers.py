"""Whatever is posted: only what may be written is taken, and what is called sound can be saved."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_ui.customers.typed import FormRules, read
from crm_core.customers.fields import BUILT_IN, FieldDefinition
from crm_core.customers.models import FieldKind
from crm_core.customers.values import (
    LONGEST,
    OF_LINES,
    contact_values,
    custom_value,
    phone_values,
    text_value,
)

FIELDS = (
    *BUILT_IN,
    FieldDefinition(key="contract", label_zh="合同号", label_en="Contract"),
    FieldDefinition(key="machines", label_zh="设备", label_en="Machines", kind=FieldKind.NUMBER),
    FieldDefinition(key="until", label_zh="到保", label_en="Until", kind=FieldKind.DATE),
    FieldDefinition(
        key="risk", label_zh="风险", label_en="Risk", kind=FieldKind.CHOICE, choices=("低", "高")
    ),
)
KEYS = frozenset(field.key for field in FIELDS)
PRESENT: dict[str, Any] = {
    "name": "张三",
    "grade": "A",
    "company": "",
    "address": "",
    "remark": "",
    "fields": {"contract": "HT-1"},
    "phones": [
        {"id": 7, "number": "+8613800138000", "raw": "x", "contact": "李经理", "invalid": False}
    ],
    "contacts": [{"name": "李经理", "position": ""}],
}

NAMES = st.sampled_from(
    [
        *(field.key if not field.custom else f"field.{field.key}" for field in FIELDS),
        "field.nobody", "owner", "has.phones", "has.contacts", "csrf_token",
        *(f"phone.{n}.{part}" for n in (0, 1, 9999) for part in ("number", "contact", "id", "invalid", "of_call")),
        *(f"contact.{n}.{part}" for n in (0, 1) for part in ("name", "position", "was")),
    ]
)  # fmt: skip
TEXTS = st.text(max_size=200) | st.sampled_from(
    [
        "",
        "7",
        "1",
        "13800138000",
        "138****8000",
        "12x",
        "2026-11-24",
        "低",
        "李经理",
        "1e400",
        "nan",
    ]
)
FORMS = st.dictionaries(NAMES, TEXTS, max_size=25)
WRITABLE = st.frozensets(st.sampled_from(sorted(KEYS)))


@settings(max_examples=500)
@given(given_=FORMS, writable=WRITABLE, is_new=st.booleans(), call=st.booleans())
@example(
    given_={"has.phones": "1", "phone.0.number": "13900001111", "phone.0.contact": "x" * 129},
    writable=KEYS,
    is_new=True,
    call=False,
)
@example(
    given_={"has.phones": "1", "phone.0.id": "7", "phone.0.contact": "李经理"},
    writable=KEYS,
    is_new=False,
    call=False,
)
def test_only_what_may_be_written_is_taken_and_sound_is_sound(
    given_: dict[str, str], writable: frozenset[str], is_new: bool, call: bool
) -> None:
    present = None if is_new else PRESENT
    said = read(
        given_,
        FormRules(
            fields=FIELDS,
            readable=KEYS,
            writable=writable,
            language="en",
            region="CN",
            present=present,
            call_number="+8613977770000" if call else None,
        ),
    )
    custom = said.values.get("fields", {})
    assert {key for key in said.values if key != "fields"} | set(custom) <= writable
    if not said.is_sound:
        return
    for key in LONGEST.keys() & said.values.keys():
        text_value(said.values[key], key, LONGEST[key], lines=key in OF_LINES)
    for field in FIELDS:
        if field.key in custom:
            custom_value(field, custom[field.key])
    contact_values(said.values.get("contacts", []))
    kept = phone_values(said.values.get("phones", []), "CN", present["phones"] if present else [])
    had = {row["number"] for row in present["phones"]} if present else set()
    assert {one.number for one in kept if one.number not in had} <= said.new_numbers
