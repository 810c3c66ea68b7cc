"""Whose call it is: project, hotline, queues and customer, looked up for a whole batch at once.

The hotline that was dialled names the project; else the first queue does; else the default project
takes the call. The customer is named only when exactly one has the number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.driver import rows_with
from crm_core.centre.models import Hotline, Project, Queue
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass


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


PLACES_SECONDS = 1.0
"""How long hotlines and queues are believed: nobody changes them more often, and calls come faster."""


class Owners:
    """Answers whose calls are. `forget` when a transaction failed: a place may be gone."""

    def __init__(self, normalise: Normalise) -> None:
        self._normalise = normalise
        self._places: Places | None = None
        self._read_at = 0.0

    def forget(self) -> None:
        self._places = None

    async def of(self, connection: AsyncConnection, clues: Collection[Clues]) -> dict[Clues, Owner]:
        """The owner for each; one question however many there are, and the places once a second."""
        if not clues:
            return {}
        now = time.monotonic()
        if self._places is None or now - self._read_at > PLACES_SECONDS:
            self._places, self._read_at = await _places(connection, self._normalise), now
        customers = await _customers(
            connection, {each.customer_number for each in clues if each.customer_number}
        )
        return {each: _owner(each, self._places, customers) for each in clues}


def _owner(clues: Clues, places: Places, customers: Mapping[str, int]) -> Owner:
    hotline = next((h for n in clues.called if (h := places.hotlines.get((clues.pbx, n)))), None)
    mine = {name: queue for name in clues.queues if (queue := places.queues.get((clues.pbx, name)))}
    by_queue = next(iter(mine.values()), None)
    return Owner(
        project_id=hotline[1] if hotline else by_queue[1] if by_queue else places.default_project,
        hotline_id=hotline[0] if hotline else None,
        customer_id=customers.get(clues.customer_number or ""),
        queue_ids={name: queue[0] for name, queue in mine.items()},
    )


Place = tuple[int, int]
"""A row's id and its project's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Hotlines and queues of all PBXs, by PBX and number or name."""

    hotlines: Mapping[tuple[str, str], Place]
    queues: Mapping[tuple[str, str], Place]
    default_project: int | None


async def _places(connection: AsyncConnection, normalise: Normalise) -> Places:
    queues = await connection.execute(select(Queue.pbx, Queue.name, Queue.id, Queue.project_id))
    default = select(Project.id).where(Project.is_default).order_by(Project.id).limit(1)
    return Places(
        hotlines=await _hotlines(connection, normalise),
        queues={(pbx, name): (id_, project) for pbx, name, id_, project in queues},
        default_project=await connection.scalar(default),
    )


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


# (number, customer) is unique.
_CUSTOMERS = """
SELECT number, min(customer_id) FROM phone_numbers WHERE number IN {keys}
GROUP BY number HAVING count(*) = 1
"""


async def _customers(connection: AsyncConnection, numbers: set[str]) -> dict[str, int]:
    found = await rows_with(connection, _CUSTOMERS, sorted(numbers))
    return {row[0]: row[1] for row in found}
