"""One line of the log for each call that has ended, from the facts of AMI. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crm_core.events import (
    CallAnswered,
    CallEnded,
    CallQueued,
    CallStarted,
    ConversationEnded,
    Event,
)
from crm_core.ids import CallId

MOST_LIVING: Final = 20_000
"""Calls that are kept; of older ones, whose end nobody told, the line says less."""


@dataclass(slots=True)
class _Living:
    started: CallStarted
    queue: str | None = None
    queued_at: datetime | None = None
    answered_at: datetime | None = None
    agent: str | None = None
    talking_since: datetime | None = None
    talked: timedelta = timedelta()


class CallLines:
    """Fed every event; answers the line when a call ends."""

    def __init__(self) -> None:
        self._living: OrderedDict[CallId, _Living] = OrderedDict()

    def feed(self, event: Event) -> str | None:
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, event)
            return None
        return self._ended(event) if isinstance(event, CallEnded) else None

    def _started(self, event: CallStarted) -> None:
        self._living.setdefault(event.call, _Living(event))
        if len(self._living) > MOST_LIVING:
            self._living.popitem(last=False)

    def _queued(self, event: CallQueued) -> None:
        call = self._living.get(event.call)
        if call is not None:
            call.queue, call.queued_at = event.queue_pass.queue, event.at

    def _answered(self, event: CallAnswered) -> None:
        call = self._living.get(event.call)
        if call is not None:
            call.answered_at = call.answered_at or event.at
            call.talking_since = call.talking_since or event.at
            call.agent = event.member.name or event.member.interface

    def _conversation_ended(self, event: ConversationEnded) -> None:
        call = self._living.get(event.call)
        if call is not None and call.talking_since is not None:
            call.talked += event.at - call.talking_since
            call.talking_since = None

    def _ended(self, event: CallEnded) -> str:
        call = self._living.pop(event.call, None)
        seen = "" if event.seen else "; nobody saw its end"
        if call is None:
            return f"call {event.call} ended on {event.pbx}{seen}"
        begun = call.started
        queue = f", queue {call.queue}" if call.queue else ""
        return (
            f"call {event.call} ended: {begun.direction} on {event.pbx} from "
            f"{begun.caller_number or 'a hidden number'} to {begun.called_number or 'nobody known'}"
            f"{queue}, {_fate(call, event.at)}{seen}"
        )


def _fate(call: _Living, ended_at: datetime) -> str:
    began = call.queued_at or call.started.at
    if call.answered_at is None:
        return f"not answered, waited {_seconds(ended_at - began)} s"
    talked = call.talked
    if call.talking_since is not None:
        talked += ended_at - call.talking_since
    return (
        f"answered by {call.agent} after {_seconds(call.answered_at - began)} s, "
        f"talked {_seconds(talked)} s"
    )


def _seconds(length: timedelta) -> int:
    return max(0, round(length.total_seconds()))


_STEPS: Mapping[type[Event], Callable[[CallLines, Any], None]] = {
    CallStarted: CallLines._started,
    CallQueued: CallLines._queued,
    CallAnswered: CallLines._answered,
    ConversationEnded: CallLines._conversation_ended,
}
