"""What the screen pop needs of the database, on the shortest way there (design 13).

The customer's file, the last contacts and the repeat flag, read on connections of their own. SQLite
is read in the event loop, the one place where blocking is allowed: a file with five noted contacts
among 100,000 calls and 20,000 customers takes 100 µs (p50; 190 p99), a new number 30, the detour
through a thread alone 600. PostgreSQL answers one prepared statement over asyncpg (360 µs). The
questions are written by hand; a test holds them against those of `call_log.queries`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson

from crm_core.call_log.details import DispositionLabel, LastContact, Repeat
from crm_core.errors import Unavailable
from crm_core.events import Direction, Outcome
from crm_core.ids import CallId, CustomerId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PopContact:
    """A person at the customer, with the numbers that are that person's."""

    name: str
    position: str
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PopCustomer:
    """A customer's file as it is stored; `visible(record, viewer)` still has to pass over it."""

    id: CustomerId
    name: str
    grade: str
    company: str
    address: str
    remark: str
    fields: dict[str, Any]
    contacts: tuple[PopContact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PopFile:
    """All that is known about a number. Several customers may share it: at most five."""

    customers: tuple[PopCustomer, ...] = ()
    last_contacts: tuple[LastContact, ...] = ()
    repeat: Repeat | None = None


class PopQuery(Protocol):
    """The pop path's question. Raises `Unavailable`, quickly, when the database cannot be read."""

    async def pop_file(
        self,
        number: str | None,
        project_id: int | None,
        now: datetime,
        call: CallId | None = None,
    ) -> PopFile:
        """The file of a number, normalised; None (withheld) has an empty one.

        `now` is when the call first entered a queue. `call` itself is no former contact.
        """

    async def close(self) -> None: ...


def pop_query_of(url: str) -> PopQuery:
    """The pop query for `ZUOXI_DATABASE_URL`. Connects when it is first asked."""
    if url.startswith("sqlite:///"):
        return SqlitePopQuery(url.removeprefix("sqlite:///"))
    return PostgresPopQuery(url)


# --- the questions; {number}, {now} and the like are parameters, written as each driver has them ----

CUSTOMERS = """
SELECT c.id, c.name, c.grade, c.company, c.address, c.remark, c.fields
FROM phone_numbers p JOIN customers c ON c.id = p.customer_id
WHERE p.number = {number} ORDER BY c.id LIMIT 5
"""

CONTACTS = """
SELECT k.customer_id, k.id, k.name, k.position, n.number
FROM contacts k
LEFT JOIN phone_numbers n ON n.customer_id = k.customer_id AND n.contact_id = k.id
WHERE k.customer_id IN (
  SELECT customer_id FROM phone_numbers WHERE number = {number} ORDER BY customer_id LIMIT 5)
ORDER BY k.id, n.ordinal, n.id LIMIT 50
"""

CONTACT_COLUMNS = """
SELECT k.call_id, {started_us} AS started, k.direction, k.answered_at IS NOT NULL AS answered,
  k.outcome, k.agent_number, coalesce(u.full_name, k.member_name) AS agent, k.talk_seconds,
  d.key, d.label_zh, d.label_en, substr(r.note, 1, 200) AS note
"""

CONTACT_JOINS = """
LEFT JOIN users u ON u.id = k.user_id
LEFT JOIN contact_records r ON r.id = (
  SELECT id FROM contact_records WHERE call_id = k.call_id ORDER BY saved_at DESC LIMIT 1)
LEFT JOIN dispositions d ON d.id = r.disposition_id
"""

EARLIER = """
k.started_at < {now} AND k.call_id <> {call} ORDER BY k.started_at DESC LIMIT 5
"""

OF_NUMBER = f"WHERE k.customer_number = {{number}} AND {EARLIER}"

OF_CUSTOMER = f"WHERE k.customer_id = {{customer}} AND {EARLIER}"

# F01: the latest answer before this entry, at most 120 minutes old; charged to who talked last.
REPEAT = """
SELECT k.call_id, {answered_us} AS answered,
  coalesce(q.agent_number, k.agent_number) AS agent_number,
  coalesce(v.full_name, q.member_name, u.full_name, k.member_name) AS agent
FROM calls k
LEFT JOIN users u ON u.id = k.user_id
LEFT JOIN queue_passes q ON q.call_id = k.call_id AND q.answered_at < {now}
LEFT JOIN users v ON v.id = q.user_id
WHERE k.project_id = {project} AND k.customer_number = {number}
  AND k.answered_at < {now} AND k.answered_at >= {since}
  AND k.direction = 'inbound' AND k.call_id <> {call}
ORDER BY k.answered_at DESC, k.call_id DESC, q.answered_at DESC LIMIT 1
"""

WITHIN = timedelta(minutes=120)


class SqlitePopQuery:
    """Reads on one connection, in the loop."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    async def pop_file(
        self,
        number: str | None,
        project_id: int | None,
        now: datetime,
        call: CallId | None = None,
    ) -> PopFile:
        if number is None:
            return PopFile()
        asked = {
            "number": number,
            "project": project_id,
            "now": _microseconds(now),
            "since": _microseconds(now - WITHIN),
            "call": call or "",
        }
        try:
            execute = (self._connection or self._connect()).execute
            # sqlite3 in the event loop: see the first lines of this file
            customers = execute(_SQLITE_CUSTOMERS, asked).fetchall()
            contacts = execute(_SQLITE_CONTACTS, asked).fetchall() if customers else []
            last = execute(_SQLITE_OF_NUMBER, asked).fetchall()
            if len(customers) == 1:
                asked["customer"] = customers[0][0]
                last = self._and_of_customer(last, asked)
            repeat = execute(_SQLITE_REPEAT, asked).fetchone() if project_id is not None else None
        except sqlite3.Error as wrong:
            await self.close()
            raise Unavailable(f"the database cannot be read: {wrong}") from None
        parsed = [(*row[:6], orjson.loads(row[6])) for row in customers]
        return _pop_file(parsed, contacts, last, repeat)

    def _and_of_customer(self, last: list[Columns], asked: dict[str, Any]) -> list[Columns]:
        """Calls from the customer's other phones too. Mostly there are none, and the ids say so."""
        assert self._connection is not None
        known = {row[0] for row in last}
        ids = self._connection.execute(_SQLITE_IDS_OF_CUSTOMER, asked).fetchall()
        if all(call in known for (call,) in ids):
            return last
        others = self._connection.execute(_SQLITE_OF_CUSTOMER, asked).fetchall()
        both = {row[0]: row for row in (*last, *others)}.values()
        return sorted(both, key=_newest_first)[:5]

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a missing file is an error, not a new database. A reader of WAL never waits long.
        connection = sqlite3.connect(
            f"file:{self._path}?mode=rw", uri=True, isolation_level=None, timeout=0.1
        )
        connection.execute("PRAGMA query_only=ON")
        self._connection = connection
        return connection

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresPopQuery:
    """One prepared statement, in autocommit, on up to four kept connections."""

    CONNECTIONS = 4
    CONNECT_SECONDS = 1.0
    ANSWER_SECONDS = 1.0

    def __init__(self, url: str, *, away_seconds: float = 1.0) -> None:
        """After a failure nobody tries for `away_seconds`: pops go on without a file, at once."""
        self._url = url
        self._away_seconds = away_seconds
        self._free: list[Any] = []
        self._turns = asyncio.Semaphore(self.CONNECTIONS)
        self._away_until = 0.0

    async def pop_file(
        self,
        number: str | None,
        project_id: int | None,
        now: datetime,
        call: CallId | None = None,
    ) -> PopFile:
        if number is None:
            return PopFile()
        if time.monotonic() < self._away_until:
            raise Unavailable("the database cannot be reached")
        async with self._turns:
            row = await self._ask(number, project_id, now, now - WITHIN, call or "")
        customers, contacts, last, repeats = (orjson.loads(column) for column in row)
        return _pop_file(
            [tuple(each.values()) for each in customers],
            [tuple(each.values()) for each in contacts],
            [tuple(each.values()) for each in last],
            tuple(repeats[0].values()) if repeats else None,
        )

    async def _ask(self, *asked: Any) -> Sequence[str]:
        import asyncpg  # type: ignore[import-untyped]

        try:
            connection = self._free.pop() if self._free else await self._connect()
            try:
                row: Sequence[str] = await connection.fetchrow(_POSTGRES, *asked)
            except BaseException:
                connection.terminate()
                raise
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            # a server that dies at the wrong moment leaves asyncpg's own state in disorder
            asyncpg.InternalClientError,
        ) as wrong:
            self._away_until = time.monotonic() + self._away_seconds
            raise Unavailable(f"the database cannot be read: {wrong}") from None
        self._free.append(connection)
        return row

    async def _connect(self) -> Any:
        import asyncpg

        return await asyncpg.connect(
            self._url, timeout=self.CONNECT_SECONDS, command_timeout=self.ANSWER_SECONDS
        )

    async def close(self) -> None:
        while self._free:
            await self._free.pop().close()


