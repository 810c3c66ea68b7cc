"""A site's own years: old `queue_log` files become calls, `queue_log_only`. No PBX is needed.

The same parser and fold as the live feed's, the same writer's rows; so it may be done twice, beside a
running product, with files that the live feed has read too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.call_log.history import UNKNOWN_RUN, Gathering, History, HistoryWriter
from crm_core.call_log.resuming import known_boots
from crm_core.centre.holders import HolderBook
from crm_core.centre.queries import holdings, people
from crm_core.customers.phone_numbers import normalise
from crm_core.db import reading
from crm_core.ids import PbxId
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.old_files import BadPiece, OldFiles

LOOK_EVERY_ROWS = 2_000

Progress = Callable[[int, int], None]
"""Told the rows read and the calls found so far."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read, and what of it was news."""

    rows: int
    calls: int
    new_facts: int
    new_calls: int
    bad: Sequence[BadPiece]


async def import_queue_log(
    engine: AsyncEngine,
    paths: Sequence[Path],
    pbx: PbxId,
    *,
    now: datetime,
    region: str = "CN",
    numbers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read all of `paths` into the call log of `pbx`. What was written before an interruption stays,
    and the import is simply run again.

    `numbers`: agent numbers by members' names. Raises `Invalid` for a file that cannot be read.
    """
    holders = HolderBook()
    async with reading(engine) as connection:
        boots = await known_boots(connection, pbx)
        holders.know(await people(connection))
        for where, interface, holding in await holdings(connection):
            holders.hold(where, interface, holding)
    holders.name(numbers or {})
    writer = HistoryWriter(engine, pbx, holders, _normalising(region))
    files, gathering, count = OldFiles(paths), Gathering(), _Count()
    fold = QueueLogFold(pbx, boots, first_run=UNKNOWN_RUN)

    async def write(history: History) -> None:
        written = await writer.write(history)
        count.calls += len(history.calls)
        count.new_facts += written.facts
        count.new_calls += written.calls
        if progress is not None:
            progress(files.read, count.calls)

    for nth, row in enumerate(files.rows()):
        for event in fold.feed(row):
            gathering.add(event)
        if nth % LOOK_EVERY_ROWS == 0 and gathering.is_full:
            await write(gathering.over(row.at))
    for event in fold.ended(now):
        gathering.add(event)
    await write(gathering.rest())
    return Imported(files.read, count.calls, count.new_facts, count.new_calls, files.bad)


@dataclass(slots=True)
class _Count:
    calls: int = 0
    new_facts: int = 0
    new_calls: int = 0


def _normalising(region: str) -> Callable[[str | None], str | None]:
    """Callers call again: a number is looked at once."""
    known: dict[str | None, str | None] = {None: None}

    def normalised(raw: str | None) -> str | None:
        if raw not in known:
            known[raw] = normalise(raw, region).number
        return known[raw]

    return normalised


def utc_now() -> datetime:
    return datetime.now(UTC)
