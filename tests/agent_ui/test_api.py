"""/api/v1 as another program uses it: exact names, pages, problems."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from crm_core.events import AttemptResult
from crm_core.ids import CallId
from tests.agent_ui.world import HIDDEN, NUMBER, World

CALL_KEYS = {
    "call_id", "aliases", "pbx", "direction", "project", "called_number", "caller_number",
    "caller_number_raw", "customer_id", "started_at", "ended_at", "confidence", "passes",
    "transfers", "legs", "disposition",
}  # fmt: skip
PASS_KEYS = {
    "queue", "unique_id", "entered_at", "answered_at", "left_at", "outcome", "agent",
    "wait_seconds", "talk_seconds", "attempts",
}  # fmt: skip
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Program:
    """A program with a bearer token."""

    def __init__(self, world: World, token: str) -> None:
        self.client = httpx2.AsyncClient(
            base_url=f"{world.url}/api/v1",
            headers={"authorization": f"Bearer {token}"},
            verify=False,  # no TLS here
        )
        world._closing.append(self)

    async def close(self) -> None:
        await self.client.aclose()

    async def get(self, path: str, status: int = 200) -> Any:
        response = await self.client.get(path)
        assert response.status_code == status, response.text
        return response.json()


async def a_program(world: World, role: str = "supervisor", user: str | None = None) -> Program:
    return Program(world, await world.token(f"{role} of {user}", role, user))


async def some_calls(world: World, count: int) -> list[CallId]:
    await world.at_desk("limin", "8001")
    calls: list[CallId] = []
    for _ in range(count):
        ring = world.a_call_rings()
        world.answers(ring)
        world.hangs_up(ring)
        calls.append(ring.call)
    await world.recorded()
    return calls


async def test_a_call_has_exactly_the_names_of_the_design(world: World) -> None:
    (call,) = await some_calls(world, 1)
    program = await a_program(world)
    listed = await program.get("/calls")
    assert set(listed) == {"items", "next_cursor"}
    (one,) = listed["items"]
    assert one == await program.get(f"/calls/{call}")
    assert set(one) == CALL_KEYS
    assert (one["project"], one["direction"], one["called_number"]) == (
        "家电售后", "inbound", "4008001234",
    )  # fmt: skip
    assert one["caller_number"] == NUMBER
    (stay,) = one["passes"]
    assert set(stay) == PASS_KEYS
    assert stay["agent"] == {"number": "1001", "name": "李敏", "interface": "PJSIP/8001"}
    (attempt,) = stay["attempts"]
    assert set(attempt) == {"agent", "offered_at", "ended_at", "result"}
    assert attempt["result"] == "answered"
    for moment in (one["started_at"], one["ended_at"], stay["entered_at"], stay["answered_at"]):
        assert MOMENT.fullmatch(moment), moment


async def test_pages_of_calls_meet_without_gap_or_double(world: World) -> None:
    calls = await some_calls(world, 7)
    program = await a_program(world)
    seen, cursor = [], ""
    while True:
        page = await program.get(f"/calls?limit=3{cursor}")
        assert len(page["items"]) <= 3
        seen += [one["call_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(calls)


async def test_filters_take_projects_and_queues_by_name_and_agents_by_number(world: World) -> None:
    (call,) = await some_calls(world, 1)
    program = await a_program(world)
    one = (await program.get("/calls"))["items"][0]
    at = one["started_at"]
    for query, found in (
        ("project=家电售后", True), ("project=会员热线", False),
        ("queue=support", True), ("queue=members", False),
        ("agent=1001", True), ("agent=1002", False),
        (f"customer={one['customer_id']}", True), ("customer=999", False),
        (f"from={at}", True), (f"to={at}", False),
        ("from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", False),
        ("from=2020-01-01T08:00:00%2B08:00", True),
    ):  # fmt: skip
        items = (await program.get(f"/calls?{query}"))["items"]
        assert [item["call_id"] for item in items] == ([call] if found else []), query


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=", "from=yesterday", "from=2026-11-24",
        "from=2026-11-24T08:00:00", "to=99999-01-01T00:00:00Z", "from=0001-01-01T00:00:00%2B14:00",
        "cursor=nonsense", "customer=0", "customer=x", "customer=99999999999999", "agent=",
        "nosuch=1", "limit=1&limit=2", "queue=" + "q" * 200,
    ],
)  # fmt: skip
async def test_a_wrong_question_is_answered_422_with_a_sentence(world: World, query: str) -> None:
    program = await a_program(world)
    problem = await program.get(f"/calls?{query}", 422)
    assert (problem["status"], problem["type"]) == (422, "about:blank")
    assert len(problem["detail"]) > 10


async def test_a_program_without_a_token_gets_a_problem_not_a_page(world: World) -> None:
    async with httpx2.AsyncClient(base_url=world.url, verify=False) as client:
        for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic eDp5"}):
            response = await client.get("/api/v1/calls", headers=headers)
            assert response.status_code == 401
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["www-authenticate"] == "Bearer"
        assert (await client.get("/api/v1/nothing")).status_code == 404
        wrong = await client.request("DELETE", "/api/v1/calls")
        assert wrong.status_code == 405
        assert wrong.json()["title"] == "Method Not Allowed"


async def test_customers_are_made_found_and_changed(world: World) -> None:
    program = await a_program(world, "admin")
    body = {"name": "李雷", "phones": ["13611112222"], "fields": {"contract": "HT-9"}}
    made = await program.client.post("/customers", json=body)
    assert made.status_code == 201, made.text
    one = made.json()
    assert made.headers["location"] == f"/api/v1/customers/{one['id']}"
    assert one["phones"][0]["number"] == "+8613611112222"
    for query in ("phone=13611112222", "phone=%2B8613611112222", "q=李雷", "q=2222"):
        assert [c["id"] for c in (await program.get(f"/customers?{query}"))["items"]] == [one["id"]]
    changed = await program.client.patch(f"/customers/{one['id']}", json={"company": "海星"})
    assert changed.json()["company"] == "海星"
    assert changed.json()["name"] == "李雷"
    assert (await program.get(f"/customers/{one['id']}"))["company"] == "海星"
    await program.get("/customers/999999", 404)
    await program.get("/customers/x", 422)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": ""}, {"name": "x" * 129}, {"name": "x", "nosuch": 1}, {"name": 5},
        {"name": "x", "phones": "13800138000"}, {"name": "x", "phones": ["not a number"]},
        {"name": "x", "fields": {"nosuch": "1"}}, [], "x",
        {"name": "x", "fields": {"contract": {"deep": 1}}},
    ],
)  # fmt: skip
async def test_a_customer_that_cannot_be_is_refused(world: World, body: Any) -> None:
    program = await a_program(world, "admin")
    response = await program.client.post("/customers", json=body)
    assert response.status_code == 422, response.text
    assert response.json()["detail"]


async def test_the_board_is_cut_to_the_viewer(world: World) -> None:
    await world.at_desk("limin", "8001")
    await world.at_desk("sunli", "8003")
    ring = world.a_call_rings()
    whole = await (await a_program(world)).get("/live")
    assert whole["seq"] == world.bus.seq
    assert {agent["agent"]["number"] for agent in whole["agents"]} == {"1001", "1003"}
    assert [call["call_id"] for call in whole["calls"]] == [ring.call]
    team = await (await world.signed_in("wangfang")).get("/api/v1/live")
    assert {agent["agent"]["number"] for agent in team.json()["agents"]} == {"1001"}
    own = await (await world.signed_in("sunli")).get("/api/v1/live")
    assert {agent["agent"]["number"] for agent in own.json()["agents"]} == {"1003"}
    assert own.json()["calls"] == []


async def test_the_api_describes_itself_without_a_foreign_host(world: World) -> None:
    browser = await world.signed_in("limin")
    described = (await browser.get("/api/v1/openapi.json")).json()
    assert {"/api/v1/calls", "/api/v1/customers", "/api/v1/live"} <= set(described["paths"])
    page = (await browser.get("/docs")).text
    assert "/api/v1/customers/{customer_id}" in page
    assert "//" not in re.sub(r"https?://www\.w3\.org/\S+", "", page.replace("</", ""))


async def test_a_hidden_field_and_whole_numbers_reach_no_agent_by_any_way(world: World) -> None:
    """Every page, answer and frame an agent can get, searched for what he may not see."""
    browser = await world.at_desk("limin", "8001")
    socket = await world.listen(browser, query="?page=desk")
    program = await world.listen(token=await world.token("mine", "agent", "limin"))
    await socket.frame("snapshot")
    first = world.a_call_rings(name="13800138000")
    world.answers(first)
    await world.recorded()
    note = {"note": "n", "disposition": "resolved", "revision": "1"}
    await browser.post(f"/calls/{first.call}/note", note)
    world.hangs_up(first)
    second = world.a_call_rings()
    world.ring_ends(second, AttemptResult.NO_ANSWER)
    third = world.rings(second.call, second.queue_pass, "8001", "1001", attempt=2)
    late = await world.listen(browser, query="?since=gone-1&page=desk")
    await late.frame("snapshot")
    world.answers(third)
    await world.recorded()
    paths = [
        "/desk", "/calls", f"/calls/{first.call}", "/device", "/docs",
        "/calls?number=13800138000", "/api/v1/calls", f"/api/v1/calls/{first.call}",
        "/api/v1/customers", "/api/v1/customers/1", "/api/v1/customers?phone=13800138000",
        "/api/v1/customers?q=8000", "/api/v1/live",
    ]  # fmt: skip
    told = [(path, (await browser.get(path)).text) for path in paths]
    await socket.frame("region", id="my-calls")
    for name, listener in (("page", socket), ("program", program), ("late", late)):
        told += [(name, raw) for raw in listener.raw]
    assert len(told) > 30
    for where, text in told:
        assert HIDDEN not in text, where
        # What the agent typed into the search himself.
        text = text.replace('value="13800138000"', "").replace("number=13800138000", "")
        assert "13800138000" not in text, where
        assert "138 0013 8000" not in text, where
    boss = await world.signed_in("wangfang")
    assert HIDDEN in (await boss.get("/api/v1/customers/1")).text
    assert "+8613800138000" in (await boss.get("/api/v1/customers/1")).text
