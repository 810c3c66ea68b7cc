"""What the description promises of the socket's frames is what a working centre sends."""

from __future__ import annotations

from typing import Any

import pytest

from agent_ui.api.frames_described import FRAMES, name_of, schemas
from crm_core.events import AttemptResult, LinkState
from tests.agent_ui.world import World

SCHEMAS = schemas()
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """How `value` differs from the part of JSON Schema that the description uses."""
    if "$ref" in schema:
        return faults(value, SCHEMAS[schema["$ref"].rpartition("/")[2]], where)
    if "anyOf" in schema:
        found = [faults(value, each, where) for each in schema["anyOf"]]
        return [] if [] in found else found[0]
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    fits = any(
        isinstance(value, TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)
        for kind in wanted
    )
    if not fits or ("enum" in schema and value not in schema["enum"]):
        return [f"{where}: {value!r} is not {wanted} {schema.get('enum', '')}"]
    if "const" in schema and value != schema["const"]:
        return [f"{where}: {value!r} is not {schema['const']}"]
    found_here: list[str] = []
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        found_here += [f"{where}.{name} is missing" for name in fields if name not in value]
        found_here += [f"{where}.{name} is not described" for name in value if name not in fields]
        for name in value.keys() & fields.keys():
            found_here += faults(value[name], fields[name], f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for place, each in enumerate(value):
            found_here += faults(each, schema["items"], f"{where}[{place}]")
    return found_here


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("x", {"type": "integer"}),
        (True, {"type": "integer"}),
        (None, {"type": "string"}),
        ("z", {"type": "string", "enum": ["a"]}),
        ({"a": 1}, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {"a": {"type": "string"}}}),
        ([1], {"type": "array", "items": {"type": "string"}}),
        ({}, {"$ref": "#/components/schemas/Agent"}),
    ],
)
def test_the_check_sees_what_does_not_fit(value: Any, schema: dict[str, Any]) -> None:
    assert faults(value, schema)


async def test_every_frame_is_as_it_is_described_and_every_kind_is_sent(world: World) -> None:
    desk = await world.at_desk("limin", "8001")
    admin = await world.listen(token=await world.token("a", "admin"))
    page = await world.listen(desk, query="?page=desk")
    await page.frame("region")
    first = world.a_call_rings(name="张三")
    await admin.frame("call.offered")
    late = await world.listen(token=await world.token("b", "admin"))
    await late.frame("snapshot")
    world.answers(first)
    await admin.frame("call.answered")
    world.hangs_up(first)
    await admin.frame("call.ended")
    await world.recorded()
    second = world.a_call_rings("8002", "1002")
    await admin.frame("call.offered", attempt=1)
    world.ring_ends(second, AttemptResult.NO_ANSWER)
    await admin.frame("call.withdrawn")
    await admin.frame("queue.changed")
    await desk.post("/sign-out")
    await admin.frame("agent.changed", state="offline")
    world.link(LinkState.DOWN)
    await admin.frame("link.changed")

    frames = [*admin.frames, *page.frames, *late.frames]
    wrong = [
        f"{frame['type']}: {fault}"
        for frame in frames
        for fault in faults(frame, SCHEMAS[name_of(frame["type"])])
    ]
    assert wrong == []
    assert {frame["type"] for frame in frames} | {"heartbeat"} == set(FRAMES)


async def test_the_page_of_the_api_lists_every_frame_with_its_fields(world: World) -> None:
    admin = await world.signed_in("admin")
    page = (await admin.get("/docs")).text
    assert page.count("/api/v1/events</code>") == 1
    for kind, (_, fields) in FRAMES.items():
        assert f"FRAME {kind}</code>" in page
        assert all(f"<code>{name}</code>" in page for name in fields)


async def test_references_lead_somewhere(world: World) -> None:
    document = (await (await world.signed_in("admin")).get("/api/v1/openapi.json")).json()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [each for part in value.values() for each in references(part)]
        return (
            [each for part in value for each in references(part)] if isinstance(value, list) else []
        )

    known = document["components"]["schemas"]
    assert {each.rpartition("/")[2] for each in references(document)} <= known.keys()
    assert document["components"]["schemas"]["Frame"]["discriminator"]["mapping"].keys() == set(
        FRAMES
    )
