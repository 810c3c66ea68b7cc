"""The centre that is measured: a thousand agents signed in, a thousand customers with five calls each.

Written straight into the tables: a thousand sign-ins would measure argon2id and the login throttle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import Token, User, UserQueue, UserRole
from crm_core.access.roles import role_ids
from crm_core.access.sessions import hash_of
from crm_core.access.tokens import PREFIX
from crm_core.call_log.models import Call
from crm_core.centre.models import Hotline, Project, Queue, Seat, SeatHolding, Team
from crm_core.customers.models import Customer, PhoneNumber
from crm_core.customers.phone_numbers import normalise
from crm_core.db import Table, engine_of, transaction
from crm_core.migrations import upgrade
from crm_core.wrap_up.models import ContactRecord, Disposition
from tests.bench.traffic import CUSTOMERS, Agent, customer_number

PBX = "bench"
AGENTS = 1_000
AGENTS_OF_A_QUEUE = 50
CALLS_EACH = 5
LAST_CALL_AGO = timedelta(minutes=30)
"""Every customer was served half an hour ago: each call of one is a repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """Where it lies, and what was written: the oracle of every pop."""

    database: Path
    agents: Sequence[Agent]
    tokens: Sequence[str]
    """Of agent n, from 0."""

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"


def former_call(customer: int, nth: int) -> str:
    """The id of the n-th last call of the n-th customer, both from 0."""
    return blake2b(f"bench {customer} {nth}".encode(), digest_size=16).hexdigest()


def agents(count: int = AGENTS) -> list[Agent]:
    """Everybody who takes calls."""
    return [
        Agent(b"%d" % (6000 + n), b"%d" % (1000 + n), b"queue%02d" % (n // AGENTS_OF_A_QUEUE))
        for n in range(count)
    ]


def make(folder: Path, count: int = AGENTS) -> Centre:
    """A fresh one in `folder`, with so many agents."""
    tokens = [f"{PREFIX}bench-{n:04d}-{blake2b(b'%d' % n).hexdigest()[:24]}" for n in range(count)]
    centre = Centre(database=folder / "zuoxi.db", agents=agents(count), tokens=tokens)
    asyncio.run(_fill(centre))
    return centre


async def _fill(centre: Centre) -> None:
    await upgrade(centre.url)
    engine = engine_of(centre.url)
    try:
        async with transaction(engine) as connection:
            now = datetime.now(UTC)
            await _fill_centre(connection, centre, now)
            await _fill_customers(connection, now, len(centre.agents))
    finally:
        await engine.dispose()


async def _fill_centre(connection: AsyncConnection, centre: Centre, now: datetime) -> None:
    role = (await role_ids(connection, ["agent"]))["agent"]
    await _rows(connection, Project, [{"id": 1, "name": "Bench", "is_default": True}])
    await _rows(connection, Team, [{"id": 1, "name": "Bench", "project_id": 1}])
    queues = list(dict.fromkeys(agent.queue.decode() for agent in centre.agents))
    await _rows(
        connection,
        Queue,
        [
            {"id": n + 1, "pbx": PBX, "name": name, "title": f"队列 {n + 1}", "project_id": 1,
             "strategy": "rrmemory", "ring_seconds": 15, "max_wait_seconds": 60,
             "wrap_up_seconds": 0}
            for n, name in enumerate(queues)
        ],
    )  # fmt: skip
    await _rows(
        connection,
        Hotline,
        [
            {"pbx": PBX, "number": f"400{n}", "name": f"热线 {n}", "project_id": 1, "queue_id": n,
             "greeting": "您好，很高兴为您服务"}
            for n in range(1, min(6, len(queues) + 1))
        ],
    )  # fmt: skip
    people, seats, held, tokens = [], [], [], []
    for n, agent in enumerate(centre.agents):
        number, device = agent.number.decode(), f"PJSIP/{agent.extension.decode()}"
        people.append({"id": n + 1, "name": f"agent{number}", "full_name": f"坐席{number}",
                       "agent_number": number, "password_hash": "!", "team_id": 1,
                       "created_at": now})  # fmt: skip
        seats.append({"pbx": PBX, "extension": agent.extension.decode(), "interface": device})
        held.append({"pbx": PBX, "interface": device, "user_id": n + 1, "began_at": now})
        tokens.append({"name": number, "token_hash": hash_of(centre.tokens[n]), "role_id": role,
                       "user_id": n + 1, "created_at": now})  # fmt: skip
    await _rows(connection, User, people)
    everybody = range(len(centre.agents))
    await _rows(connection, UserRole, [{"user_id": n + 1, "role_id": role} for n in everybody])
    await _rows(
        connection,
        UserQueue,
        [{"user_id": n + 1, "queue_id": n // AGENTS_OF_A_QUEUE + 1} for n in everybody],
    )
    await _rows(connection, Seat, seats)
    await _rows(connection, SeatHolding, held)
    await _rows(connection, Token, tokens)


async def _fill_customers(connection: AsyncConnection, now: datetime, agents: int) -> None:
    await _rows(
        connection,
        Disposition,
        [{"id": 1, "project_id": 1, "key": "solved", "label_zh": "已解决", "label_en": "Solved"}],
    )
    people, numbers, calls, notes = [], [], [], []
    for place in range(CUSTOMERS):
        raw = customer_number(place)
        number = normalise(raw, "CN").number
        assert number is not None
        digits = number.lstrip("+")[::-1]
        people.append({"id": place + 1, "name": f"客户{place + 1}", "grade": "A",
                       "company": "某某科技有限公司", "address": "北京市朝阳区某某路 1 号",
                       "remark": "喜欢上午接电话", "fields": {}, "created_at": now,
                       "changed_at": now})  # fmt: skip
        numbers.append({"customer_id": place + 1, "number": number, "digits_reversed": digits,
                        "raw": raw})  # fmt: skip
        for nth in range(CALLS_EACH):
            call, at = former_call(place, nth), now - LAST_CALL_AGO - timedelta(days=nth)
            user = (place + nth) % agents
            calls.append({"call_id": call, "pbx": PBX, "direction": "inbound", "project_id": 1,
                          "called_number": "4001", "caller_number": number,
                          "caller_number_raw": raw, "customer_number": number,
                          "customer_id": place + 1, "started_at": at,
                          "answered_at": at + timedelta(seconds=9),
                          "ended_at": at + timedelta(seconds=99), "outcome": "answered",
                          "talk_seconds": 90, "user_id": user + 1, "agent_number": f"{1000 + user}",
                          "confidence": "complete"})  # fmt: skip
            notes.append({"call_id": call, "user_id": user + 1, "customer_id": place + 1,
                          "note": "询问订单进度，已告知预计到货时间。", "disposition_id": 1,
                          "submitted": True, "saved_at": at})  # fmt: skip
    await _rows(connection, Customer, people)
    await _rows(connection, PhoneNumber, numbers)
    await _rows(connection, Call, calls)
    await _rows(connection, ContactRecord, notes)


async def _rows(
    connection: AsyncConnection, table: type[Table], rows: Sequence[dict[str, Any]]
) -> None:
    await connection.execute(insert(table), list(rows))
