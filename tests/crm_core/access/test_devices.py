"""Taking a seat and giving it back: one holder a phone, one phone a person, and the past is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.devices import free_seats, give_back, holding_of, signed_in, take_seat
from crm_core.access.models import AuditEntry, User
from crm_core.access.users import disable
from crm_core.centre.models import SeatHolding
from crm_core.centre.queries import holdings
from crm_core.db import transaction
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm_core.events import AgentSignedIn
from tests.crm_core.centre.a_centre import PBX, T0, build, later, viewer
from tests.crm_core.customers.hostile import HOSTILE


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    await build(engine)
    async with transaction(engine) as connection:
        yield connection


async def take(connection: AsyncConnection, name: str, extension: str, at: float) -> AgentSignedIn:
    who = await viewer(connection, name)
    return (await take_seat(connection, who, pbx=PBX, extension=extension, now=later(at))).taken


async def test_who_takes_a_seat_belongs_to_the_own_queues(connection: AsyncConnection) -> None:
    zhao = await viewer(connection, "zhao")
    assert zhao.user_id is not None
    taken = await take(connection, "zhao", "8002", 0)
    assert taken == AgentSignedIn(
        at=T0,
        pbx=PBX,
        user=zhao.user_id,
        agent_number="1002",
        name="赵强",
        interface="PJSIP/8002",
        queues=("members", "support"),
    )
    held = await holding_of(connection, zhao.user_id)
    assert held is not None
    assert (held.interface, held.extension, held.began_at) == ("PJSIP/8002", "8002", T0)
    [event] = await signed_in(connection, at=later(60))
    assert (event.interface, event.queues, event.at) == (taken.interface, taken.queues, later(60))


async def test_own_usual_seat_comes_first_and_taken_ones_do_not_come(
    connection: AsyncConnection,
) -> None:
    limin, zhao = await viewer(connection, "limin"), await viewer(connection, "zhao")
    seats = await free_seats(connection, limin, PBX)
    assert [(seat.extension, seat.usual) for seat in seats] == [("8001", True), ("8002", False)]
    await take(connection, "limin", "8001", 0)
    assert [seat.extension for seat in await free_seats(connection, zhao, PBX)] == ["8002"]
    assert len(await free_seats(connection, limin, PBX)) == 2


async def test_held_seat_is_refused_with_who_and_since_when(connection: AsyncConnection) -> None:
    await take(connection, "limin", "8001", 0)
    with pytest.raises(Conflict, match=r"李敏 \(1001\) is signed in there since 2026-11-24 02:00"):
        await take(connection, "zhao", "8001", 60)


async def test_taking_it_again_is_taking_it_once(connection: AsyncConnection) -> None:
    first = await take(connection, "limin", "8001", 0)
    assert await take(connection, "limin", "8001", 60) == first
    assert await connection.scalar(select(func.count()).select_from(SeatHolding)) == 1


async def test_older_holding_elsewhere_ends(connection: AsyncConnection) -> None:
    limin = await viewer(connection, "limin")
    await take(connection, "limin", "8001", 0)
    moved = await take_seat(connection, limin, pbx=PBX, extension="8002", now=later(60))
    [left] = moved.left
    assert (left.interface, left.at) == ("PJSIP/8001", later(60))
    past = [(interface, one.ended_at) for _pbx, interface, one in await holdings(connection)]
    assert past == [("PJSIP/8001", later(60)), ("PJSIP/8002", None)]
    recent = await holdings(connection, since=later(61))
    assert [interface for _pbx, interface, _one in recent] == ["PJSIP/8002"]


async def test_seat_that_somebody_forgot_to_give_back_is_taken_over_from_that_person_only(
    connection: AsyncConnection,
) -> None:
    limin, zhao = await viewer(connection, "limin"), await viewer(connection, "zhao")
    await take(connection, "limin", "8001", 0)
    await take(connection, "zhao", "8002", 5)
    for named in (None, zhao.user_id, 999):
        with pytest.raises(Conflict, match="李敏"):
            await take_seat(
                connection, zhao, pbx=PBX, extension="8001", now=later(60), from_user=named
            )
    taken = await take_seat(
        connection, zhao, pbx=PBX, extension="8001", now=later(60), from_user=limin.user_id
    )
    assert [(one.user, one.interface, one.at) for one in taken.left] == [
        (limin.user_id, "PJSIP/8001", later(60)),
        (zhao.user_id, "PJSIP/8002", later(60)),
    ]
    assert taken.taken.user == zhao.user_id
    assert await holding_of(connection, limin.user_id or 0) is None
    entry = (
        await connection.execute(select(AuditEntry).where(AuditEntry.act == "seat.take_over"))
    ).one()
    assert (entry.actor, entry.subject, entry.detail["from"]) == ("zhao", "PJSIP/8001", "李敏")


async def test_given_back_is_free_for_the_next_shift(connection: AsyncConnection) -> None:
    limin = await viewer(connection, "limin")
    await take(connection, "limin", "8001", 0)
    left = await give_back(connection, limin, now=later(60))
    assert left is not None
    assert (left.agent_number, left.queues) == ("1001", ("support",))
    assert await give_back(connection, limin, now=later(61)) is None
    assert (await take(connection, "zhao", "8001", 62)).interface == "PJSIP/8001"


async def test_disabled_person_leaves_the_seat(connection: AsyncConnection) -> None:
    await take(connection, "limin", "8001", 0)
    left = await disable(connection, "limin", actor="test", now=later(60))
    assert left is not None
    assert left.interface == "PJSIP/8001"
    await take(connection, "zhao", "8001", 61)


async def test_who_cannot_take_calls_cannot_take_a_seat(connection: AsyncConnection) -> None:
    with pytest.raises(NotAllowed):
        await take(connection, "wangfang", "8001", 0)
    with pytest.raises(Invalid, match="agent number"):
        await take(connection, "root", "8001", 0)
    for text in ("9999", *HOSTILE):
        with pytest.raises(NotFound):
            await take(connection, "limin", text, 0)


async def test_database_itself_allows_one_holder_and_one_seat(engine: AsyncEngine) -> None:
    await build(engine)
    async with transaction(engine) as connection:
        await take(connection, "limin", "8001", 0)
        ids = list(await connection.scalars(select(User.id).order_by(User.id)))
    for user_id, interface in ((ids[1], "PJSIP/8001"), (ids[0], "PJSIP/8002")):
        with pytest.raises(IntegrityError):
            async with transaction(engine) as connection:
                await connection.execute(
                    insert(SeatHolding).values(
                        pbx=PBX, interface=interface, user_id=user_id, began_at=T0
                    )
                )
    async with transaction(engine) as connection:
        await connection.execute(update(SeatHolding).values(ended_at=later(9)))
        await take(connection, "zhao", "8001", 10)
