"""Bugs to plant into the product, each small and plausible; the stories must find every one.

Some are mistakes that were there once and that the stories found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from crm_core.agents import states as agent_states
from crm_core.call_log import facts
from crm_core.events import ConversationEnded, Outcome, Tick
from crm_core.live_board import board
from telephony.calls import call, rings, snapshot
from telephony.calls.snapshot import Snapshot
from telephony.queue_log import merge
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.tail import QueueLogTail

Plant = Callable[[pytest.MonkeyPatch], None]


def _instead(where: Any, name: str, answer: Any) -> Plant:
    """`where.name(...)` does nothing and answers this (made anew each time where it can be called)."""

    def nothing(*_: Any, **__: Any) -> Any:
        return answer() if callable(answer) else answer

    return lambda patch: patch.setattr(where, name, nothing)


def _doubled_rings(patch: pytest.MonkeyPatch) -> None:
    begin = rings.Rings.begin

    def always(self: Any, *given: Any) -> None:
        known, self._offers = self._offers, []
        begin(self, *given)
        self._offers = known + self._offers

    patch.setattr(rings.Rings, "begin", always)


def _time_out_is_abandon(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(merge.CLOSING, "EXITWITHTIMEOUT", (Outcome.ABANDONED, None))


def _board_keeps_talks(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(board._STEPS, ConversationEnded, lambda *_: None)


def _all_passes_closed(patch: pytest.MonkeyPatch) -> None:
    resumed = merge._resumed
    patch.setattr(merge, "_resumed", lambda told: resumed(replace(told, closed=True)))


def _endless_wrap_up(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(agent_states._STEPS, Tick, lambda *_: [])


def _facts_as_they_come(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "_in_order", list)


def _talks_where_he_waited(patch: pytest.MonkeyPatch) -> None:
    put_talk = snapshot._put_talk

    def anywhere(at: Any, of: call.Call, other: Any, *rest: Any) -> None:
        stay = of.open_stay(other.unique_id)
        if stay is not None:
            other = replace(other, data=stay.key.queue)
        put_talk(at, of, other, *rest)

    patch.setattr(snapshot, "_put_talk", anywhere)


PLANTED: Mapping[str, Plant] = {
    "a ring that is told twice rings twice": _doubled_rings,
    "a time-out is an abandon, as AMI says": _time_out_is_abandon,
    "the board keeps who talks no more": _board_keeps_talks,
    "after a restart every pass is taken for closed": _all_passes_closed,
    "facts are taken in the order in which they come": _facts_as_they_come,
    "who talks talks where he waited last": _talks_where_he_waited,
    "an item is believed that an event has overtaken": _instead(Snapshot, "is_stale", False),
    "what a snapshot lacks lives on": _instead(snapshot, "_end_what_is_missing", None),
    "passes of a dead run stay open": _instead(QueueLogFold, "_end_former_runs", list),
    "a row is never of a later stay": _instead(merge, "_began_later", False),
    "the rest of a file that was turned over is all there is": _instead(
        QueueLogTail, "_following", None
    ),
    "wrap-up never ends": _endless_wrap_up,
}
