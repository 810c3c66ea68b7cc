"""Customers written and found: what comes out, for whom, and what no text can make of a query."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import AuditEntry
from crm_core.customers.edit import create_customer, edit_customer
from crm_core.customers.models import Customer, PhoneNumber
from crm_core.customers.queries import customer, customers_by_phone, full_number
from crm_core.customers.search import search
from crm_core.db import transaction
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from tests.crm_core.centre.a_centre import T0, build, later, viewer
from tests.crm_core.customers.hostile import HOSTILE

CANARY = "CANARY-7f3a"
MOBILE, LANDLINE = "+8613800138000", "+861062345678"
PREFIXED = "1795113800138000"
"""Behind a carrier's access number that nobody told us of."""


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    await build(engine)
    async with transaction(engine) as connection:
        yield connection


async def add(connection: AsyncConnection, **values: Any) -> int:
    root = await viewer(connection, "root")
    return (await create_customer(connection, values, root, now=T0)).customer


async def add_chen(connection: AsyncConnection) -> int:
    return await add(
        connection,
        name="陈静",
        company="Harbour Ltd",
        phones=["138-0013-8000", {"number": "010-62345678", "contact": "李经理"}],
        contacts=[{"name": "李经理", "position": "采购"}],
        fields={"contract": "C-77", "secret": CANARY},
    )


async def names(connection: AsyncConnection, text: str, who: str) -> list[str]:
    page = await search(connection, text, await viewer(connection, who))
    return [item["name"] for item in page.items]


# --- what comes out -------------------------------------------------------------------------------


async def test_supervisor_reads_the_whole_file(connection: AsyncConnection) -> None:
    id_ = await add_chen(connection)
    file = await customer(connection, id_, await viewer(connection, "wangfang"))
    assert file is not None
    assert [phone["number"] for phone in file["phones"]] == [MOBILE, LANDLINE]
    assert file["contacts"] == [{"name": "李经理", "position": "采购", "numbers": [LANDLINE]}]
    assert file["fields"] == {"contract": "C-77", "secret": CANARY}


async def test_agent_reads_masked_numbers_and_no_hidden_field(connection: AsyncConnection) -> None:
    id_ = await add_chen(connection)
    file = await customer(connection, id_, await viewer(connection, "limin"))
    assert file is not None
    assert [phone["number"] for phone in file["phones"]] == ["138****8000", "010****5678"]
    assert file["contacts"][0]["numbers"] == ["010****5678"]
    assert file["fields"] == {"contract": "C-77"}


@pytest.mark.parametrize("who", ["limin", "zhao"])
async def test_nothing_an_agent_can_ask_gives_the_hidden_value_or_a_full_number(
    connection: AsyncConnection, who: str
) -> None:
    id_ = await add_chen(connection)
    agent = await viewer(connection, who)
    answers: list[Any] = [await customer(connection, id_, agent)]
    answers += await customers_by_phone(connection, MOBILE, agent)
    answers += await customers_by_phone(connection, "62345678", agent)
    for text in ("", "陈", "8000", MOBILE, LANDLINE, CANARY, "C-77", str(id_)):
        page = await search(connection, text, agent)
        answers += [page.items, page.next_cursor]
    told = await edit_customer(connection, id_, {"remark": "calls on Mondays"}, agent, now=later(1))
    answers.append(repr(told))
    shown = json.dumps(answers, default=str, ensure_ascii=False)
    assert "陈静" in shown
    for hidden in (CANARY, "13800138000", "62345678", "138-0013-8000"):
        assert hidden not in shown


async def test_number_behind_the_mask_stays_in_the_server(connection: AsyncConnection) -> None:
    await add_chen(connection)
    agent = await viewer(connection, "limin")
    [file] = await customers_by_phone(connection, "13800138000", agent)
    assert await full_number(connection, file["phones"][0]["id"], agent) == MOBILE


# --- finding --------------------------------------------------------------------------------------


async def test_mobile_is_found_however_it_comes(connection: AsyncConnection) -> None:
    await add_chen(connection)
    root = await viewer(connection, "root")
    for raw in ("13800138000", "+86 138 0013 8000", "013800138000", "9138001380 00", PREFIXED):
        found = await customers_by_phone(connection, raw, root)
        assert [file["name"] for file in found] == ["陈静"], raw


async def test_landline_is_found_with_and_without_its_area_code(
    connection: AsyncConnection,
) -> None:
    await add(connection, name="With", phones=["010-62345678"])
    await add(connection, name="Without", phones=["62340000"])
    await add(connection, name="Mobile", phones=["13862345678"])
    root = await viewer(connection, "root")
    for raw, name in (
        ("62345678", "With"),
        ("01062345678", "With"),
        ("62340000", "Without"),
        ("01062340000", "Without"),
    ):
        found = await customers_by_phone(connection, raw, root)
        assert [file["name"] for file in found] == [name], raw


