"""The one-time set-up link: how the first administrator of a new installation gets in.

Each start of a centre without an administrator makes a link and prints it to the terminal; the table
keeps only its hash. It is good for fifteen minutes, once, and as long as nobody may administer.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access import passwords
from crm_core.access.models import SetupLink
from crm_core.access.sessions import SignedIn, begin, hash_of
from crm_core.access.users import add_user, has_administrator
from crm_core.db import reading, transaction
from crm_core.errors import Invalid, NotFound

GOOD_FOR = timedelta(minutes=15)

PATH = "/set-up/"
"""Where the pages have it (`agent_ui.sign_in.set_up`)."""

GONE = "This set-up link is not valid any more: start Zuoxi again, it prints a new one."


async def setup_link_lines(engine: AsyncEngine, address: str, now: datetime) -> tuple[str, ...]:
    """What a start says to whoever stands at the terminal; nothing where somebody administers."""
    token = await new_link(engine, now=now)
    if token is None:
        return ()
    minutes = GOOD_FOR // timedelta(minutes=1)
    return (
        f"Nobody administers this centre yet. The first administrator begins here, within {minutes} "
        "minutes, once:",
        f"  {address}{PATH}{token}",
    )


async def new_link(engine: AsyncEngine, *, now: datetime) -> str | None:
    """The secret of a new link, and all former ones are void; None: there is an administrator."""
    async with reading(engine) as connection:
        if await has_administrator(connection):
            return None  # as nearly every start: without waiting for a writer
    token = secrets.token_urlsafe(32)
    async with transaction(engine) as connection:
        await connection.execute(delete(SetupLink))
        await connection.execute(
            insert(SetupLink).values(token_hash=hash_of(token), expires_at=now + GOOD_FOR)
        )
    return token


async def require_good(connection: AsyncConnection, token: str, now: datetime) -> None:
    """Raises `NotFound`, with one sentence for unknown, used, expired and no longer needed."""
    found = await connection.scalar(
        select(SetupLink.id).where(
            SetupLink.token_hash == hash_of(token), SetupLink.expires_at > now
        )
    )
    if found is None or await has_administrator(connection):
        raise NotFound(GONE)


async def first_administrator(
    engine: AsyncEngine,
    *,
    token: str,
    name: str,
    password: str,
    address: str,
    user_agent: str,
    now: datetime,
) -> SignedIn:
    """The administrator, signed in; the link is used up. Of two who post at once one gets in.

    Raises `NotFound` (the link), `Invalid` (the name, or a weak password), `Conflict` (a name in use).
    """
    if weak := passwords.weakness(password, name=name):
        raise Invalid(weak)
    async with reading(engine) as connection:
        await require_good(connection, token, now)
    async with transaction(engine) as connection:
        await require_good(connection, token, now)
        # The row is the claim: whoever deletes it has it.
        claimed = await connection.execute(
            delete(SetupLink).where(SetupLink.token_hash == hash_of(token))
        )
        if not claimed.rowcount:
            raise NotFound(GONE)
        await connection.execute(delete(SetupLink))
        added = await add_user(
            connection,
            name=name,
            roles=["admin"],
            password=password,
            actor="set-up link",
            now=now,
        )
        return await begin(connection, added.user_id, address, user_agent, now)
