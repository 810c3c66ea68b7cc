"""Signing in, staying signed in, being signed out, and being kept out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import AuditEntry, Session, User
from crm_core.access.sessions import (
    IDLE,
    LONGEST,
    WRONG,
    LiveSession,
    SignedIn,
    sign_in,
    sign_out,
    sign_out_everywhere,
    touch,
    viewer_of_session,
)
from crm_core.access.throttle import SignInThrottle
from crm_core.access.users import change_own_password, disable
from crm_core.db import reading, transaction
from crm_core.errors import Invalid, NotAllowed, TooMany
from tests.crm_core.centre.a_centre import PASSWORD, T0, build, later
from tests.crm_core.customers.hostile import HOSTILE

HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture
async def engine(engine: AsyncEngine) -> AsyncEngine:
    await build(engine)
    return engine


async def enter(
    engine: AsyncEngine,
    name: str = "limin",
    password: str = PASSWORD,
    *,
    address: str = HOME,
    throttle: SignInThrottle | None = None,
) -> SignedIn:
    return await sign_in(
        engine,
        name=name,
        password=password,
        address=address,
        user_agent="Firefox",
        now=T0,
        throttle=throttle or SignInThrottle(),
    )


async def live(engine: AsyncEngine, token: str, seconds: float = 1) -> LiveSession | None:
    async with reading(engine) as connection:
        return await viewer_of_session(connection, token, later(seconds))


async def test_right_password_opens_a_session_of_that_person(engine: AsyncEngine) -> None:
    signed_in = await enter(engine)
    session = await live(engine, signed_in.token)
    assert session is not None
    assert (session.viewer.name, session.viewer.roles) == ("limin", frozenset({"agent"}))
    assert session.csrf_token == signed_in.csrf_token
    async with reading(engine) as connection:
        stored = (await connection.execute(select(Session))).one()
    assert signed_in.token not in map(str, stored)


async def test_each_sign_in_has_a_new_token(engine: AsyncEngine) -> None:
    first, second = await enter(engine), await enter(engine)
    assert first.token != second.token
    assert first.csrf_token != second.csrf_token
    assert len(first.token) >= 43


async def test_wrong_name_and_wrong_password_get_one_answer(engine: AsyncEngine) -> None:
    for name, password in (("limin", "wrong password"), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(NotAllowed) as refused:
            await enter(engine, name, password)
        assert refused.value.detail == WRONG
    async with reading(engine) as connection:
        acts = list(await connection.scalars(select(AuditEntry.act).order_by(AuditEntry.id)))
    assert acts[-3:] == ["session.refused"] * 3


async def test_session_ends_when_nobody_used_it_and_at_the_latest_after_a_day(
    engine: AsyncEngine,
) -> None:
    token, hour = (await enter(engine)).token, 3600.0
    assert await live(engine, token, IDLE.total_seconds()) is None
    session = await live(engine, token, 11 * hour)
    assert session is not None
    async with transaction(engine) as connection:
        await touch(connection, session, later(11 * hour))
    assert await live(engine, token, 22 * hour) is not None
    async with transaction(engine) as connection:
        await touch(connection, session, later(22 * hour))
    assert await live(engine, token, LONGEST.total_seconds()) is None
    assert timedelta(hours=24) == LONGEST


async def test_signed_out_is_out_and_touching_does_not_bring_it_back(engine: AsyncEngine) -> None:
    token, other = (await enter(engine)).token, (await enter(engine)).token
    session = await live(engine, token)
    assert session is not None
    async with transaction(engine) as connection:
        await sign_out(connection, token, later(2))
        await touch(connection, session, later(3))
    assert await live(engine, token, 4) is None
    assert await live(engine, other, 4) is not None


async def test_signing_out_everywhere_and_being_disabled_end_all_sessions(
    engine: AsyncEngine,
) -> None:
    tokens = [(await enter(engine)).token, (await enter(engine)).token]
    root = await enter(engine, "root")
    user_id = (await enter(engine)).viewer.user_id
    assert user_id is not None
    async with transaction(engine) as connection:
        assert await sign_out_everywhere(connection, user_id, later(1)) == 3
    assert [await live(engine, token, 2) for token in tokens] == [None, None]
    assert await live(engine, root.token, 2) is not None
    zhao = await enter(engine, "zhao")
    async with transaction(engine) as connection:
        await disable(connection, "zhao", actor="test", now=later(3))
    assert await live(engine, zhao.token, 4) is None
    with pytest.raises(NotAllowed):
        await enter(engine, "zhao")
    async with transaction(engine) as connection:
        await connection.execute(update(User).values(disabled_at=None))
    assert await live(engine, zhao.token, 4) is None, "it came back with the person"


async def test_new_password_ends_the_other_sessions(engine: AsyncEngine) -> None:
    here, there = await enter(engine), await enter(engine)
    with pytest.raises(NotAllowed):
        await change_own_password(
            engine, here.viewer, old="wrong", new="new and long", keep_token=here.token, now=T0
        )
    with pytest.raises(Invalid):
        await change_own_password(
            engine, here.viewer, old=PASSWORD, new="short", keep_token=here.token, now=T0
        )
    await change_own_password(
        engine, here.viewer, old=PASSWORD, new="new and long", keep_token=here.token, now=later(1)
    )
    assert await live(engine, here.token, 2) is not None
    assert await live(engine, there.token, 2) is None
    with pytest.raises(NotAllowed):
        await enter(engine)
    await enter(engine, password="new and long")


async def test_hostile_names_are_nobodys(engine: AsyncEngine) -> None:
    throttle = SignInThrottle(per_address=1000)
    for text in HOSTILE:
        with pytest.raises(NotAllowed):
            await enter(engine, text, "x" * 300, address=text, throttle=throttle)
        assert await live(engine, text) is None


# --- guessing -------------------------------------------------------------------------------------


async def guess(engine: AsyncEngine, throttle: SignInThrottle, times: int, **how: str) -> int:
    """How many of so many guesses were heard at all."""
    heard = 0
    for _ in range(times):
        try:
            # Too long to be hashed, so that a test of guesses is quick.
            await enter(engine, password="x" * 300, throttle=throttle, **how)
        except NotAllowed:
            heard += 1
        except TooMany:
            pass
    return heard


async def test_guesser_is_heard_ten_times_and_locks_out_only_himself(engine: AsyncEngine) -> None:
    throttle = SignInThrottle()
    assert await guess(engine, throttle, 200, address=ELSEWHERE) == 10
    with pytest.raises(TooMany):
        await enter(engine, throttle=throttle, address=ELSEWHERE)
    assert (await enter(engine, throttle=throttle)).viewer.name == "limin"


async def test_one_address_is_heard_fifty_times_over_all_names(engine: AsyncEngine) -> None:
    throttle = SignInThrottle()
    names = [f"name{nth}" for nth in range(12)]
    heard = [await guess(engine, throttle, 10, name=name, address=ELSEWHERE) for name in names]
    assert sum(heard) == 50


async def test_many_addresses_together_do_not_lock_out_a_known_one(engine: AsyncEngine) -> None:
    throttle = SignInThrottle()
    await enter(engine, throttle=throttle)
    heard = [
        await guess(engine, throttle, 10, address=f"2001:db8:0:{nth:x}::{nth}") for nth in range(15)
    ]
    assert sum(heard) == 100
    with pytest.raises(TooMany):
        await enter(engine, throttle=throttle, address="203.0.113.1")
    assert (await enter(engine, throttle=throttle)).viewer.name == "limin"


def test_addresses_of_one_ipv6_network_are_one() -> None:
    throttle = SignInThrottle(per_name_and_address=2)
    for nth in range(2):
        throttle.begin("limin", f"2001:db8::{nth}", known_address=False)
        throttle.end("limin", f"2001:db8::{nth}", succeeded=False)
    with pytest.raises(TooMany):
        throttle.begin("LIMIN", "2001:db8::ffff", known_address=False)
    throttle.begin("limin", "2001:db8:0:1::1", known_address=False)


def test_guesses_sent_together_are_counted_together() -> None:
    throttle = SignInThrottle(per_name_and_address=3)
    for _ in range(3):
        throttle.begin("limin", HOME, known_address=True)
    with pytest.raises(TooMany):
        throttle.begin("limin", HOME, known_address=True)
    for _ in range(3):
        throttle.end("limin", HOME, succeeded=True)
    throttle.begin("limin", HOME, known_address=True)


async def test_success_lets_a_name_begin_anew(engine: AsyncEngine) -> None:
    throttle = SignInThrottle()
    assert await guess(engine, throttle, 9) == 9
    await enter(engine, throttle=throttle)
    assert await guess(engine, throttle, 9) == 9


async def test_hash_of_weaker_days_is_made_anew_at_sign_in(engine: AsyncEngine) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD)
    async with transaction(engine) as connection:
        await connection.execute(update(User).values(password_hash=weak))
    await enter(engine)
    async with reading(engine) as connection:
        mine = await connection.scalar(select(User.password_hash).where(User.name == "limin"))
    assert mine != weak
    await enter(engine)
