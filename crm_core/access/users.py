"""People: adding, disabling, listing them, and their passwords. What a page changes: `people`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access import passwords
from crm_core.access.audit import audit
from crm_core.access.devices import end_holding
from crm_core.access.models import Role, RolePermission, User, UserProject, UserRole
from crm_core.access.permissions import Permission
from crm_core.access.roles import role_ids
from crm_core.access.sessions import sign_out_everywhere
from crm_core.access.viewer import Viewer
from crm_core.centre.models import Project, Seat, Team
from crm_core.db import reading, transaction
from crm_core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm_core.events import AgentSignedOut
from crm_core.ids import UserId
from crm_core.quick_dataclass import dataclass
from crm_core.text import storable

A_TURN = 50
"""So many people are read before the loop has its turn: pages read everybody every few seconds, and a
thousand at a time would hold up a ringing phone by 20 ms."""
LANGUAGES = ("zh_CN", "en")

LAST_ADMINISTRATOR = "This is the last administrator: make somebody else one first."

# Chinese sign-in names are names too; what separates words, quotes or hides is none.
_NAME = re.compile(r"[\w][\w.@-]{0,63}")
_AGENT_NUMBER = re.compile(r"[0-9A-Za-z]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedUser:
    """`one_time_password` is None where a password was given."""

    user_id: UserId
    one_time_password: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A person as lists show them."""

    user_id: UserId
    name: str
    full_name: str
    agent_number: str | None
    roles: tuple[str, ...]
    team_id: int | None
    team: str | None
    project_ids: frozenset[int]
    """That of the team included."""
    pbx: str | None
    extension: str | None
    disabled: bool


def wrong_name(name: str) -> str | None:
    """What is wrong with a sign-in name, as a sentence."""
    if _NAME.fullmatch(name):
        return None
    return "A sign-in name has 1 to 64 letters, digits, dots, hyphens, underscores or @."


def wrong_agent_number(number: str) -> str | None:
    """What is wrong with an agent number, as a sentence. It becomes a member's name in Asterisk."""
    if _AGENT_NUMBER.fullmatch(number):
        return None
    return "An agent number has 1 to 16 digits or Latin letters."


async def add_user(
    connection: AsyncConnection,
    *,
    name: str,
    full_name: str | None = None,
    agent_number: str | None = None,
    roles: Sequence[str],
    team: str | None = None,
    projects: Sequence[str] = (),
    pbx: str | None = None,
    extension: str | None = None,
    password: str | None = None,
    actor: str,
    now: datetime,
) -> AddedUser:
    """Raises `Conflict` for a name or agent number in use, `Invalid` for an unknown role, team,
    project or seat, or a weak password."""
    if wrong := wrong_name(name):
        raise Invalid(wrong)
    if agent_number is not None and (wrong := wrong_agent_number(agent_number)):
        raise Invalid(wrong)
    if not roles:
        raise Invalid("A person needs at least one role.")
    await _refuse_taken(connection, name, agent_number)
    role_of = await role_ids(connection, roles)
    team_id = None if team is None else await _id_of(connection, Team, "team", team)
    project_ids = {await _id_of(connection, Project, "project", project) for project in projects}
    await _refuse_unknown_seat(connection, pbx, extension)
    one_time = None if password is not None else passwords.one_time_password()
    user_id = await connection.scalar(
        insert(User)
        .values(
            name=name,
            full_name=storable(full_name or name)[:128],
            agent_number=agent_number,
            password_hash=await passwords.hash_password(password or one_time or "", name=name),
            must_change_password=one_time is not None,
            team_id=team_id,
            pbx=pbx,
            extension=extension,
            created_at=now,
        )
        .returning(User.id)
    )
    assert user_id is not None
    await give_roles(connection, user_id, set(role_of.values()))
    if project_ids:
        await connection.execute(
            insert(UserProject),
            [{"user_id": user_id, "project_id": project} for project in sorted(project_ids)],
        )
    await audit(connection, actor, "user.add", name, {"roles": sorted(roles)}, at=now)
    return AddedUser(user_id=UserId(user_id), one_time_password=one_time)


