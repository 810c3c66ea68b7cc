"""One person's file as an administrator keeps it: what it holds, what may stand in it, changing it.

What is wrong with a wish is told by field and by kind, not as a sentence: pages say it in the
reader's language.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.audit import audit
from crm_core.access.devices import HeldSeat, holding_of
from crm_core.access.models import Role, RolePermission, Session, User, UserQueue, UserRole
from crm_core.access.permissions import Permission
from crm_core.access.person_problems import PersonProblem, Wrong
from crm_core.access.users import is_last_administrator, wrong_agent_number, wrong_name
from crm_core.centre.models import Queue, Seat, SeatHolding, Team
from crm_core.centre.queries import queues_of_user
from crm_core.errors import Invalid, NotFound
from crm_core.events import AgentSignedIn
from crm_core.ids import PbxId, UserId
from crm_core.quick_dataclass import dataclass
from crm_core.text import storable

FIRST_NUMBER = "1001"
"""The agent number that the first agent is proposed."""
LONGEST_NAME = 128


class WrongFields(Invalid):
    """Something in this form is not valid."""

    def __init__(self, fields: Mapping[str, Wrong]) -> None:
        super().__init__()
        self.fields = fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person shall be. The keys of `problems` are these names; `pbx` stands with
    `extension`. `name` counts for a new person only: it stays."""

    name: str = ""
    full_name: str
    agent_number: str | None
    roles: frozenset[str]
    team: str | None
    queues: frozenset[int]
    pbx: str | None = None
    extension: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFile:
    """Everything about one person but the password."""

    user_id: UserId
    name: str
    full_name: str
    agent_number: str | None
    number_is_fixed: bool
    roles: frozenset[str]
    team: str | None
    queues: frozenset[int]
    pbx: str | None
    extension: str | None
    language: str | None
    must_change_password: bool
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None
    """When a page of this person last asked for something (to five minutes); None: never."""
    seat: HeldSeat | None