# --- rows as a file -------------------------------------------------------------------------------

Columns = Sequence[Any]


def _pop_file(
    customers: Iterable[Columns],
    contacts: Iterable[Columns],
    last: Iterable[Columns],
    repeat: Columns | None,
) -> PopFile:
    people = _people(contacts)
    return PopFile(
        customers=tuple(_customer(row, people) for row in customers),
        last_contacts=tuple(_contact(row) for row in last),
        repeat=_repeat(repeat) if repeat is not None else None,
    )


def _people(rows: Iterable[Columns]) -> Mapping[int, Mapping[int, PopContact]]:
    """Customer → contact's id → contact; a row is one number of a contact, or none."""
    found: dict[int, dict[int, PopContact]] = {}
    for customer, contact, name, position, number in rows:
        mine = found.setdefault(customer, {})
        former = mine[contact].numbers if contact in mine else ()
        numbers = former if number is None else (*former, number)
        mine[contact] = PopContact(name=name, position=position, numbers=numbers)
    return found


def _customer(row: Columns, people: Mapping[int, Mapping[int, PopContact]]) -> PopCustomer:
    customer, name, grade, company, address, remark, fields = row
    return PopCustomer(
        id=CustomerId(customer),
        name=name,
        grade=grade,
        company=company,
        address=address,
        remark=remark,
        fields=fields,
        contacts=tuple(people[customer].values()) if customer in people else (),
    )


