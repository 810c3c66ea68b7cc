"""Is the centre ready to work? One sentence for each part it needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.beats import Beats
from crm_core.bus import Bus
from crm_core.commands import HowRecords, RecordsStand
from crm_core.db import reading
from crm_core.db_trouble import sentence
from crm_core.events import LinkState
from crm_core.ids import PbxId
from crm_core.live_board.board import LiveBoard, LiveLink
from crm_core.migrations import revisions, version_in
from crm_core.quick_dataclass import dataclass

PATIENCE_SECONDS = 2.0
"""A database that has not answered by then does not answer."""
KEPT_SECONDS = 1.0
"""Asked more often than this, the answer is the same: `/readyz` is open to everybody."""
BACKLOG = 20_000
"""So many events wait only where the database cannot keep up: a minute of a very busy centre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that is needed, and how it stands."""

    part: str
    ok: bool
    says: str


class Readiness:
    """`parts` answers within `PATIENCE_SECONDS`, whatever is away."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        bus: Bus,
        board: LiveBoard,
        pbxs: Iterable[PbxId],
        beats: Beats | None = None,
        now: Callable[[], datetime],
    ) -> None:
        self._engine, self._bus, self._board, self._now = engine, bus, board, now
        self._pbxs, self._beats = tuple(pbxs), beats
        self._asking: asyncio.Task[tuple[Part, ...]] | None = None
        self._asked_at = 0.0

    async def parts(self) -> tuple[Part, ...]:
        """Those who ask at the same time get the same answer."""
        at = time.monotonic()
        if self._asking is None or (self._asking.done() and at - self._asked_at > KEPT_SECONDS):
            self._asking, self._asked_at = asyncio.create_task(self._look()), at
        return await asyncio.shield(self._asking)

    async def _look(self) -> tuple[Part, ...]:
        records = await self._bus.ask(HowRecords(), PATIENCE_SECONDS)
        return (
            *await self._database(),
            *(services_of(self._beats, self._pbxs) if self._beats is not None else ()),
            *_records(records),
            *(_link(pbx, self._board.links.get(pbx), self._now()) for pbx in self._pbxs),
        )

    async def _database(self) -> tuple[Part, ...]:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), reading(self._engine) as connection:
                found = await version_in(connection)
        except TimeoutError:
            says = f"The database does not answer in {PATIENCE_SECONDS:.0f} s."
            return (Part(part="database", ok=False, says=says),)
        except Exception as wrong:  # whatever it is, it is the answer
            return (Part(part="database", ok=False, says=sentence(wrong)),)
        took = (time.perf_counter() - began) * 1000
        answers = Part(part="database", ok=True, says=f"The database answers in {took:.0f} ms.")
        return answers, _migrations(found, revisions()[-1])


def services_of(beats: Beats, pbxs: Iterable[PbxId]) -> Iterable[Part]:
    """Whether each of the other three services is served; for the telephony of each PBX."""
    for service, pbx in (("crm_core", ""), ("routing", ""), *(("telephony", p) for p in pbxs)):
        leader = beats.leader(service, pbx)
        waiting = sum(
            each.lives
            and not each.beat.leads
            and (each.beat.service, each.beat.pbx) == (service, pbx)
            for each in beats.services()
        )
        stands_by = f" {waiting} stand by." if waiting else ""
        says = (
            f"Last heard {leader.ago_seconds:.1f} s ago.{stands_by}"
            if leader is not None
            else f"No process serves this.{stands_by}"
        )
        yield Part(part=f"service {service} {pbx}".rstrip(), ok=leader is not None, says=says)
    pages = sum(each.lives and each.beat.service == "agent_ui" for each in beats.services())
    yield Part(part="service agent_ui", ok=pages > 0, says=f"{pages} serve pages.")


def _migrations(found: str | None, newest: str) -> Part:
    if found == newest:
        return Part(part="migrations", ok=True, says=f"The tables are at revision {newest}.")
    return Part(
        part="migrations",
        ok=False,
        says=(
            f"The tables are at revision {found or 'none'}, this version of Zuoxi needs {newest}: "
            "stop Zuoxi and start the version that fits."
        ),
    )


def _records(stand: RecordsStand | None) -> tuple[Part, ...]:
    if stand is None:
        return (Part(part="records", ok=False, says="The records do not answer."),)
    lease = "The records hold" if stand.lease_held else "The records have lost"
    return (
        Part(
            part="lease",
            ok=stand.lease_held,
            says=f"{lease} the lease on the database.",
        ),
        _recorder(stand),
    )


def _recorder(stand: RecordsStand) -> Part:
    if stand.trouble is not None:
        says = f"{stand.trouble} {stand.waiting} events wait to be written."
        return Part(part="recorder", ok=False, says=says)
    if stand.waiting > BACKLOG:
        says = f"{stand.waiting} events wait to be written: the database does not keep up."
        return Part(part="recorder", ok=False, says=says)
    return Part(part="recorder", ok=True, says=f"{stand.waiting} events wait to be written.")


def _link(pbx: PbxId, link: LiveLink | None, now: datetime) -> Part:
    part = f"link {pbx}"
    if link is None:
        return Part(part=part, ok=False, says="There was no link to Asterisk yet.")
    if link.state is LinkState.UP:
        says = f"Up for {span(now - link.since)}, last heard {span(now - link.heard_until)} ago."
        return Part(part=part, ok=True, says=says)
    why = f": {link.reason}" if link.reason else ""
    says = f"{link.state.value.capitalize()} for {span(now - link.since)}{why}."
    return Part(part=part, ok=False, says=says)


def span(length: timedelta) -> str:
    """`4 s`, `3 min`, `5 h`, `2 days`."""
    seconds = max(0, round(length.total_seconds()))
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
