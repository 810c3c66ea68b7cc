"""What frames and regions must know of the centre without asking the database each time.

Hotlines, queues, people, and the definitions of customer fields, read again every few seconds: they
change by an import from the command line, and a frame must not wait for a question.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.users import UserRow, list_users
from crm_core.agents.queries import PauseReasonInfo, pause_reasons
from crm_core.centre import queries as centre
from crm_core.centre.queries import HotlineInfo, QueueInfo
from crm_core.customers.fields import FieldDefinition, definitions
from crm_core.customers.phone_numbers import normalise
from crm_core.db import reading
from crm_core.db_trouble import is_away
from crm_core.ids import PbxId, UserId
from crm_core.quick_dataclass import dataclass

log = logging.getLogger("zuoxi.directory")

REFRESH_SECONDS = 5.0
REMEMBERED_NUMBERS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    hotlines: tuple[HotlineInfo, ...] = ()
    queues: Mapping[tuple[PbxId, str], QueueInfo]
    people: Mapping[UserId, UserRow]
    fields: tuple[FieldDefinition, ...] = ()
    pause_reasons: tuple[PauseReasonInfo, ...] = ()
    extensions: frozenset[tuple[PbxId, str]] = frozenset()


class Directory:
    """`refresh` once at the start; `run` keeps it fresh."""

    def __init__(self, engine: AsyncEngine, region: str) -> None:
        self._engine, self._region = engine, region
        self._picture = _Picture(queues={}, people={})
        self._dialled: dict[tuple[PbxId, str], HotlineInfo | None] = {}

    async def refresh(self) -> None:
        """Read everything anew."""
        async with reading(self._engine) as connection:
            picture = _Picture(
                hotlines=await centre.hotlines(connection),
                queues={
                    (queue.pbx, queue.name): queue for queue in await centre.queues(connection)
                },
                people={row.user_id: row for row in await list_users(connection)},
                fields=await definitions(connection),
                pause_reasons=await pause_reasons(connection, all_of_them=True),
                extensions=await centre.extensions(connection),
            )
        if picture.hotlines != self._picture.hotlines:
            self._dialled = {}
        self._picture = picture

    async def run(self) -> None:
        """For ever. While the database is away the last picture stays."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except Exception as wrong:
                if not is_away(wrong):
                    log.exception("the directory could not be read")
                    continue
                log.info("the directory stays as it was: the database is away")

    @property
    def fields(self) -> tuple[FieldDefinition, ...]:
        return self._picture.fields

    @property
    def pause_reasons(self) -> tuple[PauseReasonInfo, ...]:
        """In their order; those that are no longer offered, too."""
        return self._picture.pause_reasons

    @property
    def queues(self) -> Mapping[tuple[PbxId, str], QueueInfo]:
        return self._picture.queues

    @property
    def extensions(self) -> frozenset[tuple[PbxId, str]]:
        """Every seat of the centre: (PBX, extension)."""
        return self._picture.extensions

    @property
    def people(self) -> Mapping[UserId, UserRow]:
        return self._picture.people

    def titles(self, pbx: PbxId) -> dict[str, str]:
        """Asterisk's names of the queues of a PBX → what people read."""
        return {name: queue.title for (at, name), queue in self.queues.items() if at == pbx}

    def title(self, pbx: PbxId, queue: str | None) -> str:
        """A queue's title; its name where it is not one of ours, empty for none."""
        found = self.queues.get((pbx, queue or ""))
        return found.title if found else (queue or "")

    def hotline(self, pbx: PbxId, called_number: str | None) -> HotlineInfo | None:
        """The hotline with this number, however the trunk writes it."""
        if not called_number:
            return None
        key = (pbx, called_number)
        if key not in self._dialled:
            if len(self._dialled) >= REMEMBERED_NUMBERS:
                self._dialled.clear()
            self._dialled[key] = self._match(pbx, called_number)
        return self._dialled[key]

    def _match(self, pbx: PbxId, called_number: str) -> HotlineInfo | None:
        mine = [hotline for hotline in self._picture.hotlines if hotline.pbx == pbx]
        for hotline in mine:
            if hotline.number == called_number:
                return hotline
        wanted = self._normal(called_number)
        return next((one for one in mine if wanted and self._normal(one.number) == wanted), None)

    def _normal(self, number: str) -> str | None:
        return normalise(number, self._region).number

    def project_of(self, pbx: PbxId, called_number: str | None, queue: str | None) -> int | None:
        """The project a call belongs to: by the number dialled, else by its queue."""
        hotline = self.hotline(pbx, called_number)
        if hotline is not None:
            return hotline.project_id
        found = self.queues.get((pbx, queue or ""))
        return found.project_id if found else None