def _contact(row: Columns) -> LastContact:
    call, started, direction, answered, outcome, number, agent, talk, key, zh, en, note = row
    return LastContact(
        call_id=call,
        started_at=_instant(started),
        direction=Direction(direction),
        answered=bool(answered),
        outcome=Outcome(outcome) if outcome else None,
        agent_number=number,
        agent_name=agent,
        talk_seconds=talk,
        disposition=DispositionLabel(key=key, zh=zh, en=en) if key else None,
        note=note or "",
    )


def _repeat(row: Columns) -> Repeat:
    call, answered, number, agent = row
    return Repeat(
        call_id=call, answered_at=_instant(answered), agent_number=number, agent_name=agent
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _newest_first(row: Columns) -> int:
    return -int(row[1])


def _for_sqlite(question: str) -> str:
    names = ("number", "customer", "project", "now", "since", "call")
    return question.format(
        **{name: f":{name}" for name in names},
        started_us="k.started_at",
        answered_us="k.answered_at",
    )


_SQLITE_CUSTOMERS = _for_sqlite(CUSTOMERS)
_SQLITE_CONTACTS = _for_sqlite(CONTACTS)
_SQLITE_OF_NUMBER = _for_sqlite(f"{CONTACT_COLUMNS} FROM calls k {CONTACT_JOINS} {OF_NUMBER}")
_SQLITE_OF_CUSTOMER = _for_sqlite(f"{CONTACT_COLUMNS} FROM calls k {CONTACT_JOINS} {OF_CUSTOMER}")
_SQLITE_IDS_OF_CUSTOMER = _for_sqlite(f"SELECT k.call_id FROM calls k {OF_CUSTOMER}")
_SQLITE_REPEAT = _for_sqlite(REPEAT)

# The same in one round trip: the customer is found by the statement itself.
ONLY_CUSTOMER = """
(SELECT CASE WHEN count(*) = 1 THEN max(customer_id) END
 FROM phone_numbers WHERE number = {number})
"""

LAST_CONTACTS = f"""
{CONTACT_COLUMNS}
FROM (
  (SELECT k.call_id FROM calls k {OF_NUMBER})
  UNION
  (SELECT k.call_id FROM calls k {OF_CUSTOMER.replace("{customer}", ONLY_CUSTOMER)})
) found
JOIN calls k ON k.call_id = found.call_id
{CONTACT_JOINS}
ORDER BY k.started_at DESC LIMIT 5
"""


def _for_postgres() -> str:
    """Each question's answer as a JSON list of objects, their keys in the order of the columns."""
    parts = [
        f"(SELECT coalesce(json_agg(part), '[]') FROM ({question}) part)"
        for question in (CUSTOMERS, CONTACTS, LAST_CONTACTS, REPEAT)
    ]
    return f"SELECT {', '.join(parts)}".format(
        number="$1::text",
        project="$2::integer",
        now="$3::timestamptz",
        since="$4::timestamptz",
        call="$5::text",
        started_us="(extract(epoch FROM k.started_at) * 1000000)::bigint",
        answered_us="(extract(epoch FROM k.answered_at) * 1000000)::bigint",
    )


_POSTGRES = _for_postgres()
