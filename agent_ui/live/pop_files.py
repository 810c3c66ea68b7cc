"""What is known of the callers of live calls: looked up when a call enters a queue, kept for it.

By the time the phone rings the answer is usually here, so that the screen pop waits for nothing. A
database that is away costs the customer's name, never the pop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import field
from typing import Any

from agent_ui.directory import Directory
from crm_core.customers.phone_numbers import normalise
from crm_core.events import Direction
from crm_core.ids import CallId, CustomerId
from crm_core.live_board.board import LiveCall
from crm_core.pop_query import PopFile, PopQuery
from crm_core.quick_dataclass import dataclass

log = logging.getLogger("zuoxi.pop")

PATIENCE_SECONDS = 0.5
KEPT = 4_000
"""Calls whose answers are kept; the eldest go first. Ended ones stay for the note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the customer's number told. `available` is False where the database did not answer."""

    number: str | None
    """Normalised; None: withheld or no number at all."""
    file: PopFile
    available: bool = True
    told: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What `frames` has made of it, for each kind of viewer."""


NOTHING = Known(number=None, file=PopFile())


class PopFiles:
    """One look-up per call, shared by everybody who shows it."""

    def __init__(self, query: PopQuery, directory: Directory, region: str) -> None:
        self._query, self._directory, self._region = query, directory, region
        self._asked: OrderedDict[CallId, asyncio.Future[Known]] = OrderedDict()
        self._chosen: OrderedDict[CallId, CustomerId] = OrderedDict()

    def ask(self, live: LiveCall) -> asyncio.Future[Known]:
        """The answer for this call, begun now unless it was before. Never fails."""
        asked = self._asked.get(live.call)
        if asked is None:
            asked = self._asked[live.call] = asyncio.ensure_future(self._look_up(live))
            if len(self._asked) > KEPT:
                self._asked.popitem(last=False)
        return asked

    def known(self, call: CallId) -> Known | None:
        """The answer if it is here already."""
        asked = self._asked.get(call)
        return asked.result() if asked is not None and asked.done() else None

    def choose(self, call: CallId, customer: CustomerId) -> None:
        """An agent said which of several customers it is."""
        self._chosen[call] = customer
        if len(self._chosen) > KEPT:
            self._chosen.popitem(last=False)

    def chosen(self, call: CallId) -> CustomerId | None:
        return self._chosen.get(call)

    def forget(self, call: CallId) -> None:
        """The next one who asks gets a new answer."""
        self._asked.pop(call, None)

    def changed(self, customer: CustomerId) -> None:
        """A file was edited or created: answers that hold it, or found nobody, are stale."""
        stale = [
            call
            for call, asked in self._asked.items()
            if asked.done() and _may_hold(asked.result(), customer)
        ]
        for call in stale:
            self.forget(call)

    def number_of(self, live: LiveCall) -> str | None:
        """The customer's side of a call, normalised; None: withheld."""
        raw = live.caller_number if live.direction is Direction.INBOUND else live.called_number
        return normalise(raw, self._region).number if raw else None

    async def _look_up(self, live: LiveCall) -> Known:
        number = self.number_of(live)
        if number is None or live.direction is Direction.INTERNAL:
            return Known(number=number, file=PopFile())
        project = self._directory.project_of(live.pbx, live.called_number, live.queue)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                file = await self._query.pop_file(
                    number, project, live.entered_at or live.started_at, live.call
                )
        except Exception as wrong:
            log.warning("call %s: the caller could not be looked up: %r", live.call, wrong)
            return Known(number=number, file=PopFile(), available=False)
        return Known(number=number, file=file)


def _may_hold(known: Known, customer: CustomerId) -> bool:
    held = known.file.customers
    return not held or any(one.id == customer for one in held)
