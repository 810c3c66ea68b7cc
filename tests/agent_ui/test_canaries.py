"""A thousand values that a role may not read, looked for in everything that the role can get.

Hidden fields, built-in and of the site's own, and whole numbers of who sees masks: in no page's
source, frame, answer, search or export. Each surface shows them to a supervisor, who may read them:
a surface that shows them to nobody would prove nothing.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import insert

from crm_core.customers.edit import insert_customers
from crm_core.customers.models import CustomerField
from crm_core.customers.values import ContactValue, CustomerValues, PhoneValue
from crm_core.db import transaction
from crm_core.ids import CallId
from tests.agent_ui.world import Browser, Listener, World
from tests.harness import eventually

CUSTOMERS = 250
LOOKED_AT = 10
"""So many files are opened one by one; lists, searches and exports hold all."""
CALLED = 4
"""So many of them call."""

CANARY = re.compile(r"CANARY[0-9a-f]{12}")
DIGITS = re.compile(r"(?=(1[3-9]\d{9}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cage:
    """The thousand: four of each customer."""

    names: tuple[str, ...]
    hidden: frozenset[str]
    """Values of fields that only supervisors read."""
    mobiles: tuple[str, ...]
    """Whole numbers, as people dial them."""
    contacts: tuple[str, ...]

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset((*self.mobiles, *self.contacts))


@pytest.fixture
async def cage(world: World) -> Cage:
    chance = random.Random(20261124)
    mobiles = [f"1{chance.choice('3456789')}{chance.randrange(10**9):09}" for _ in range(500)]
    canaries = [f"CANARY{chance.getrandbits(48):012x}" for _ in range(500)]
    assert len({*mobiles, *canaries}) == 1_000
    names = tuple(f"客户{nth:03}" for nth in range(CUSTOMERS))
    async with transaction(world.engine) as connection:
        await connection.execute(
            insert(CustomerField).values(
                key="address",
                label_zh="地址",
                label_en="Address",
                kind="text",
                custom=False,
                read_roles=["supervisor"],
            )
        )
        await insert_customers(
            connection,
            [
                CustomerValues(
                    texts={"name": name, "grade": "A", "address": canaries[2 * nth]},
                    custom={"risk": canaries[2 * nth + 1], "contract": f"HT-{nth}"},
                    phones=(
                        PhoneValue(number=f"+86{mobiles[nth]}", raw=mobiles[nth]),
                        PhoneValue(
                            number=f"+86{mobiles[250 + nth]}",
                            raw=f"0{mobiles[250 + nth]}",
                            contact="李经理",
                        ),
                    ),
                    people=(ContactValue(name="李经理", position="采购"),),
                )
                for nth, name in enumerate(names)
            ],
            now=world.ui.deps.now(),
        )
    await world.ui.deps.directory.refresh()
    return Cage(
        names=names,
        hidden=frozenset(canaries),
        mobiles=tuple(mobiles[:250]),
        contacts=tuple(mobiles[250:]),
    )


@dataclass
class Found:
    """What a visitor was shown, by surface."""

    hidden: dict[str, set[str]] = field(default_factory=dict)
    numbers: dict[str, set[str]] = field(default_factory=dict)

    def look(self, surface: str, text: str, cage: Cage) -> None:
        # Pages part numbers by spaces, and write them into attributes.
        squeezed = re.sub(r"(?<=\d)[\s\u00a0-]+(?=\d)", "", text)
        self.hidden.setdefault(surface, set()).update(set(CANARY.findall(text)) & cage.hidden)
        self.numbers.setdefault(surface, set()).update(set(DIGITS.findall(squeezed)) & cage.numbers)

    def nowhere(self, kind: dict[str, set[str]]) -> bool:
        return not any(kind.values())


async def everything_of(
    browser: Browser, cage: Cage, calls: Iterable[CallId], *, writes: bool
) -> AsyncIterator[tuple[str, str]]:
    """(surface, text) of all that a person can ask for without typing a secret."""
    chosen = range(0, CUSTOMERS, CUSTOMERS // LOOKED_AT)
    first = 4  # three customers are the world's own
    for surface, path in (("list", "/customers"), ("api list", "/api/v1/customers?limit=200")):
        async for text in all_pages(browser, path):
            yield surface, text
    for nth in chosen:
        customer = first + nth
        yield "file", (await browser.get(f"/customers/{customer}")).text
        yield "api file", (await browser.get(f"/api/v1/customers/{customer}")).text
        if writes:
            yield "form", (await browser.get(f"/customers/{customer}/edit")).text
            form = {"name": cage.names[nth], "seen": "2020-01-01T00:00:00+00:00"}
            yield "duplicates", (await browser.post("/customers", form)).text
            yield (
                "conflict",
                (await browser.post(f"/customers/{customer}", form | {"anyway": "1"})).text,
            )
            patch = {"remark": "x", "changed_at": "2020-01-01T00:00:00Z"}
            yield "api conflict", (await edit(browser, customer, patch)).text
            yield "api edit", (await edit(browser, customer, {"remark": "x"})).text
        for query in (cage.names[nth], cage.mobiles[nth][-4:], "李经理", f"HT-{nth}"):
            yield "search", (await browser.get(f"/customers?q={query}")).text
            yield "api search", (await browser.get(f"/api/v1/customers?q={query}")).text
    for canary in sorted(cage.hidden)[:LOOKED_AT]:
        # All but the end of a hidden value: the page repeats what was typed.
        for path in (f"/customers?q={canary[:-2]}", f"/api/v1/customers?q={canary[:-2]}"):
            yield "search for a hidden value", (await browser.get(path)).text
    for path in ("/calls", "/calls.csv", "/api/v1/calls?limit=200", "/api/v1/live", "/desk"):
        yield path, (await browser.get(path)).text
    for call in calls:
        yield "call", (await browser.get(f"/calls/{call}")).text
        yield "api call", (await browser.get(f"/api/v1/calls/{call}")).text
        if writes:
            yield "form of a call", (await browser.get(f"/customers/new?call={call}")).text


async def all_pages(browser: Browser, path: str) -> AsyncIterator[str]:
    following: str | None = path
    while following:
        answer = await browser.get(following)
        assert answer.status_code == 200, following
        yield answer.text
        if path.startswith("/api/"):
            cursor = answer.json()["next_cursor"]
            following = f"{path}&cursor={cursor}" if cursor else None
        else:
            found = re.search(r'href="([^"]+)"\s+rel="next"', answer.text)
            following = found.group(1).replace("&amp;", "&") if found else None


async def edit(browser: Browser, customer: int, patch: dict[str, Any]) -> Any:
    headers = {"origin": browser.url, "x-csrf-token": browser.csrf, "accept": "application/json"}
    return await browser.request(
        "PATCH", f"/api/v1/customers/{customer}", json=patch, headers=headers
    )


@pytest.mark.parametrize(
    ("who", "reads_hidden", "reveals", "writes"),
    [
        ("limin", False, False, True),
        ("sunli", False, False, False),
        ("admin", False, True, True),
        ("wangfang", True, True, True),
    ],
    ids=["agent", "outbound caller", "admin", "supervisor"],
)
async def test_what_a_role_may_not_read_is_nowhere(
    world: World, cage: Cage, who: str, reads_hidden: bool, reveals: bool, writes: bool
) -> None:
    agent = await world.at_desk("limin", "8001")
    await world.at_desk("sunli", "8003")
    browser = agent if who == "limin" else await world.signed_in(who)
    socket = await world.listen(browser, query="?page=desk")
    await socket.frame("snapshot")
    extension, number, queue = (
        ("8003", "1003", "members") if who == "sunli" else ("8001", "1001", "support")
    )
    calls, found = [], Found()
    for nth in range(0, CUSTOMERS, CUSTOMERS // CALLED):
        call, queue_pass = world.caller_queues(f"0{cage.mobiles[nth]}", queue=queue)
        ring = world.rings(call, queue_pass, extension, number)
        if who in ("limin", "sunli"):
            await drawn(socket, call)
            found.look("desk while it rings", (await browser.get("/desk")).text, cage)
        world.answers(ring)
        world.hangs_up(ring)
        calls.append(call)
    await world.recorded()
    async for surface, text in everything_of(browser, cage, calls, writes=writes):
        found.look(surface, text, cage)
    found.look("frames", "\n".join(socket.raw), cage)
    if not reads_hidden:
        assert found.nowhere(found.hidden), found.hidden
    if not reveals:
        assert found.nowhere(found.numbers), found.numbers
    if reads_hidden and reveals:
        # What hides nothing from a supervisor, surface by surface: else it would hide it from anybody.
        for surface in (
            "file",
            "api file",
            "form",
            "conflict",
            "api list",
            "api search",
            "api edit",
        ):
            assert found.hidden[surface], surface
        for surface in (
            "list", "file", "form", "duplicates", "search", "api list", "api search", "/calls",
            "/calls.csv", "/api/v1/calls?limit=200", "call", "api call", "form of a call",
        ):  # fmt: skip
            assert found.numbers[surface], surface


async def drawn(socket: Listener, call: CallId) -> None:
    """The frames of this call have come: the pop, and its card as HTML."""
    await eventually(
        lambda: any(f"pop-{call}" in frame["html"] for frame in socket.of("region")), 5.0
    )


async def test_programs_get_no_more_than_people(world: World, cage: Cage) -> None:
    token = await world.token("masked", "agent", None)
    browser = world.browser()
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    found = Found()
    for path in (
        "/api/v1/customers?limit=200",
        *(f"/api/v1/customers?phone={number}" for number in cage.mobiles[:LOOKED_AT]),
        *(f"/api/v1/customers?phone={number}" for number in cage.contacts[:LOOKED_AT]),
    ):
        answer = await browser.get(path, headers=headers)
        assert len(answer.json()["items"]) >= 1, path
        found.look(path, answer.text, cage)
    socket = await world.listen(token=token)
    await socket.frame("snapshot")
    await world.at_desk("limin", "8001")
    world.a_call_rings(caller=f"0{cage.mobiles[0]}")
    frame = await socket.frame("call.offered")
    assert frame["customer"]["name"] == cage.names[0]
    found.look("frames", json.dumps(socket.frames, ensure_ascii=False), cage)
    assert found.nowhere(found.hidden), found.hidden
    assert found.nowhere(found.numbers), found.numbers
