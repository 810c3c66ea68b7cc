"""What the pop's look-up of a caller costs above its database (P15).

The product reads a number as the trunk sends it, normalises it, asks for the customers with it, their
people, the last contacts and the repeat flag, and makes values of the rows. The reference is the bare
driver on a connection of its own to the same file: the same questions, asked with the finished number,
rows fetched and thrown away. Each round asks for every customer twice in a new order; the memory of
numbers that were normalised before is emptied for every pass, so that none is cheaper than the first
call of the day. Each answer is checked: the customer, five last contacts, the repeat.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from crm_core import pop_query
from crm_core.customers import phone_numbers
from crm_core.customers.phone_numbers import normalise
from crm_core.pop_query import WITHIN, PopFile, SqlitePopQuery
from tests.bench.centre import CALLS_EACH, Centre, former_call
from tests.bench.figures import p50
from tests.bench.traffic import CUSTOMERS, customer_number

PROJECT = 1
PASSES = 2
SEED = 20261124


class Lookups:
    """The product's and the driver's, at one database."""

    def __init__(self, centre: Centre) -> None:
        self._query = SqlitePopQuery(str(centre.database))
        self._driver = sqlite3.connect(
            f"file:{centre.database}?mode=rw", uri=True, isolation_level=None
        )
        self._driver.execute("PRAGMA query_only=ON")
        self._now = datetime.now(UTC)
        self._random = random.Random(SEED)
        self._raw = [customer_number(place) for place in range(CUSTOMERS)]
        self._numbers = [normalise(raw).number for raw in self._raw]
        self.wrong: list[str] = []

    def round_of_zuoxi(self) -> float:
        """The median look-up of the product, in seconds."""
        return asyncio.run(self._round_of_zuoxi())

    async def _round_of_zuoxi(self) -> float:
        raw, now, query, taken = self._raw, self._now, self._query, []
        for place in self._order():
            began = time.perf_counter()
            found = await query.pop_file(normalise(raw[place]).number, PROJECT, now)
            taken.append(time.perf_counter() - began)
            self._check(place, found)
        return p50(taken)

    def round_of_driver(self) -> float:
        """The median of the same questions, in seconds."""
        execute, numbers, taken = self._driver.execute, self._numbers, []
        now, since = (pop_query._microseconds(at) for at in (self._now, self._now - WITHIN))
        for place in self._order():
            asked = {"number": numbers[place], "project": PROJECT, "now": now, "since": since}
            asked |= {"call": "", "customer": place + 1}
            began = time.perf_counter()
            for question in _QUESTIONS:
                execute(question, asked).fetchall()
            taken.append(time.perf_counter() - began)
        return p50(taken)

    def close(self) -> None:
        asyncio.run(self._query.close())
        self._driver.close()

    def _order(self) -> Iterator[int]:
        """Every customer, as often as there are passes; at the start of each nothing is remembered."""
        for _ in range(PASSES):
            phone_numbers._normalise.cache_clear()
            yield from self._random.sample(range(CUSTOMERS), CUSTOMERS)

    def _check(self, place: int, found: PopFile) -> None:
        customers = [one.id for one in found.customers]
        contacts = {one.call_id for one in found.last_contacts}
        if customers != [place + 1]:
            self.wrong.append(f"{self._raw[place]} is customer {place + 1}, not {customers}")
        elif contacts != {former_call(place, nth) for nth in range(CALLS_EACH)}:
            self.wrong.append(f"customer {place + 1} has other last contacts")
        elif found.repeat is None or found.repeat.call_id != former_call(place, 0):
            self.wrong.append(f"the call of customer {place + 1} is a repeat")


_QUESTIONS = (
    pop_query._SQLITE_CUSTOMERS,
    pop_query._SQLITE_CONTACTS,
    pop_query._SQLITE_OF_NUMBER,
    pop_query._SQLITE_IDS_OF_CUSTOMER,
    pop_query._SQLITE_REPEAT,
)
"""What `SqlitePopQuery` asks about a customer whom one number leads to."""
