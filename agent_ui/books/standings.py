"""What the pages know of the two books without asking: the last word of each standing check, and gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from agent_ui.books.view import BooksLine, Compared, Reconciled, reconciled, seconds_within
from agent_ui.directory import Directory
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.viewer import Viewer
from crm_core.bus import Bus, Envelope
from crm_core.call_log.reconciled import gaps_since, standings
from crm_core.db import reading
from crm_core.events import BooksCompared, GapRecorded
from crm_core.ids import PbxId
from crm_core.settings import PbxUrl

KEPT = timedelta(days=2)
"""Gaps are remembered so long: figures of today need them."""

Gap = tuple[datetime, datetime]


class BookStandings:
    """`start` primes from the rows and listens."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        bus: Bus,
        directory: Directory,
        pbxs: Iterable[PbxUrl],
        now: Callable[[], datetime],
    ) -> None:
        self._engine, self._bus, self._directory, self._now = engine, bus, directory, now
        self._has_log = {one.pbx: one.demo or one.queue_log is not None for one in pbxs}
        self._began_at = now()
        self._compared: dict[PbxId, Compared] = {}
        self._gaps: dict[PbxId, list[Gap]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Listen first: what is told meanwhile is newer than the rows."""
        self._unsubscribe = self._bus.subscribe(self._heard)
        async with reading(self._engine) as connection:
            for pbx, until, recorded_from, differences in await standings(connection, self._now()):
                found = Compared(until=until, recorded_from=recorded_from, differences=differences)
                self._compared.setdefault(pbx, found)
            for pbx, began_at, ended_at in await gaps_since(connection, self._now() - KEPT):
                self._gaps.setdefault(pbx, []).append((began_at, ended_at))

    def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _heard(self, envelope: Envelope) -> None:
        event = envelope.event
        if isinstance(event, BooksCompared):
            self._compared[event.pbx] = Compared(
                until=event.until,
                recorded_from=event.recorded_from,
                differences=event.differences,
            )
        elif isinstance(event, GapRecorded):
            oldest = event.at - KEPT
            kept = [gap for gap in self._gaps.get(event.pbx, ()) if gap[1] >= oldest]
            self._gaps[event.pbx] = [*kept, (event.began_at, event.at)]

    # --- for viewers ------------------------------------------------------------------------------

    def pbxs_of(self, viewer: Viewer) -> tuple[PbxId, ...]:
        """The PBXs whose queues are the viewer's projects'; with the scope *all* every one."""
        if viewer.scope is DataScope.ALL:
            return tuple(sorted({*self._has_log, *self._compared}))
        own = {
            pbx
            for (pbx, _), queue in self._directory.queues.items()
            if queue.project_id in viewer.project_ids
        }
        return tuple(sorted(own & {*self._has_log, *self._compared}))

    def of(self, viewer: Viewer) -> tuple[Reconciled, ...]:
        """Each of the viewer's PBXs, at this moment."""
        return tuple(self.one(pbx) for pbx in self.pbxs_of(viewer))

    def one(self, pbx: PbxId) -> Reconciled:
        compared = self._compared.get(pbx)
        return reconciled(
            pbx,
            compared,
            self._now(),
            has_log=self._has_log.get(pbx, compared is not None),
            since=self._began_at,
        )

    def every(self) -> tuple[Reconciled, ...]:
        """All PBXs, for machines."""
        return tuple(self.one(pbx) for pbx in sorted({*self._has_log, *self._compared}))

    def line(self, viewer: Viewer, since: datetime | None = None) -> BooksLine:
        """The line of a page whose figures are of the time from `since` on, two days at most."""
        blind = 0
        if since is not None:
            blind = sum(
                seconds_within(self._gaps.get(pbx, []), since, self._now())
                for pbx in self.pbxs_of(viewer)
            )
        return BooksLine(
            pbxs=self.of(viewer), blind_seconds=blind, may_open=may_open_gap_book(viewer)
        )


def may_open_gap_book(viewer: Viewer) -> bool:
    """Supervisors and administrators: who reads calls beyond the own ones."""
    return viewer.may(Permission.READ_CALLS) and viewer.scope is not DataScope.OWN
