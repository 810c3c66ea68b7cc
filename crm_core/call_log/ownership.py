"""Whose call it is: project, hotline, queues and customer, looked up for a whole batch at once.

The hotline that was dialled names the project; else the first queue does; else the default project
takes the call. The customer is named only when exactly one has the number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.centre.models import Hotline, Project, Queue
from crm_core.customers.models import PhoneNumber
from crm_core.ids import PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """What a call shows of whose it is."""

    pbx: PbxId
    called: tuple[str, ...] = ()
    """The called number of an inbound call: as it came, and normalised."""
    queues: tuple[str, ...] = ()
    """Names of the queues, in order of entry."""
    customer_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Identities of rows; None: nobody's."""

    project_id: int | None
    hotline_id: int | None
    customer_id: int | None
    queue_ids: Mapping[str, int]


Normalise = Callable[[str | None], str | None]
"""A number as it came → as it is stored and compared (E.164 where possible)."""


async def owners_of(
    connection: AsyncConnection, clues: Collection[Clues], normalise: Normalise
) -> dict[Clues, Owner]:
    """The owner for each, in four queries however many there are."""
    if not clues:
        return {}
    called = any(each.called for each in clues)
    hotlines = await _hotlines(connection, normalise) if called else {}
    queues = await _queues(connection, {name for each in clues for name in each.queues})
    default = await connection.scalar(
        select(Project.id).where(Project.is_default).order_by(Project.id).limit(1)
    )
    customers = await _customers(
        connection, {each.customer_number for each in clues if each.customer_number}
    )
    found = {}
    for each in clues:
        hotline = next((h for n in each.called if (h := hotlines.get((each.pbx, n)))), None)
        mine = {name: queue for name in each.queues if (queue := queues.get((each.pbx, name)))}
        by_queue = next(iter(mine.values()), None)
        found[each] = Owner(
            project_id=hotline[1] if hotline else by_queue[1] if by_queue else default,
            hotline_id=hotline[0] if hotline else None,
            customer_id=customers.get(each.customer_number or ""),
            queue_ids={name: queue[0] for name, queue in mine.items()},
        )
    return found


Place = tuple[int, int]
"""A row's id and its project's."""


async def _hotlines(
    connection: AsyncConnection, normalise: Normalise
) -> dict[tuple[str, str], Place]:
    """By number, as it was written and normalised: trunks write it as they like (+86, 0 …)."""
    asked = select(Hotline.pbx, Hotline.number, Hotline.id, Hotline.project_id)
    rows = (await connection.execute(asked.order_by(Hotline.id.desc()))).all()
    found = {
        (row.pbx, plain): (row.id, row.project_id)
        for row in rows
        if (plain := normalise(row.number))
    }
    found.update({(row.pbx, row.number): (row.id, row.project_id) for row in rows})
    return found


async def _queues(connection: AsyncConnection, names: set[str]) -> dict[tuple[str, str], Place]:
    if not names:
        return {}
    asked = select(Queue.pbx, Queue.name, Queue.id, Queue.project_id)
    rows = await connection.execute(asked.where(Queue.name.in_(sorted(names))))
    return {(pbx, name): (id_, project) for pbx, name, id_, project in rows}


async def _customers(connection: AsyncConnection, numbers: set[str]) -> dict[str, int]:
    if not numbers:
        return {}
    asked = select(PhoneNumber.number, func.min(PhoneNumber.customer_id))
    rows = await connection.execute(
        asked.where(PhoneNumber.number.in_(sorted(numbers)))
        .group_by(PhoneNumber.number)
        .having(func.count() == 1)  # (number, customer) is unique
    )
    return {row[0]: row[1] for row in rows}
