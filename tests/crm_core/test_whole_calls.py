"""Calls that were joined, transferred and held: one row, whatever order and batches their facts come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core import codec
from crm_core.access.models import User
from crm_core.call_log.facts import Facts
from crm_core.call_log.joining import oldest, whole
from crm_core.call_log.models import Call, CallAlias, Leg, QueuePass, Transfer
from crm_core.call_log.queries import call as read_call
from crm_core.call_log.queries import timeline_of
from crm_core.call_log.timeline import record
from crm_core.db import reading, transaction
from crm_core.events import (
    CallEvent,
    CallJoined,
    CallOffered,
    LegStarted,
    OfferEnded,
    TimelineEvent,
)
from crm_core.ids import CallId, PbxId
from crm_core.wrap_up.models import ContactRecord
from telephony.calls.replay import facts_of
from telephony.service import OUR_CONTEXTS
from tests.crm_core.test_recorder import a_recorder, emptied, rows_in
from tests.golden import chunks_of

JOINED = ("attended_by_refer", "blonde_by_refer", "blonde_comes_back")


def facts_told(story: str) -> list[TimelineEvent]:
    told = facts_of(PbxId("lab"), chunks_of(story), OUR_CONTEXTS)
    return [fact for fact in told if isinstance(fact, CallEvent)]  # type: ignore[misc]


def the_join(facts: list[TimelineEvent]) -> CallJoined:
    return next(fact for fact in facts if isinstance(fact, CallJoined))


async def test_two_calls_that_were_joined_are_one_and_both_names_answer(
    engine: AsyncEngine,
) -> None:
    facts = facts_told("attended_by_refer")
    join = the_join(facts)
    async with a_recorder(engine) as running:
        await running.record(facts)

    async with reading(engine) as connection:
        (row,) = (await connection.execute(select(Call.__table__))).all()
        assert (row.call_id, row.direction, row.interface) == (
            join.call,
            "inbound",
            "PJSIP/8101",
        )
        by_name = await read_call(connection, join.call)
        assert by_name is not None
        assert by_name == await read_call(connection, join.other)
        assert by_name.aliases == (join.other,)
        assert [len(by_name.legs), len(by_name.attempts)] == [4, 1]
        (sent,) = by_name.transfers
        assert (sent.kind, sent.dialled, sent.result) == ("attended", "8101", "succeeded")
        assert {fact.call for fact in await timeline_of(connection, join.call)} == {
            join.call,
            join.other,
        }


async def test_a_note_about_the_consultation_belongs_to_the_call_it_became_a_part_of(
    engine: AsyncEngine,
) -> None:
    facts = facts_told("attended_by_refer")
    join = the_join(facts)
    now = datetime.now(UTC)
    async with transaction(engine) as connection:
        person = {"full_name": "-", "password_hash": "-", "created_at": now}
        for number in (1, 2):
            values = {"id": number, "name": f"n{number}", **person}
            await connection.execute(insert(User.__table__).values(values))
        for call, user in ((join.other, 1), (join.other, 2), (join.call, 2)):
            await connection.execute(
                insert(ContactRecord.__table__).values(call_id=call, user_id=user, saved_at=now)
            )
    async with a_recorder(engine) as running:
        await running.record(facts)

    async with reading(engine) as connection:
        rows = await connection.execute(select(ContactRecord.call_id, ContactRecord.user_id))
        # Who wrote about both keeps both.
        assert sorted(map(tuple, rows)) == sorted([(join.call, 1), (join.call, 2), (join.other, 2)])


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
async def test_neither_order_nor_batches_nor_a_restart_change_a_row(
    engine: AsyncEngine, data: st.DataObject
) -> None:
    facts = facts_told(data.draw(st.sampled_from(JOINED), "story"))
    await emptied(engine)
    async with a_recorder(engine) as running:
        await running.record(facts)
    expected = await rows_in(engine)
    await emptied(engine)
    rest = data.draw(st.permutations([*facts, *facts[::3]]), "order")
    while rest:
        size = data.draw(st.integers(1, len(rest)), "batch")
        async with a_recorder(engine) as running:  # each batch by a process that remembers nothing
            await running.record(rest[:size])
            rest = rest[size:]
            if rest:
                await running.record(rest[:1])
                rest = rest[1:]

    assert await rows_in(engine) == expected


async def test_a_part_of_a_call_has_no_rows_of_its_own(engine: AsyncEngine) -> None:
    facts = facts_told("blonde_by_refer")
    join = the_join(facts)
    async with a_recorder(engine) as running:
        for fact in facts:
            await running.record([fact])

    async with reading(engine) as connection:
        for table in (Call, QueuePass, Leg, Transfer):
            calls = set(await connection.scalars(select(table.call_id)))
            assert calls == {join.call}, table
        assert (await connection.execute(select(CallAlias.__table__))).all() == [
            (join.other, join.call)
        ]


def test_a_phone_that_rang_on_for_the_older_call_rang_once() -> None:
    facts = facts_told("blonde_by_refer")
    join = the_join(facts)
    timelines: dict[CallId, list[TimelineEvent]] = {}
    for fact in facts:
        timelines.setdefault(fact.call, []).append(fact)
    rang_at = min(f.at for f in timelines[join.other] if isinstance(f, CallOffered))

    (found,) = whole(timelines).values()
    (ring,) = record(found).attempts
    offered = {fact.attempt for fact in found if isinstance(fact, CallOffered)}
    assert {fact.attempt for fact in found if isinstance(fact, OfferEnded)} <= offered

    assert (ring.offered_at, ring.result) == (rang_at, "answered")
    assert ring.ended_at is not None
    assert ring.ended_at - ring.offered_at > timedelta(seconds=2)


def test_facts_of_one_moment_stand_in_one_order_read_again_or_not() -> None:
    """A moment that was read from the database names its time zone otherwise."""
    facts = [fact for fact in facts_told("attended_by_refer") if isinstance(fact, LegStarted)]
    one, two = (replace(fact, at=facts[0].at) for fact in facts[:2])
    again = codec.from_json(orjson.loads(codec.to_text(two)))
    assert isinstance(again, LegStarted)

    assert Facts([one, two]).all == Facts([one, again]).all == Facts([again, one]).all


def test_a_chain_of_joins_ends_at_the_oldest_even_if_somebody_told_a_circle() -> None:
    a, b, c = (CallId(name * 32) for name in "abc")

    assert oldest(c, {c: b, b: a}) == a
    assert oldest(c, {c: b, b: c}) in (b, c)