async def person(connection: AsyncConnection, user_id: int) -> PersonFile:
    """Raises `NotFound`."""
    row = (
        await connection.execute(
            select(
                User,
                Team.name.label("team"),
                exists().where(SeatHolding.user_id == User.id).label("has_worked"),
                select(func.max(Session.seen_at))
                .where(Session.user_id == User.id)
                .scalar_subquery()
                .label("seen_at"),
            )
            .outerjoin(Team, Team.id == User.team_id)
            .where(User.id == user_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return PersonFile(
        user_id=UserId(row.id),
        name=row.name,
        full_name=row.full_name,
        agent_number=row.agent_number,
        number_is_fixed=row.agent_number is not None and bool(row.has_worked),
        roles=frozenset(await connection.scalars(_roles_of(user_id))),
        team=row.team,
        queues=frozenset(
            await connection.scalars(select(UserQueue.queue_id).where(UserQueue.user_id == user_id))
        ),
        pbx=row.pbx,
        extension=row.extension,
        language=row.language,
        must_change_password=row.must_change_password,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        seen_at=row.seen_at,
        seat=await holding_of(connection, user_id),
    )


def _roles_of(user_id: int) -> Select[str]:
    return (
        select(Role.name)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == user_id)
    )


async def next_agent_number(connection: AsyncConnection) -> str:
    """One more than the greatest number of the agents, as wide as theirs usually are. Supervisors and
    administrators often have a block of their own, so theirs count only where there is no agent."""
    all_numbers = await connection.scalars(select(User.agent_number))
    taken = {number for number in all_numbers if number}
    agents = await connection.scalars(
        select(User.agent_number)
        .join(UserRole, UserRole.user_id == User.id)
        .join(Role, Role.id == UserRole.role_id)
        .where(Role.name == "agent")
    )
    style = _digits(agents) or _digits(taken)
    if not style:
        return FIRST_NUMBER
    # The most usual width: a stray 00000000000001 must not become the style.
    widths = [len(number) for number in style]
    width = max(set(widths), key=lambda each: (widths.count(each), -each))
    found = max(int(number) for number in style if len(number) == width) + 1
    while str(found).zfill(width) in taken:
        found += 1
    return str(found).zfill(width)


def _digits(numbers: Iterable[str | None]) -> set[str]:
    return {number for number in numbers if number and number.isascii() and number.isdecimal()}


async def queue_ids_by_user(connection: AsyncConnection) -> dict[UserId, frozenset[int]]:
    """Which queues everybody takes calls of; those of none are absent."""
    found: dict[UserId, set[int]] = {}
    for user_id, queue_id in await connection.execute(
        select(UserQueue.user_id, UserQueue.queue_id)
    ):
        found.setdefault(UserId(user_id), set()).add(queue_id)
    return {user_id: frozenset(queues) for user_id, queues in found.items()}


# --- what may stand there -------------------------------------------------------------------------


async def problems(
    connection: AsyncConnection, wish: Wish, present: PersonFile | None = None
) -> dict[str, Wrong]:
    """Field → what is wrong with it. `present` None: the wish is for a new person."""
    found = {
        "full_name": _wrong_full_name(wish.full_name),
        "agent_number": await _wrong_number(connection, wish, present),
        "roles": await _wrong_roles(connection, wish, present),
        "team": await _unknown(
            connection, Team.name, {wish.team} - {None, ""}, PersonProblem.TEAM_UNKNOWN
        ),
        "queues": await _unknown(connection, Queue.id, wish.queues, PersonProblem.QUEUE_UNKNOWN),
        "extension": await _wrong_seat(connection, wish, present),
    }
    if present is None:
        found["name"] = await _wrong_name(connection, wish.name)
    return {field: wrong for field, wrong in found.items() if wrong is not None}


async def _wrong_name(connection: AsyncConnection, name: str) -> Wrong | None:
    if wrong_name(name):
        return Wrong(kind=PersonProblem.NAME_FORM)
    if await connection.scalar(select(User.id).where(User.name == storable(name))):
        return Wrong(kind=PersonProblem.NAME_TAKEN)
    return None


def _wrong_full_name(full_name: str) -> Wrong | None:
    if not full_name.strip() or not full_name.isprintable():
        return Wrong(kind=PersonProblem.FULL_NAME_EMPTY)
    if len(full_name) > LONGEST_NAME:
        return Wrong(kind=PersonProblem.FULL_NAME_LONG)
    return None


async def _wrong_number(
    connection: AsyncConnection, wish: Wish, present: PersonFile | None
) -> Wrong | None:
    number = wish.agent_number
    if present is not None and number == present.agent_number:
        return Wrong(kind=PersonProblem.NUMBER_NEEDED) if wish.queues and number is None else None
    if present is not None and present.number_is_fixed:
        return Wrong(kind=PersonProblem.NUMBER_FIXED, who=present.agent_number or "")
    if number is None:
        return Wrong(kind=PersonProblem.NUMBER_NEEDED) if wish.queues else None
    if wrong_agent_number(number):
        return Wrong(kind=PersonProblem.NUMBER_FORM)
    holder = await connection.scalar(select(User.full_name).where(User.agent_number == number))
    return Wrong(kind=PersonProblem.NUMBER_TAKEN, who=holder) if holder is not None else None


async def _wrong_roles(
    connection: AsyncConnection, wish: Wish, present: PersonFile | None
) -> Wrong | None:
    if not wish.roles:
        return Wrong(kind=PersonProblem.ROLE_NEEDED)
    if unknown := await _unknown(connection, Role.name, wish.roles, PersonProblem.ROLE_UNKNOWN):
        return unknown
    if present is None or present.disabled_at is not None:
        return None
    stays = await connection.scalar(
        select(Role.id)
        .join(RolePermission, RolePermission.role_id == Role.id)
        .where(Role.name.in_(wish.roles), RolePermission.permission == Permission.ADMINISTER.value)
    )
    if stays is None and await is_last_administrator(connection, present.user_id):
        return Wrong(kind=PersonProblem.LAST_ADMINISTRATOR)
    return None


async def _wrong_seat(
    connection: AsyncConnection, wish: Wish, present: PersonFile | None
) -> Wrong | None:
    """A usual device is a seat; one from before (a site without seats) may stay as it was."""
    if wish.extension is None:
        return None
    if present is not None and (present.pbx, present.extension) == (wish.pbx, wish.extension):
        return None
    found = await connection.scalar(
        select(Seat.id).where(
            Seat.pbx == storable(wish.pbx or ""), Seat.extension == storable(wish.extension)
        )
    )
    return None if found is not None else Wrong(kind=PersonProblem.SEAT_UNKNOWN)


async def _unknown(
    connection: AsyncConnection, column: Any, wanted: Collection[Any], kind: PersonProblem
) -> Wrong | None:
    wanted = {storable(one) if isinstance(one, str) else one for one in wanted}
    if not wanted:
        return None
    known = set(await connection.scalars(select(column).where(column.in_(wanted))))
    return Wrong(kind=kind) if wanted - known else None


# --- adding and changing --------------------------------------------------------------------------


async def add_person(
    connection: AsyncConnection, wish: Wish, password_hash: str, *, actor: str, now: datetime
) -> UserId:
    """A new person whose password (the hash is a one-time password's) has to be replaced first.

    The hash is made before the transaction: it takes long. Raises `WrongFields`.
    """
    if wrong := await problems(connection, wish):
        raise WrongFields(wrong)
    columns = await _columns(connection, wish)
    user_id = await connection.scalar(
        insert(User)
        .values(
            name=wish.name,
            agent_number=wish.agent_number,
            password_hash=password_hash,
            must_change_password=True,
            created_at=now,
            **columns,
        )
        .returning(User.id)
    )
    assert user_id is not None
    await _write_lists(connection, user_id, wish)
    await audit(connection, actor, "user.add", wish.name, {"roles": sorted(wish.roles)}, at=now)
    return UserId(user_id)


async def change_person(
    connection: AsyncConnection, user_id: int, wish: Wish, *, actor: str, now: datetime
) -> AgentSignedIn | None:
    """The person is as wished. Answers the sign-in to tell again, where queues, name or number of
    somebody who holds a seat changed: the queues follow at once. Raises `WrongFields`, `NotFound`.
    """
    present = await person(connection, user_id)
    if wrong := await problems(connection, wish, present):
        raise WrongFields(wrong)
    columns = await _columns(connection, wish)
    await connection.execute(
        update(User).where(User.id == user_id).values(agent_number=wish.agent_number, **columns)
    )
    await _write_lists(connection, user_id, wish)
    changed = await person(connection, user_id)
    detail = _differences(present, changed)
    if detail:
        await audit(connection, actor, "user.change", present.name, detail, at=now)
    if changed.seat is None or not detail.keys() & {"queues", "full_name", "agent_number"}:
        return None
    pbx = changed.seat.pbx
    return AgentSignedIn(
        at=changed.seat.began_at,
        pbx=PbxId(pbx),
        user=changed.user_id,
        agent_number=changed.agent_number or "",
        name=changed.full_name,
        interface=changed.seat.interface,
        queues=tuple(name for name, _ in await queues_of_user(connection, user_id, pbx)),
    )


async def _columns(connection: AsyncConnection, wish: Wish) -> dict[str, Any]:
    team_id = None
    if wish.team:
        team_id = await connection.scalar(select(Team.id).where(Team.name == wish.team))
    return {
        "full_name": storable(wish.full_name.strip()),
        "team_id": team_id,
        "pbx": wish.pbx if wish.extension else None,
        "extension": wish.extension or None,
    }


async def _write_lists(connection: AsyncConnection, user_id: int, wish: Wish) -> None:
    """The person's roles and queues are these; a queue that stays keeps its penalty."""
    roles = set(await connection.scalars(select(Role.id).where(Role.name.in_(wish.roles))))
    for table, column, wanted in (
        (UserRole, UserRole.role_id, roles),
        (UserQueue, UserQueue.queue_id, set(wish.queues)),
    ):
        owner = table.__table__.c["user_id"]
        present = set(await connection.scalars(select(column).where(owner == user_id)))
        if gone := present - wanted:
            await connection.execute(delete(table).where(owner == user_id, column.in_(gone)))
        if new := wanted - present:
            rows = [{"user_id": user_id, column.key: one} for one in sorted(new)]
            await connection.execute(insert(table), rows)


_AUDITED = ("full_name", "agent_number", "roles", "team", "queues", "pbx", "extension")


def _differences(before: PersonFile, after: PersonFile) -> dict[str, Any]:
    """Field → [old, new], of what differs."""

    def plain(value: Any) -> Any:
        return sorted(value) if isinstance(value, frozenset) else value

    return {
        field: [plain(getattr(before, field)), plain(getattr(after, field))]
        for field in _AUDITED
        if getattr(before, field) != getattr(after, field)
    }
