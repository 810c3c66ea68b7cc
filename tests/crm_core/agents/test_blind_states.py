"""Who was paused while AMI was away: `queue_log` says it afterwards, and never what AMI contradicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import User
from crm_core.agents.blind_states import split
from crm_core.agents.members import MemberSpan, changes_between, member_spans
from crm_core.agents.models import AgentStateRow
from crm_core.call_log.writer import CallWriter
from crm_core.centre.holders import HolderBook, Person
from crm_core.db import reading, transaction
from crm_core.events import (
    AgentState,
    AgentStateChanged,
    Event,
    Feed,
    GapRecorded,
    MemberChange,
    MemberTold,
    StateSource,
)
from crm_core.ids import PbxId, UserId
from tests.crm_core.agents.a_floor import at

PBX = PbxId("lab")
LI = UserId(1)
PAUSED, UNPAUSED = MemberChange.PAUSED, MemberChange.UNPAUSED


def told(
    when: float, change: MemberChange, reason: str | None = None, queue: str = "sales"
) -> MemberTold:
    return MemberTold(at=at(when), pbx=PBX, queue=queue, name="1001", change=change, reason=reason)


def gap(begin: float, end: float, feed: Feed = Feed.AMI) -> GapRecorded:
    return GapRecorded(at=at(end), pbx=PBX, began_at=at(begin), boot_changed=False, feed=feed)


def state(when: float, what: AgentState, reason: str | None = None) -> AgentStateChanged:
    return AgentStateChanged(
        at=at(when),
        pbx=PBX,
        user=LI,
        agent_number="1001",
        interface="PJSIP/8001",
        state=what,
        source=StateSource.AGENT,
        reason=reason,
    )


async def written(engine: AsyncEngine, *batches: Sequence[Event]) -> list[tuple[object, ...]]:
    """The states of the agent after these batches, each one transaction."""
    holders = HolderBook()
    holders.know([Person(user_id=LI, name="李敏", agent_number="1001")])
    async with transaction(engine) as connection:
        known = await connection.scalar(select(User.id))
        if known is None:
            await connection.execute(
                insert(User).values(
                    id=LI,
                    name="limin",
                    full_name="李敏",
                    agent_number="1001",
                    password_hash="-",
                    must_change_password=False,
                    created_at=at(0),
                )
            )
    writer = CallWriter(holders, lambda raw: raw)
    for batch in batches:
        async with transaction(engine) as connection:
            await writer.write(connection, batch)
    async with reading(engine) as connection:
        rows = await connection.execute(
            select(
                AgentStateRow.began_at,
                AgentStateRow.ended_at,
                AgentStateRow.state,
                AgentStateRow.source,
            ).order_by(AgentStateRow.began_at)
        )
    return [
        (_second(began), _second(ended) if ended else None, what, source)
        for began, ended, what, source in rows
    ]


def _second(moment: datetime) -> int:
    return int((moment - at(0)).total_seconds())


READY = state(0, AgentState.READY)
SPLIT = [
    (0, 120, "ready", "agent"),
    (120, 180, "paused", "queue_log"),
    (180, 200, "ready", "queue_log"),
    (200, None, "ready", "agent"),
]
FACTS: tuple[Event, ...] = (gap(100, 200), told(120, PAUSED, "lunch"), told(180, UNPAUSED))


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_pause_in_a_gap_is_a_row_of_its_own_in_whatever_order_it_is_told(
    engine: AsyncEngine, order: tuple[int, ...]
) -> None:
    """The tail may be behind AMI or before it; and all of it may be told again."""
    batches = [[FACTS[place]] for place in order]
    assert await written(engine, [READY], *batches) == SPLIT
    assert await written(engine, *batches) == SPLIT


async def test_pause_that_lasts_to_the_end_of_the_gap_ends_where_ami_says_ready(
    engine: AsyncEngine,
) -> None:
    assert await written(engine, [READY], [told(120, PAUSED), gap(100, 200)]) == [
        (0, 120, "ready", "agent"),
        (120, 200, "paused", "queue_log"),
        (200, None, "ready", "agent"),
    ]


async def test_what_ami_tells_after_the_gap_goes_on_from_there(engine: AsyncEngine) -> None:
    found = await written(
        engine,
        [READY],
        [told(120, PAUSED), gap(100, 200)],
        [state(200, AgentState.PAUSED, "outside")],
        [state(300, AgentState.READY)],
    )
    assert found == [
        (0, 120, "ready", "agent"),
        (120, 200, "paused", "queue_log"),
        (200, 300, "paused", "agent"),
        (300, None, "ready", "agent"),
    ]


@pytest.mark.parametrize(
    "batch",
    [
        [told(120, PAUSED)],
        [told(120, PAUSED), gap(130, 200)],
        [told(120, PAUSED), gap(100, 200, Feed.QUEUE_LOG)],
        [told(120, PAUSED, "zx:on_call"), gap(100, 200)],
        [told(120, UNPAUSED), gap(100, 200)],
        [told(120, MemberChange.REMOVED), gap(100, 200)],
    ],
    ids=["no gap", "before it", "of the other feed", "our own", "not paused", "no pause"],
)
async def test_where_ami_listened_or_nothing_changed_the_row_stays(
    engine: AsyncEngine, batch: list[Event]
) -> None:
    assert await written(engine, [READY], batch) == [(0, None, "ready", "agent")]


async def test_agent_who_talked_when_the_gap_began_is_left_alone(engine: AsyncEngine) -> None:
    found = await written(
        engine, [state(0, AgentState.TALKING)], [told(120, PAUSED), gap(100, 200)]
    )
    assert found == [(0, None, "talking", "agent")]


def test_paused_in_one_of_two_queues_is_paused() -> None:
    row = {
        "began_at": at(0),
        "ended_at": None,
        "state": "ready",
        "source": "agent",
        "reason": None,
        "next_state": None,
        "next_reason": None,
        "due_at": None,
    }
    changes = [
        told(110, PAUSED, queue="sales"),
        told(120, PAUSED, queue="night"),
        told(130, UNPAUSED, queue="sales"),
        told(140, UNPAUSED, queue="night"),
    ]

    pieces = split(row, changes, at(100), at(200))

    assert [(each["state"], each["began_at"]) for each in pieces] == [
        ("ready", at(0)),
        ("paused", at(110)),
        ("ready", at(140)),
        ("ready", at(200)),
    ]
    assert split(pieces[1], changes, at(100), at(200)) == []


async def test_site_without_sign_in_has_its_members_by_name(engine: AsyncEngine) -> None:
    changes = [
        told(10, MemberChange.ADDED),
        told(20, PAUSED, "lunch"),
        told(50, UNPAUSED),
        told(60, MemberChange.REMOVED),
        told(70, UNPAUSED, queue="night"),
    ]
    async with transaction(engine) as connection:
        writer = CallWriter(HolderBook(), lambda raw: raw)
        first = await writer.write(connection, changes)
        again = await writer.write(connection, changes)
        kept = await changes_between(connection, PBX, at(0), at(100))

    assert (first.facts, again.facts) == (5, 0)
    span = {"name": "1001", "queue": "sales"}
    assert member_spans(kept) == [
        MemberSpan(what=MemberChange.ADDED, began_at=at(10), ended_at=at(60), **span),
        MemberSpan(what=PAUSED, began_at=at(20), ended_at=at(50), reason="lunch", **span),
        MemberSpan(name="1001", queue="night", what=PAUSED, began_at=None, ended_at=at(70)),
    ]