async def test_shared_number_gives_at_most_five_customers(connection: AsyncConnection) -> None:
    for nth in range(7):
        await add(connection, name=f"Shared {nth}", phones=["400-123-4567"])
    found = await customers_by_phone(connection, "4001234567", await viewer(connection, "root"))
    assert [file["name"] for file in found] == [f"Shared {nth}" for nth in range(5)]


async def test_hidden_and_unknown_numbers_find_nobody(connection: AsyncConnection) -> None:
    await add_chen(connection)
    root = await viewer(connection, "root")
    for raw in ("anonymous", "", "abc", "13900000000"):
        assert await customers_by_phone(connection, raw, root) == (), raw


async def test_search_finds_by_part_of_the_name_and_by_last_four(
    connection: AsyncConnection,
) -> None:
    await add_chen(connection)
    await add(connection, name="Chen 100%", phones=["13900001111"])
    assert await names(connection, "静", "limin") == ["陈静"]
    assert await names(connection, "chen", "limin") == ["Chen 100%"]
    assert await names(connection, "8000", "limin") == ["陈静"]
    assert await names(connection, "138 0013 8000", "limin") == ["陈静"]
    assert await names(connection, "62345678", "limin") == ["陈静"]
    assert await names(connection, "0%", "limin") == ["Chen 100%"]
    assert await names(connection, "_", "limin") == []


async def test_who_sees_masks_cannot_guess_the_middle_digit_by_digit(
    connection: AsyncConnection,
) -> None:
    await add_chen(connection)
    for part in ("13800138", "1380013800", "38000", "138000", "0138000", "00138000", "+8613800"):
        assert await names(connection, part, "limin") == [], part


async def test_who_sees_numbers_finds_by_any_end_of_them(connection: AsyncConnection) -> None:
    await add_chen(connection)
    for part in ("13800138", "138 0013", "38000", "138000"):
        assert await names(connection, part, "wangfang") == ["陈静"], part


