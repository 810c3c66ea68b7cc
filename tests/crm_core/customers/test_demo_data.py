"""The demonstration's data: it goes in whole, and who rings is whom the script says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.centre import setup
from crm_core.centre.switch_plan import switch_plan
from crm_core.customers.demo_data import import_demo_customers
from crm_core.customers.models import Customer, PhoneNumber
from crm_core.customers.phone_numbers import normalise
from crm_core.db import reading, transaction
from crm_core.ids import PbxId
from telephony.demo_pbx.callers import OPENING, REGULARS, REPEATER, SHARED, STRANGERS
from tests.crm_core.centre.a_centre import T0

SETUP = Path(setup.__file__).parent / "demo_setup.yaml"


async def prepared(engine: AsyncEngine) -> setup.SetupReport:
    text = SETUP.read_text(encoding="utf-8")
    async with transaction(engine) as connection:
        report = await setup.import_setup(connection, text, now=T0)
    await import_demo_customers(engine, now=T0)
    return report


async def owners(engine: AsyncEngine) -> dict[str, list[str]]:
    """Number (E.164) → the names of who has it."""
    async with reading(engine) as connection:
        rows = await connection.execute(
            select(PhoneNumber.number, Customer.name)
            .join(Customer, Customer.id == PhoneNumber.customer_id)
            .order_by(Customer.id)
        )
        found: dict[str, list[str]] = {}
        for number, name in rows:
            found.setdefault(number, []).append(name)
        return found


async def test_thirty_customers_and_six_people_go_in_whole(engine: AsyncEngine) -> None:
    report = await prepared(engine)
    assert sorted(name for name, _ in report.passwords) == [
        "admin",
        "limin",
        "liuyang",
        "wangfang",
        "zhangwei",
        "zhaolei",
    ]
    again = await import_demo_customers(engine, now=T0)
    assert (again.added, again.changed, again.refused) == (0, 0, ())
    assert (again.unchanged, again.ignored_columns) == (30, ())


async def test_one_number_is_shared_by_two_customers_and_no_other(engine: AsyncEngine) -> None:
    await prepared(engine)
    shared = {number: names for number, names in (await owners(engine)).items() if len(names) > 1}
    assert shared == {normalise(SHARED, "CN").number: ["陈志强", "陈美玲"]}


async def test_callers_are_customers_but_for_the_strangers_and_one_who_hides(
    engine: AsyncEngine,
) -> None:
    await prepared(engine)
    known = await owners(engine)
    ringing = [number for number, _ in OPENING] + list(REGULARS)
    unknown = {
        number for number in ringing if number and normalise(number, "CN").number not in known
    }
    assert unknown == set(STRANGERS)
    assert Counter(ringing)[None] == 1
    assert Counter(ringing)[REPEATER] == 2


async def test_every_hotline_that_is_rung_leads_to_a_queue_of_the_demonstration(
    engine: AsyncEngine,
) -> None:
    await prepared(engine)
    async with reading(engine) as connection:
        plan = await switch_plan(connection, PbxId("demo"))
    hotlines = {hotline.number: hotline.queue for hotline in plan.hotlines}
    assert {hotlines[called] for _, called in OPENING} == {"shouhou", "vip"}
    assert [seat.interface for seat in plan.seats] == [f"PJSIP/800{n}" for n in (1, 2, 3, 4)]
