"""The demonstration's customers: a file as any centre imports it, and one thing no file can say.

Rows that share a number are one customer to the import. Two colleagues behind one switchboard number
are made so afterwards, as an agent would do by editing a file.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.customers.edit import change_customer
from crm_core.customers.import_customers import ImportReport, import_customers
from crm_core.customers.models import Customer
from crm_core.customers.queries import records
from crm_core.customers.values import phone_values
from crm_core.db import transaction

CUSTOMERS = Path(__file__).parent / "demo_customers.csv"
SHARING = ("陈美玲", "02188880003")
"""Who has a number as well that is another one's already."""


async def import_demo_customers(engine: AsyncEngine, *, now: datetime) -> ImportReport:
    """Doing it again changes nothing."""
    with CUSTOMERS.open("rb") as file:
        report = await import_customers(
            engine, file, file_name=CUSTOMERS.name, now=now, actor="demo"
        )
    name, number = SHARING
    async with transaction(engine) as connection:
        [customer_id] = await connection.scalars(
            select(Customer.id).where(Customer.name == name).order_by(Customer.id).limit(1)
        )
        present = (await records(connection, [customer_id]))[customer_id]
        kept = [{"id": one["id"]} for one in present["phones"]]
        phones = phone_values([*kept, number], "CN", present["phones"])
        await change_customer(connection, present, {}, {}, phones, None, now=now)
    return report
