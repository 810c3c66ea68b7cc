"""The customers' list and one customer's file, over the real server."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, insert, select

from crm_core.access.models import AuditEntry
from crm_core.customers.guesses import MOST_MISSES
from crm_core.customers.models import Contact, Customer, PhoneNumber
from crm_core.db import transaction
from tests.agent_ui.customer_hands import ZHANG, hide, scalar
from tests.agent_ui.world import DIGITS, HIDDEN, World

# --- the list -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"张三", "周一", "吴二"}),
        ("?q=张", {"张三"}),
        ("?q=8000", {"张三"}),
        ("?q=138 0013-8000", {"张三"}),
        ("?q=0000", {"周一", "吴二"}),
        ("?q=1380013800", set()),
        ("?grade=A", {"张三", "周一", "吴二"}),
        ("?grade=B", set()),
        (f"?q={HIDDEN}", set()),
    ],
)
async def test_the_list_shows_whom_the_search_finds(
    world: World, query: str, names: set[str]
) -> None:
    browser = await world.signed_in("limin")
    response = await browser.get(f"/customers{query}")
    assert response.status_code == 200
    assert {name for name in ("张三", "周一", "吴二") if name in response.text} == names
    assert DIGITS not in response.text.replace(" ", "").partition("<tbody")[2]


async def test_the_list_goes_on_where_the_page_before_ended(world: World) -> None:
    async with transaction(world.engine) as connection:
        now = world.ui.deps.now()
        rows = [
            {"name": f"N{nth:03}", "fields": {}, "created_at": now, "changed_at": now}
            for nth in range(120)
        ]
        await connection.execute(insert(Customer), rows)
    browser = await world.signed_in("limin")
    path, seen = "/customers?q=N", []
    while path:
        page = (await browser.get(path)).text
        seen += re.findall(r">(N\d{3})<", page)
        following = re.search(r'href="([^"]+)"\s+rel="next"', page)
        path = following.group(1).replace("&amp;", "&") if following else ""
    assert seen == [f"N{nth:03}" for nth in range(120)]


async def test_an_empty_book_says_how_customers_come_into_it(world: World) -> None:
    async with transaction(world.engine) as connection:
        for table in (PhoneNumber, Contact, Customer):
            await connection.execute(table.__table__.delete())
    page = (await (await world.signed_in("limin")).get("/customers")).text
    assert "暂无客户" in page
    assert "zuoxi import customers" in page
    assert page.count('href="/customers/new"') == 2
    nobody_writes = (await (await world.signed_in("sunli")).get("/customers")).text
    assert "/customers/new" not in nobody_writes


async def test_column_and_filter_of_a_field_that_is_not_read_are_absent(world: World) -> None:
    await hide(world, "grade")
    page = (await (await world.signed_in("limin")).get("/customers")).text
    assert 'name="grade"' not in page
    assert "级客户" not in page
    assert "级客户" in (await (await world.signed_in("wangfang")).get("/customers")).text


async def test_guessing_numbers_ends_and_is_audited(world: World) -> None:
    browser = await world.signed_in("limin")
    for nth in range(MOST_MISSES):
        answer = await browser.get(f"/customers?q=1390000{nth:04}")
        assert answer.status_code == 200
    over = await browser.get(f"/customers?q={DIGITS}")
    assert over.status_code == 429
    assert "一小时后" in over.text
    assert "张三" not in over.text
    assert (await browser.get(f"/calls?number={DIGITS}")).status_code == 429
    assert (await browser.get(f"/api/v1/customers?phone={DIGITS}")).status_code == 429
    assert (await browser.get("/customers?q=8000")).status_code == 200
    assert (await browser.get("/customers?q=张")).status_code == 200
    told = await scalar(
        world,
        select(func.count()).where(
            AuditEntry.act == "customers.guess", AuditEntry.actor == "limin"
        ),
    )
    assert told == 1
    supervisor = await world.signed_in("wangfang")
    assert "张三" in (await supervisor.get(f"/customers?q={DIGITS}")).text


# --- one file -------------------------------------------------------------------------------------


async def test_the_file_has_fields_numbers_and_calls_with_their_notes(world: World) -> None:
    browser = await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    await world.recorded()
    written = {"note": "已约上门时间", "disposition": "follow_up", "revision": "1", "submit": "1"}
    assert (await browser.post(f"/calls/{ring.call}/note", written)).status_code == 204
    page = (await browser.get(f"/customers/{ZHANG}")).text
    for shown in (
        "张三",
        "HT-2041",
        "138 **** 8000",
        "已约上门时间",
        "待跟进",
        f"/calls/{ring.call}",
    ):
        assert shown in page, shown
    assert HIDDEN not in page
    assert "风险等级" not in page
    whole = (await (await world.signed_in("wangfang")).get(f"/customers/{ZHANG}")).text
    assert HIDDEN in whole
    assert "+86 138 0013 8000" in whole


async def test_a_colleagues_call_stands_there_and_is_no_link(world: World) -> None:
    await world.at_desk("limin", "8001")
    ring = world.a_call_rings()
    world.answers(ring)
    world.hangs_up(ring)
    await world.recorded()
    page = (await (await world.signed_in("sunli")).get(f"/customers/{ZHANG}")).text
    assert "李敏" in page
    assert f"/calls/{ring.call}" not in page


@pytest.mark.parametrize("path", ["0", "99", "x", "-1", "9" * 11, "9" * 40, "1/edit/x", "９"])
async def test_no_such_file_is_not_found(world: World, path: str) -> None:
    browser = await world.signed_in("limin")
    assert (await browser.get(f"/customers/{path}")).status_code == 404


async def test_who_may_not_write_has_no_button_and_no_form(world: World) -> None:
    browser = await world.signed_in("sunli")
    assert "/edit" not in (await browser.get(f"/customers/{ZHANG}")).text
    assert (await browser.get(f"/customers/{ZHANG}/edit")).status_code == 403
    assert (await browser.post(f"/customers/{ZHANG}", {"name": "x"})).status_code == 403
    assert (await browser.post("/customers", {"name": "x"})).status_code == 403
