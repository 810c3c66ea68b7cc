"""Sign-in and sessions: rows, so that they can be ended from elsewhere.

The browser holds a random token, the row only its SHA-256: who reads the table cannot become
anybody. Ended and expired rows stay for a month, because they tell from which addresses a person
signs in.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access import passwords
from crm_core.access.audit import audit
from crm_core.access.models import Session, User
from crm_core.access.throttle import SignInThrottle
from crm_core.access.viewer import Viewer, viewer_of_user
from crm_core.db import reading, transaction
from crm_core.errors import NotAllowed
from crm_core.quick_dataclass import dataclass
from crm_core.text import storable

IDLE = timedelta(hours=12)
"""A session that nobody used for so long is over."""
LONGEST = timedelta(hours=24)
"""And every session so long after its sign-in."""
TOUCH_AFTER = timedelta(minutes=5)
_KEPT = timedelta(days=30)

WRONG = "The name or the password is wrong."


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session. `token` goes into the cookie and is kept nowhere; `viewer` may have
    `must_change_password`."""

    token: str
    csrf_token: str
    viewer: Viewer
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A session that a request or socket came with."""

    id: int
    csrf_token: str
    viewer: Viewer
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """What is known of the person whom somebody claims to be; `user_id` None: nobody."""

    user_id: int | None
    password_hash: str | None
    known_address: bool


async def sign_in(
    engine: AsyncEngine,
    *,
    name: str,
    password: str,
    address: str,
    user_agent: str,
    now: datetime,
    throttle: SignInThrottle,
) -> SignedIn:
    """Raises `NotAllowed` for a wrong name or password (one sentence for both), `TooMany` when
    throttled.

    Takes the engine, because the slow hash must not be computed inside a transaction and a failed
    attempt must leave its audit entry.
    """
    name, address = storable(name.strip())[:64], storable(address)[:64]
    async with reading(engine) as connection:
        claimed = await _claimed(connection, name, address)
    throttle.begin(name, address, known_address=claimed.known_address)
    right = False
    try:
        right = await passwords.verify(claimed.password_hash, password)
    finally:
        throttle.end(name, address, succeeded=right)
    if not right or claimed.user_id is None:
        async with transaction(engine) as connection:
            await audit(connection, name, "session.refused", name, {"address": address}, at=now)
        raise NotAllowed(WRONG)
    better = None
    if claimed.password_hash and passwords.outdated(claimed.password_hash):
        better = await passwords.hash_again(password)
    async with transaction(engine) as connection:
        return await begin(
            connection, claimed.user_id, address, user_agent, now, better_hash=better
        )


async def begin(
    connection: AsyncConnection,
    user_id: int,
    address: str,
    user_agent: str,
    now: datetime,
    *,
    better_hash: str | None = None,
) -> SignedIn:
    """A new session of somebody whose identity has been proved. Raises `NotAllowed` for somebody who
    has been disabled meanwhile."""
    viewer = await viewer_of_user(connection, user_id)
    if viewer is None:  # disabled while the password was being checked
        raise NotAllowed(WRONG)
    if better_hash:
        await connection.execute(
            update(User).where(User.id == user_id).values(password_hash=better_hash)
        )
    await connection.execute(delete(Session).where(Session.expires_at < now - _KEPT))
    new = SignedIn(
        token=secrets.token_urlsafe(32),
        csrf_token=secrets.token_urlsafe(32),
        viewer=viewer,
        expires_at=now + IDLE,
    )
    await connection.execute(
        insert(Session).values(
            token_hash=hash_of(new.token),
            csrf_token=new.csrf_token,
            user_id=user_id,
            created_at=now,
            seen_at=now,
            expires_at=new.expires_at,
            address=storable(address)[:64],
            user_agent=storable(user_agent)[:256],
        )
    )
    await audit(connection, viewer.name, "session.begin", viewer.name, {"address": address}, at=now)
    return new


async def viewer_of_session(
    connection: AsyncConnection, token: str, now: datetime
) -> LiveSession | None:
    """Who a cookie's token belongs to; None: unknown, ended, expired, or the person is disabled.

    Only reads. When `seen_at` is older than `TOUCH_AFTER`, call `touch` in a transaction.
    """
    row = (
        await connection.execute(
            select(
                Session.id,
                Session.csrf_token,
                Session.user_id,
                Session.created_at,
                Session.seen_at,
                Session.expires_at,
            ).where(Session.token_hash == hash_of(token), Session.expires_at > now)
        )
    ).one_or_none()
    viewer = row and await viewer_of_user(connection, row.user_id)
    if row is None or viewer is None:
        return None
    return LiveSession(
        id=row.id,
        csrf_token=row.csrf_token,
        viewer=viewer,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
    )


async def touch(connection: AsyncConnection, session: LiveSession, now: datetime) -> None:
    """The session was used: it expires `IDLE` from now, at most `LONGEST` after its sign-in."""
    await connection.execute(
        update(Session)
        # Not one that was ended since it was read.
        .where(Session.id == session.id, Session.expires_at > now)
        .values(seen_at=now, expires_at=min(now + IDLE, session.created_at + LONGEST))
    )


async def sign_out(connection: AsyncConnection, token: str, now: datetime) -> None:
    """End this session. Doing it twice is once."""
    await connection.execute(
        update(Session)
        .where(Session.token_hash == hash_of(token), Session.expires_at > now)
        .values(expires_at=now)
    )


async def sign_out_everywhere(
    connection: AsyncConnection, user_id: int, now: datetime, *, but: str | None = None
) -> int:
    """End all sessions of a person (but the one with this token); how many there were."""
    ending = update(Session).where(Session.user_id == user_id, Session.expires_at > now)
    if but is not None:
        ending = ending.where(Session.token_hash != hash_of(but))
    ended = await connection.execute(ending.values(expires_at=now))
    return ended.rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session that is good at this moment, as its person sees it in a list."""

    token_hash: str
    created_at: datetime
    seen_at: datetime
    address: str
    user_agent: str


async def sessions_of(
    connection: AsyncConnection, user_id: int, now: datetime
) -> tuple[OpenSession, ...]:
    """The open sessions of a person, the newest first."""
    rows = await connection.execute(
        select(
            Session.token_hash,
            Session.created_at,
            Session.seen_at,
            Session.address,
            Session.user_agent,
        )
        .where(Session.user_id == user_id, Session.expires_at > now)
        .order_by(Session.created_at.desc(), Session.id.desc())
    )
    return tuple(OpenSession(**row._mapping) for row in rows)


def hash_of(token: str) -> str:
    """What the tables keep of a random token. No salt and no slowness: it has 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def _claimed(connection: AsyncConnection, name: str, address: str) -> _Claimed:
    row = (
        await connection.execute(
            select(
                User.id,
                User.password_hash,
                exists()
                .where(Session.user_id == User.id, Session.address == address)
                .label("known_address"),
            ).where(User.name == name, User.disabled_at.is_(None))
        )
    ).one_or_none()
    if row is None:
        return _Claimed(user_id=None, password_hash=None, known_address=False)
    return _Claimed(
        user_id=row.id, password_hash=row.password_hash, known_address=bool(row.known_address)
    )
