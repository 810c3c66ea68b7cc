"""Bearer tokens of programs: shown once, kept as a hash."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.audit import audit
from crm_core.access.models import Token, User
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.roles import role_ids
from crm_core.access.sessions import hash_of
from crm_core.access.viewer import WIDTH, Viewer, rights_of, viewer_of_user
from crm_core.errors import Conflict, Invalid, NotFound
from crm_core.text import storable

PREFIX = "zx_"
"""Every token begins so: one that lies about in a log or repository can be searched for."""


async def create_token(
    connection: AsyncConnection,
    *,
    name: str,
    role: str,
    user: str | None = None,
    actor: str,
    now: datetime,
) -> str:
    """The token, which nobody will see again. `user` is a sign-in name.

    Raises `Conflict` for a name in use, `Invalid` for an unknown role or user.
    """
    name = name.strip()
    if not name or len(name) > 64 or not name.isprintable():
        raise Invalid("A token needs a name of 1 to 64 printable characters.")
    role_id = (await role_ids(connection, [role]))[role]
    user_id = None
    if user is not None:
        user_id = await connection.scalar(
            select(User.id).where(User.name == storable(user), User.disabled_at.is_(None))
        )
        if user_id is None:
            raise Invalid(f"There is nobody with the sign-in name {user!r}.")
    if await connection.scalar(select(Token.id).where(Token.name == name)):
        raise Conflict(f"There is a token named {name!r} already.")
    token = PREFIX + secrets.token_urlsafe(32)
    await connection.execute(
        insert(Token).values(
            name=name, token_hash=hash_of(token), role_id=role_id, user_id=user_id, created_at=now
        )
    )
    await audit(connection, actor, "token.create", name, {"role": role, "user": user}, at=now)
    return token


async def revoke_token(
    connection: AsyncConnection, name: str, *, actor: str, now: datetime
) -> None:
    """The token of this name opens nothing any more. Raises `NotFound`."""
    revoked = await connection.execute(
        update(Token)
        .where(Token.name == storable(name), Token.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if not revoked.rowcount:
        raise NotFound(f"There is no token named {name!r}.")
    await audit(connection, actor, "token.revoke", name, at=now)


async def viewer_of_token(connection: AsyncConnection, token: str) -> Viewer | None:
    """Who a bearer token is; None: unknown, revoked, or the person is disabled.

    Without a person: the role, over all projects. With one: the roles of the person, and of the
    permissions and scopes of both only what both have.
    """
    row = (
        await connection.execute(
            select(Token.name, Token.role_id, Token.user_id).where(
                Token.token_hash == hash_of(token), Token.revoked_at.is_(None)
            )
        )
    ).one_or_none()
    if row is None:
        return None
    roles, permissions, scope = await rights_of(connection, [row.role_id])
    if row.user_id is None:
        return Viewer(
            user_id=None,
            name=row.name,
            full_name=row.name,
            agent_number=None,
            roles=roles,
            permissions=permissions,
            scope=DataScope.ALL,
            team_id=None,
            project_ids=frozenset(),
            language=None,
            reveals=Permission.REVEAL_NUMBERS in permissions,
        )
    person = await viewer_of_user(connection, row.user_id)
    if person is None:
        return None
    both = person.permissions & permissions
    return replace(
        person,
        name=row.name,
        permissions=both,
        scope=min(person.scope, scope, key=WIDTH.__getitem__),
        reveals=Permission.REVEAL_NUMBERS in both,
        must_change_password=False,
    )