async def set_password(
    connection: AsyncConnection,
    name: str,
    password: str | None = None,
    *,
    actor: str,
    now: datetime,
) -> str | None:
    """A new password; without one a one-time password is made and returned. Ends all sessions."""
    user_id = await _user_id(connection, name)
    one_time = None if password is not None else passwords.one_time_password()
    await _store_password(
        connection, user_id, await passwords.hash_password(password or one_time or "", name=name)
    )
    if one_time:
        await connection.execute(
            update(User).where(User.id == user_id).values(must_change_password=True)
        )
    await sign_out_everywhere(connection, user_id, now)
    await audit(connection, actor, "user.password", name, at=now)
    return one_time


async def change_own_password(
    engine: AsyncEngine, viewer: Viewer, *, old: str, new: str, keep_token: str, now: datetime
) -> None:
    """Ends all other sessions of the person; the one with `keep_token` goes on.

    Raises `NotAllowed` (the old one is wrong) or `Invalid` (the new one is weak, or the old one).
    """
    async with reading(engine) as connection:
        present = await connection.scalar(
            select(User.password_hash).where(User.id == viewer.user_id, User.disabled_at.is_(None))
        )
    if present is None or not await passwords.verify(present, old):
        raise NotAllowed("The present password is wrong.")
    if new == old:
        raise Invalid("The new password is the present one: choose another.")
    new_hash = await passwords.hash_password(new, name=viewer.name)
    async with transaction(engine) as connection:
        assert viewer.user_id is not None
        await _store_password(connection, viewer.user_id, new_hash)
        await sign_out_everywhere(connection, viewer.user_id, now, but=keep_token)
        await audit(connection, viewer.name, "user.password", viewer.name, at=now)


async def set_language(connection: AsyncConnection, viewer: Viewer, language: str) -> None:
    """The language in which this person reads pages. Raises `Invalid`."""
    if language not in LANGUAGES:
        raise Invalid(f"There is no language {language!r}; there are: {', '.join(LANGUAGES)}.")
    await connection.execute(
        update(User).where(User.id == viewer.user_id).values(language=language)
    )


async def disable(
    connection: AsyncConnection, name: str, *, actor: str, now: datetime
) -> AgentSignedOut | None:
    """Nobody gets in by this name any more: its sessions end, its seat is free.

    Answers the sign-out to publish, where the person held a seat. Raises `NotFound`, and `Conflict`
    for the last administrator.
    """
    user_id = await _user_id(connection, name)
    if await is_last_administrator(connection, user_id):
        raise Conflict(LAST_ADMINISTRATOR)
    await connection.execute(
        update(User).where(User.id == user_id, User.disabled_at.is_(None)).values(disabled_at=now)
    )
    await sign_out_everywhere(connection, user_id, now)
    await audit(connection, actor, "user.disable", name, at=now)
    return await end_holding(connection, user_id, now=now)


async def enable(connection: AsyncConnection, name: str, *, actor: str, now: datetime) -> None:
    """Somebody who was disabled gets in again, by the former password. Raises `NotFound`."""
    user_id = await _user_id(connection, name)
    await connection.execute(update(User).where(User.id == user_id).values(disabled_at=None))
    await audit(connection, actor, "user.enable", name, at=now)


