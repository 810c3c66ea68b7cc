"""The call list as a CSV file: the same calls and rights as the page, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, literal, select, update

from agent_ui.calls import export
from agent_ui.calls.export import BYTE_ORDER_MARK, HEAD, dialled, harmless
from crm_core.access.models import AuditEntry, Role, RolePermission
from crm_core.access.permissions import Permission
from crm_core.call_log.models import Call
from crm_core.customers.models import Customer
from crm_core.db import reading, transaction
from crm_core.ids import CallId
from tests.agent_ui.world import DIGITS, SHARED_DIGITS, Browser, World


async def calls_of_two_teams(world: World) -> dict[str, CallId]:
    await world.at_desk("limin", "8001")
    await world.at_desk("sunli", "8003")
    calls = {}
    for name, extension, number, queue, caller in (
        ("limin", "8001", "1001", "support", DIGITS),
        ("sunli", "8003", "1003", "members", SHARED_DIGITS),
    ):
        call, queue_pass = world.caller_queues(caller, queue=queue)
        ring = world.rings(call, queue_pass, extension, number)
        world.answers(ring)
        world.hangs_up(ring)
        calls[name] = call
    await world.recorded()
    return calls


async def agents_may_export(world: World) -> None:
    """As a site may decide; the preset does not allow it."""
    async with transaction(world.engine) as connection:
        roles = select(Role.id, literal(Permission.EXPORT.value)).where(
            Role.name.in_(("agent", "outbound_caller"))
        )
        await connection.execute(
            insert(RolePermission).from_select(["role_id", "permission"], roles)
        )


async def rows_of(browser: Browser, query: str = "") -> list[dict[str, str]]:
    answer = await browser.get(f"/calls.csv{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode("utf-8")
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK))))


async def test_an_agent_carries_no_list_out(world: World) -> None:
    await calls_of_two_teams(world)
    browser = await world.signed_in("limin")
    assert (await browser.get("/calls.csv")).status_code == 403
    assert "/calls.csv" not in (await browser.get("/calls")).text
    assert "/calls.csv" in (await (await world.signed_in("wangfang")).get("/calls")).text


async def test_the_file_has_the_calls_that_the_page_has(world: World) -> None:
    await agents_may_export(world)
    calls = await calls_of_two_teams(world)
    seen = {
        "limin": {"limin"},
        "zhaolei": set(),
        "sunli": {"sunli"},
        "wangfang": {"limin"},
        "chenwei": {"sunli"},
        "admin": {"limin", "sunli"},
    }
    for name, own in seen.items():
        rows = await rows_of(await world.signed_in(name))
        assert {row["通话编号"] for row in rows} == {calls[who] for who in own}, name


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?queue=support", {"limin"}),
        ("?agent=1003", {"sunli"}),
        (f"?number={DIGITS}", {"limin"}),
        ("?to=2020-01-01", set()),
        ("?from=2020-01-01", {"limin", "sunli"}),
    ],
)
async def test_the_filters_are_those_of_the_page(world: World, query: str, names: set[str]) -> None:
    calls = await calls_of_two_teams(world)
    rows = await rows_of(await world.signed_in("admin"), query)
    assert {row["通话编号"] for row in rows} == {calls[who] for who in names}


async def test_a_row_says_what_the_page_says_in_the_readers_language(world: World) -> None:
    await agents_may_export(world)
    calls = await calls_of_two_teams(world)
    async with transaction(world.engine) as connection:
        await connection.execute(
            update(Call)
            .where(Call.call_id == calls["limin"])
            .values(started_at=datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC))
        )
    [row] = await rows_of(await world.signed_in("limin"))
    assert row["开始时间"] == "2026-11-24 09:02:03"
    assert row["客户号码"] == "138****8000"
    assert (row["客户"], row["坐席"], row["工号"]) == ("张三", "李敏", "1001")
    assert (row["热线"], row["队列"], row["方向"]) == ("海星售后热线", "报修", "呼入")
    assert row["结果"] == "已接听"
    [row] = await rows_of(await world.signed_in("wangfang"))
    assert row["客户号码"] == DIGITS
    english = await world.signed_in("wangfang")
    await english.post("/language", {"language": "en", "next": "/calls"})
    [row] = await rows_of(english)
    assert list(row) == list(HEAD)
    assert row["Outcome"] == "Answered"


async def test_a_filter_that_is_wrong_is_told(world: World) -> None:
    browser = await world.signed_in("wangfang")
    for query in ("?from=yesterday", "?number=abc", "?from=2026-11-24&to=2026-11-23"):
        assert (await browser.get(f"/calls.csv{query}")).status_code == 422, query


async def test_every_export_is_audited_without_a_whole_number(world: World) -> None:
    browser = await world.signed_in("wangfang")
    await rows_of(browser, f"?number={DIGITS}&queue=support")
    async with reading(world.engine) as connection:
        entry = (
            await connection.execute(select(AuditEntry).where(AuditEntry.act == "calls.export"))
        ).one()
    assert (entry.actor, entry.subject) == ("wangfang", "calls")
    assert entry.detail == {"number": "138****8000", "queue": "support"}


async def test_a_long_list_comes_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 7)
    now = datetime.now(UTC)
    ids = [f"{nth:032x}" for nth in range(50)]
    async with transaction(world.engine) as connection:
        await connection.execute(
            insert(Call),
            [
                {
                    "call_id": call_id,
                    "pbx": "main",
                    "direction": "inbound",
                    "started_at": now,
                    "confidence": "complete",
                    "at_is_receipt": False,
                }
                for call_id in ids
            ],
        )
    rows = await rows_of(await world.signed_in("admin"))
    assert [row["通话编号"] for row in rows] == ids[::-1]


async def test_a_name_that_is_a_formula_comes_as_text(world: World) -> None:
    await calls_of_two_teams(world)
    async with transaction(world.engine) as connection:
        await connection.execute(
            update(Customer).where(Customer.id == 1).values(name='=HYPERLINK("http://x","y")')
        )
    [row] = await rows_of(await world.signed_in("wangfang"))
    assert row["客户"] == '\'=HYPERLINK("http://x","y")'


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    cell = harmless(text)
    assert cell.removeprefix("'") == text or cell == text
    first = cell.lstrip(" \u00a0\u3000")[:1]
    assert first not in "=+-@\t\r\n＝＋－＠" or not first


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝", "\u3000+"])
def test_what_begins_like_a_formula_is_text(first: str) -> None:
    assert harmless(f"{first}1+1") == f"'{first}1+1"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613800138000", "13800138000"),
        ("+861062345678", "010-62345678"),
        ("+867558888000", "0755-8888000"),
        ("+864008001234", "4008001234"),
        ("138****8000", "138****8000"),
        ("95588", "95588"),
        ("+14155552671", "+14155552671"),
    ],
)
def test_numbers_are_written_as_people_dial_them(number: str, shown: str) -> None:
    assert dialled(number) == shown
