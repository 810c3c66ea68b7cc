"""The one projection: what a viewer may read comes out, and nothing else can."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crm_core.access.permissions import PRESET_ROLES, DataScope, Permission
from crm_core.access.viewer import Viewer
from crm_core.customers.fields import (
    BUILT_IN,
    FieldDefinition,
    record_of,
    visible,
    writable,
)
from crm_core.ids import CustomerId, UserId
from crm_core.pop_query import PopContact, PopCustomer

AGENT = Viewer(
    user_id=UserId(1),
    name="limin",
    full_name="李敏",
    agent_number="1001",
    roles=frozenset({"agent"}),
    permissions=PRESET_ROLES["agent"].permissions,
    scope=DataScope.OWN,
    team_id=1,
    project_ids=frozenset({1}),
    language=None,
    reveals=False,
)
NUMBER = "+8613800138000"


def canary(key: str) -> str:
    return f"canary({key})"


def record(keys: frozenset[str]) -> dict[str, Any]:
    """A file in which every value tells where it stands."""
    return {
        "id": 7,
        **{key: canary(key) for key in ("name", "grade", "company", "address", "remark")},
        "phones": [
            {
                "id": 1,
                "number": NUMBER,
                "raw": "raw-138",
                "invalid": False,
                "contact": canary("contacts"),
            }
        ],
        "contacts": [{"name": canary("contacts"), "position": "p", "numbers": [NUMBER]}],
        "fields": {key: canary(key) for key in keys} | {"nobody_defined": "canary-undefined"},
        "password": "canary-undefined",
    }


ROLES = st.none() | st.frozensets(st.sampled_from(["agent", "supervisor", "admin"]))
CUSTOM = st.frozensets(st.sampled_from(["a", "b", "c", "d"]))


@given(CUSTOM, st.data())
def test_what_may_not_be_read_never_comes_out(custom: frozenset[str], data: st.DataObject) -> None:
    own = [FieldDefinition(key=key, label_zh=key, label_en=key) for key in sorted(custom)]
    fields = [replace(one, read_roles=data.draw(ROLES)) for one in (*BUILT_IN, *own)]
    seen = visible(record(custom), fields, AGENT)
    shown = json.dumps(seen, ensure_ascii=False)
    for field in fields:
        may = field.read_roles is None or "agent" in field.read_roles
        if field.key == "phones":
            assert ("138****8000" in shown) <= may
        else:
            assert (canary(field.key) in shown) is (may or False)
    assert NUMBER[3:] not in shown
    assert "raw-138" not in shown
    assert "canary-undefined" not in shown


@given(CUSTOM)
def test_projection_of_a_projection_is_the_same(custom: frozenset[str]) -> None:
    revealing = replace(AGENT, reveals=True)
    fields = [*BUILT_IN, *(FieldDefinition(key=k, label_zh=k, label_en=k) for k in custom)]
    once = visible(record(custom), fields, revealing)
    assert visible(once, fields, revealing) == once


def test_who_may_not_read_customers_sees_not_even_the_id() -> None:
    blind = replace(AGENT, permissions=AGENT.permissions - {Permission.READ_CUSTOMERS})
    assert visible(record(frozenset()), BUILT_IN, blind) == {}
    assert writable(BUILT_IN, blind) == frozenset()


def test_writable_is_what_the_roles_write_and_read() -> None:
    fields = [
        FieldDefinition(key="open", label_zh="", label_en=""),
        FieldDefinition(
            key="read_only", label_zh="", label_en="", write_roles=frozenset({"admin"})
        ),
        FieldDefinition(key="nobodys", label_zh="", label_en="", write_roles=frozenset()),
        FieldDefinition(
            key="blind",
            label_zh="",
            label_en="",
            read_roles=frozenset({"admin"}),
            write_roles=frozenset({"agent"}),
        ),
    ]
    assert writable(fields, AGENT) == {"open"}
    reader = replace(AGENT, permissions=AGENT.permissions - {Permission.WRITE_CUSTOMERS})
    assert writable(fields, reader) == frozenset()


def test_screen_pop_passes_the_same_projection() -> None:
    pop = PopCustomer(
        id=CustomerId(7),
        name="陈静",
        grade="VIP",
        company="",
        address="",
        remark="",
        fields={"secret": "canary"},
        contacts=(PopContact(name="李经理", position="采购", numbers=(NUMBER,)),),
    )
    secret = FieldDefinition(
        key="secret", label_zh="", label_en="", read_roles=frozenset({"admin"})
    )
    seen = visible(record_of(pop), [*BUILT_IN, secret], AGENT)
    assert (seen["name"], seen["fields"]) == ("陈静", {})
    assert seen["contacts"] == [{"name": "李经理", "position": "采购", "numbers": ["138****8000"]}]