async def test_pages_list_everybody_once_in_order_of_name(connection: AsyncConnection) -> None:
    for nth in range(7):
        await add(connection, name=f"Same {nth % 2}", phones=[f"1390000000{nth}"])
    agent, cursor, seen = await viewer(connection, "limin"), None, []
    while True:
        page = await search(connection, "same", agent, limit=3, cursor=cursor)
        seen += [item["id"] for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7


async def test_foreign_cursor_is_refused(connection: AsyncConnection) -> None:
    agent = await viewer(connection, "limin")
    for cursor in ("", "0", "-1", "x", "9" * 30, "1 or 1=1", "１", *HOSTILE):
        with pytest.raises(Invalid):
            await search(connection, "", agent, cursor=cursor)


# --- writing --------------------------------------------------------------------------------------


async def test_edit_tells_only_of_a_difference(connection: AsyncConnection) -> None:
    id_ = await add_chen(connection)
    agent = await viewer(connection, "limin")
    assert await edit_customer(connection, id_, {"name": "陈静"}, agent, now=later(1)) is None
    told = await edit_customer(connection, id_, {"name": "陈晶"}, agent, now=later(2))
    assert told is not None
    assert told.customer == id_
    assert (await customer(connection, id_, agent) or {})["name"] == "陈晶"


async def test_audit_names_the_fields_and_not_what_stood_in_them(
    connection: AsyncConnection,
) -> None:
    id_ = await add_chen(connection)
    root = await viewer(connection, "root")
    await edit_customer(connection, id_, {"fields": {"secret": "new"}}, root, now=later(1))
    entry = (
        await connection.execute(select(AuditEntry).where(AuditEntry.act == "customer.edit"))
    ).one()
    assert (entry.actor, entry.subject, entry.detail) == ("root", str(id_), {"fields": ["secret"]})


async def test_masked_number_in_a_form_stands_for_the_stored_one(
    connection: AsyncConnection,
) -> None:
    id_ = await add_chen(connection)
    agent = await viewer(connection, "limin")
    phones = ["138 **** 8000", "010****5678", "139 0000 1111"]
    await edit_customer(connection, id_, {"phones": phones}, agent, now=later(1))
    numbers = select(PhoneNumber.number).order_by(PhoneNumber.ordinal)
    assert list(await connection.scalars(numbers)) == [MOBILE, LANDLINE, "+8613900001111"]


async def test_second_of_two_editors_is_told_and_changes_nothing(
    connection: AsyncConnection,
) -> None:
    id_ = await add_chen(connection)
    agent = await viewer(connection, "limin")
    seen = (await customer(connection, id_, agent) or {})["changed_at"]
    await edit_customer(connection, id_, {"name": "陈晶"}, agent, now=later(1), seen=seen)
    with pytest.raises(Conflict):
        await edit_customer(connection, id_, {"remark": "x"}, agent, now=later(2), seen=seen)
    file = await customer(connection, id_, agent) or {}
    assert (file["name"], file["remark"]) == ("陈晶", "")
    await edit_customer(
        connection, id_, {"remark": "x"}, agent, now=later(3), seen=file["changed_at"]
    )


async def test_number_is_invalid_since_it_was_first_said(connection: AsyncConnection) -> None:
    id_ = await add_chen(connection)
    root = await viewer(connection, "root")

    async def say(seconds: float, **more: Any) -> tuple[Any, ...]:
        phones = [{"number": MOBILE, **more}, {"number": LANDLINE, "contact": "李经理"}]
        await edit_customer(connection, id_, {"phones": phones}, root, now=later(seconds))
        asked = select(PhoneNumber.invalid_at).order_by(PhoneNumber.ordinal)
        return tuple(await connection.scalars(asked))

    assert await say(1, invalid=True) == (later(1), None)
    assert await say(2, invalid=True, contact="王") == (later(1), None)
    assert await say(3) == (later(1), None)
    file = await customer(connection, id_, root) or {}
    assert [one["invalid"] for one in file["phones"]] == [True, False]
    assert await say(4, invalid=False) == (None, None)
    with pytest.raises(Invalid, match="true or false"):
        await say(5, invalid="yes")


async def test_contact_who_goes_leaves_the_number(connection: AsyncConnection) -> None:
    id_ = await add_chen(connection)
    root = await viewer(connection, "root")
    await edit_customer(connection, id_, {"contacts": []}, root, now=later(1))
    file = await customer(connection, id_, root)
    assert file is not None
    assert file["contacts"] == []
    assert [(one["number"], one["contact"]) for one in file["phones"]] == [
        (MOBILE, None),
        (LANDLINE, None),
    ]


async def test_field_that_may_not_be_written_is_refused(connection: AsyncConnection) -> None:
    id_ = await add_chen(connection)
    agent = await viewer(connection, "limin")
    with pytest.raises(NotAllowed, match="secret"):
        await edit_customer(connection, id_, {"fields": {"secret": "x"}}, agent, now=T0)
    with pytest.raises(Invalid, match="no field 'owner'"):
        await edit_customer(connection, id_, {"owner": "me"}, agent, now=T0)
    with pytest.raises(Invalid, match="no field 'secret'"):
        await edit_customer(connection, id_, {"secret": "x"}, agent, now=T0)


async def test_no_such_customer(connection: AsyncConnection) -> None:
    root = await viewer(connection, "root")
    for id_ in (0, -1, 999, 2**31, 2**70):
        assert await customer(connection, id_, root) is None
        with pytest.raises(NotFound):
            await edit_customer(connection, id_, {"name": "x"}, root, now=T0)


async def test_wrong_values_are_refused_with_a_sentence(connection: AsyncConnection) -> None:
    root = await viewer(connection, "root")
    wrong: list[dict[str, Any]] = [
        {},
        {"name": " "},
        {"name": 7},
        {"name": "x" * 129},
        {"name": "x", "phones": "138"},
        {"name": "x", "phones": ["anonymous"]},
        {"name": "x", "phones": ["138****8000"]},
        {"name": "x", "phones": [None]},
        {"name": "x", "phones": ["13800138000"] * 21},
        {"name": "x", "contacts": [{"name": ""}]},
        {"name": "x", "fields": []},
        {"name": "x", "fields": {"nobody": 1}},
    ]
    for values in wrong:
        with pytest.raises(Invalid, match=r"\w"):
            await create_customer(connection, values, root, now=T0)


# --- hostile text ---------------------------------------------------------------------------------


async def test_hostile_text_is_kept_as_text_and_finds_only_itself(
    connection: AsyncConnection,
) -> None:
    id_ = await add_chen(connection)
    root = await viewer(connection, "root")
    for text in HOSTILE:
        if len(text) > 10_000:
            with pytest.raises(Invalid):
                await edit_customer(connection, id_, {"remark": text}, root, now=T0)
        else:
            await edit_customer(connection, id_, {"remark": text}, root, now=T0)
        await edit_customer(connection, id_, {"name": text[:60]}, root, now=T0)
        await search(connection, text, root)
        assert await customers_by_phone(connection, text, root) == ()
        assert await names(connection, f"{text}nobody", "root") == []
        assert await connection.scalar(select(func.count()).select_from(Customer)) == 1
