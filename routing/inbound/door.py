"""At the door: to which queue an incoming call goes, before whom, and whose phone rings first. Pure.

Fed with events it knows who is ready; asked, it joins that with what the records know of the caller.
Nothing here is needed for a call to go on: without an answer the dialplan leads it to the queue of its
hotline.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from crm_core.commands import CallerKnown, WayIn
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    Event,
    LinkChanged,
    LinkState,
)
from crm_core.ids import PbxId, UserId

MOST_FIRST_SECONDS = 20
"""How long the last agent's phone rings at most, before the queue: the caller does not know why he
waits."""


_HEARS = frozenset({AgentSignedIn, AgentSignedOut, AgentStateChanged, LinkChanged})


@dataclass(frozen=True, slots=True)
class _Seated:
    interface: str
    queues: tuple[str, ...]


@dataclass(slots=True)
class Door:
    """Who sits where, and who is ready, by PBX."""

    _seated: dict[tuple[PbxId, UserId], _Seated] = field(default_factory=dict)
    _ready: set[tuple[PbxId, UserId]] = field(default_factory=set)
    _up: set[PbxId] = field(default_factory=set)

    def feed(self, event: Event) -> None:
        """Take one event into the picture."""
        if type(event) not in _HEARS:
            return  # every event comes by here, before the pop
        match event:
            case AgentSignedIn():
                self._seated[event.pbx, event.user] = _Seated(event.interface, event.queues)
            case AgentSignedOut():
                self._seated.pop((event.pbx, event.user), None)
                self._ready.discard((event.pbx, event.user))
            case AgentStateChanged(state=AgentState.READY):
                self._ready.add((event.pbx, event.user))
            case AgentStateChanged():
                self._ready.discard((event.pbx, event.user))
            case LinkChanged(state=LinkState.UP):
                self._up.add(event.pbx)
            case LinkChanged():
                self._up.discard(event.pbx)

    def way_in(self, pbx: PbxId, caller: CallerKnown) -> WayIn:
        """Where this caller goes."""
        first = self._first(pbx, caller)
        return WayIn(
            queue=caller.queue,
            max_wait_seconds=caller.max_wait_seconds,
            priority=priority_of(caller),
            first=first,
            first_seconds=min(caller.ring_seconds, MOST_FIRST_SECONDS) if first else 0,
        )

    def _first(self, pbx: PbxId, caller: CallerKnown) -> str | None:
        """The device of the last agent, if that one takes calls of this queue and is ready now."""
        if caller.last_agent is None or pbx not in self._up:
            return None
        key = (pbx, caller.last_agent)
        seated = self._seated.get(key)
        if seated is None or key not in self._ready or caller.queue not in seated.queues:
            return None
        return seated.interface


def priority_of(caller: CallerKnown) -> int:
    """The highest that the hotline gives to one of the caller's grades; who has none waits as all do."""
    priorities = dict(caller.priorities)
    return max((priorities.get(grade, 0) for grade in caller.grades), default=0)