async def list_users(connection: AsyncConnection) -> tuple[UserRow, ...]:
    """Everybody, in order of name."""
    roles: dict[int, list[str]] = {}
    for user_id, role in await connection.execute(
        select(UserRole.user_id, Role.name).join(Role, Role.id == UserRole.role_id)
    ):
        roles.setdefault(user_id, []).append(role)
    projects: dict[int, set[int]] = {}
    for user_id, project_id in await connection.execute(
        select(UserProject.user_id, UserProject.project_id)
    ):
        projects.setdefault(user_id, set()).add(project_id)
    found = await connection.execute(
        select(User, Team.name.label("team"), Team.project_id)
        .outerjoin(Team, Team.id == User.team_id)
        .order_by(User.name)
    )
    users = []
    for count, row in enumerate(found):
        if count % A_TURN == 0:
            await asyncio.sleep(0)
        users.append(
            UserRow(
                user_id=UserId(row.id),
                name=row.name,
                full_name=row.full_name,
                agent_number=row.agent_number,
                roles=tuple(sorted(roles.get(row.id, ()))),
                team_id=row.team_id,
                team=row.team,
                project_ids=frozenset(
                    projects.get(row.id, set()) | ({row.project_id} if row.project_id else set())
                ),
                pbx=row.pbx,
                extension=row.extension,
                disabled=row.disabled_at is not None,
            )
        )
    return tuple(users)


async def has_administrator(connection: AsyncConnection) -> bool:
    """Is there a person who may administer and is not disabled?"""
    return bool(await _administrators(connection))


async def is_last_administrator(connection: AsyncConnection, user_id: int) -> bool:
    """Would nobody be left who may administer, without this person?

    Two administrators who disable each other at the same moment are asked one after the other: on
    SQLite a transaction has the database for itself, on PostgreSQL the roles' rows are locked.
    """
    await connection.execute(select(Role.id).order_by(Role.id).with_for_update())
    return await _administrators(connection) == {user_id}


async def _administrators(connection: AsyncConnection) -> set[int]:
    return set(
        await connection.scalars(
            select(User.id).where(
                User.disabled_at.is_(None),
                exists().where(
                    UserRole.user_id == User.id,
                    RolePermission.role_id == UserRole.role_id,
                    RolePermission.permission == Permission.ADMINISTER.value,
                ),
            )
        )
    )


async def give_roles(connection: AsyncConnection, user_id: int, role_ids: set[int]) -> None:
    """Roles that the person does not hold yet."""
    await connection.execute(
        insert(UserRole),
        [{"user_id": user_id, "role_id": role_id} for role_id in sorted(role_ids)],
    )


async def _refuse_taken(connection: AsyncConnection, name: str, agent_number: str | None) -> None:
    if await connection.scalar(select(User.id).where(User.name == name)):
        raise Conflict(f"There is somebody with the sign-in name {name!r} already.")
    if agent_number is None:
        return
    holder = await connection.scalar(select(User.name).where(User.agent_number == agent_number))
    if holder:
        raise Conflict(f"The agent number {agent_number} is {holder}'s.")


async def _refuse_unknown_seat(
    connection: AsyncConnection, pbx: str | None, extension: str | None
) -> None:
    """A usual device on a PBX with seats must be one of them; a site whose seats we do not know
    (they never open Zuoxi) has none."""
    if extension is None or pbx is None:
        return
    extensions = set(await connection.scalars(select(Seat.extension).where(Seat.pbx == pbx)))
    if extensions and extension not in extensions:
        raise Invalid(f"There is no seat with the extension {extension} on {pbx}.")


async def _id_of(
    connection: AsyncConnection, table: type[Team | Project], noun: str, name: str
) -> int:
    found = await connection.scalar(select(table.id).where(table.name == storable(name)))
    if found is None:
        raise Invalid(f"There is no {noun} named {name!r}.")
    return found


async def _user_id(connection: AsyncConnection, name: str) -> int:
    found = await connection.scalar(select(User.id).where(User.name == storable(name)))
    if found is None:
        raise NotFound(f"There is nobody with the sign-in name {name!r}.")
    return found


async def _store_password(connection: AsyncConnection, user_id: int, password_hash: str) -> None:
    await connection.execute(
        update(User)
        .where(User.id == user_id)
        .values(password_hash=password_hash, must_change_password=False)
    )
