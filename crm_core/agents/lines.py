"""What goes on at each phone, by the facts of its calls: what rings there and who talks there. Pure.

A ring is named by (call, attempt), a talk by (call, leg). Each begins once and ends once: what has
ended never begins again, so a late, double or misplaced fact changes nothing.

Most facts of a busy PBX may be about phones that nobody has signed in at. What such a call did is laid
aside as it was told, and folded when it comes to somebody's phone or somebody signs in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from crm_core.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallHeld,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    Direction,
    LegEnded,
    OfferEnded,
)
from crm_core.ids import CallId, QueuePassKey
from crm_core.quick_dataclass import dataclass

ENDED_KEPT = 2_000
"""So many calls that are over are remembered, lest a late fact bring one back."""

MOST_ASIDE = 64
"""Facts of one call that are laid aside; a caller who is offered for hours is folded from then on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A ring that goes on. `queue` is None for a call that came without one."""

    call: CallId
    queue: str | None
    began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A conversation, or a number that was dialled and nobody has answered yet."""

    call: CallId
    queue: str | None
    """The queue that the call came by last."""
    began_at: datetime
    answered: bool
    internal: bool
    """Between two seats: there is no customer to write about."""
    held: bool = False
    """The other party hears music."""


@dataclass(slots=True)
class Line:
    """One phone."""

    rings: dict[tuple[CallId, int], Ring] = field(default_factory=dict)
    talks: dict[tuple[CallId, str], Talk] = field(default_factory=dict)

    @property
    def talk(self) -> Talk | None:
        """The conversation that is shown: one that is on hold only where there is no other."""
        held = None
        for talk in self.talks.values():
            if not talk.held:
                return talk
            held = held or talk
        return held


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkOver:
    """A talk that was going on at this phone, or that was told only when it was over, ended."""

    interface: str
    at: datetime
    talk: Talk


@dataclass(slots=True)
class _Call:
    direction: Direction | None = None
    queue: str | None = None
    over: set[int | str] = field(default_factory=set)
    """Attempts and legs that have ended."""
    at: set[str] = field(default_factory=set)
    """The phones it was ever at."""
    held: dict[str, tuple[datetime, bool]] = field(default_factory=dict)
    """Leg → when that was last told, and whether its other party is on hold since."""

    def is_held(self, leg: str) -> bool:
        return leg in self.held and self.held[leg][1]


class Lines:
    """The phones of one PBX: those that are held, and those that their calls were at as well."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._calls: dict[CallId, _Call] = {}
        self._ended: OrderedDict[CallId, None] = OrderedDict()
        self._aside: dict[CallId, list[CallEvent]] = {}

    def at(self, interface: str) -> Line:
        """What goes on at this phone."""
        return self._lines.get(interface, _IDLE)

    def calls_without(self, live: frozenset[CallId]) -> list[CallId]:
        """The calls known here that are none of `live`."""
        return [call for call in (*self._calls, *self._aside) if call not in live]

    # --- calls at nobody's phone ------------------------------------------------------------------

    def lays_aside(self, fact: CallEvent, held: Container[str]) -> bool:
        """Whether nothing follows from this fact as long as nobody holds a phone of its call."""
        call = fact.call
        if call in self._calls:
            return False
        if call in self._ended:
            return True
        if type(fact) is CallEnded:
            self._is_over(call)
            return True
        aside = self._aside.setdefault(call, [])
        at_a_held_phone = type(fact) in _AT_A_PHONE and _interface_of(fact) in held
        if not at_a_held_phone and len(aside) < MOST_ASIDE:
            aside.append(fact)
            return True
        self._fold(self._aside.pop(call))
        return False

    def take_up(self) -> None:
        """Somebody signs in: whatever was laid aside may have been at this phone."""
        aside, self._aside = self._aside, {}
        self._fold(sorted((fact for facts in aside.values() for fact in facts), key=_AT))

    def _fold(self, facts: Iterable[CallEvent]) -> None:
        for fact in facts:
            _STEPS[type(fact)](self, fact)

    # --- facts ------------------------------------------------------------------------------------

    def started(self, event: CallStarted) -> None:
        if call := self._call(event.call):
            call.direction = event.direction

    def queued(self, event: CallQueued) -> None:
        if call := self._call(event.call):
            call.queue = event.queue_pass.queue

    def offered(self, event: CallOffered) -> None:
        call, interface = self._call(event.call), event.member.interface
        if call is None or interface is None or event.attempt in call.over:
            return
        ring = Ring(call=event.call, queue=_queue(event.queue_pass), began_at=event.at)
        self._line(interface, call).rings.setdefault((event.call, event.attempt), ring)

    def offer_ended(self, event: OfferEnded) -> bool:
        """Whether this is news."""
        call, interface = self._call(event.call), event.member.interface
        if call is None or interface is None or event.attempt in call.over:
            return False
        call.over.add(event.attempt)
        self._line(interface, call).rings.pop((event.call, event.attempt), None)
        return True

    def answered(self, event: CallAnswered) -> bool:
        """Whether a conversation began."""
        call, interface, leg = self._call(event.call), event.member.interface, _leg(event)
        if call is None or interface is None or leg in call.over:
            return False
        line = self._line(interface, call)
        for key in [key for key in line.rings if key[0] == event.call]:
            del line.rings[key]
            call.over.add(key[1])
        talk = line.talks.get((event.call, leg))
        if talk is not None and talk.answered:
            return False
        if talk is None:
            talk = self._talk(event, call, _queue(event.queue_pass))
        line.talks[event.call, leg] = replace(_as_answered(talk), held=call.is_held(leg))
        return True

    def held(self, event: CallHeld | CallResumed) -> None:
        """On hold, or no longer: of what was told about a leg the latest counts."""
        call, leg = self._call(event.call), event.leg
        if call is None or leg in call.over:
            return
        if leg not in call.held or call.held[leg][0] <= event.at:
            call.held[leg] = event.at, isinstance(event, CallHeld)
        line = self.at(event.member.interface or "")
        talk = line.talks.get((event.call, leg))
        if talk is not None:
            line.talks[event.call, leg] = replace(talk, held=call.is_held(leg))

    def placed(self, event: CallPlaced) -> None:
        call, interface, leg = self._call(event.call), event.member.interface, _leg(event)
        if call is None or interface is None or leg in call.over:
            return
        talk = self._talk(event, call, None, answered=False)
        self._line(interface, call).talks.setdefault((event.call, leg), talk)

    def conversation_ended(self, event: ConversationEnded) -> list[TalkOver]:
        call, interface, leg = self._call(event.call), event.member.interface, _leg(event)
        if call is None or interface is None or leg in call.over:
            return []
        talks = self._line(interface, call).talks
        mine = [key for key in talks if key[0] == event.call]
        if event.leg is None and (event.call, leg) not in talks and len(mine) == 1:
            leg = mine[0][1]  # told without its channel: it can be no other
        call.over.add(leg)
        talk = talks.pop((event.call, leg), None)
        # Told only now that there was one: what follows it follows all the same.
        talk = talk or self._talk(event, call, _queue(event.queue_pass))
        return [TalkOver(interface=interface, at=event.at, talk=_as_answered(talk))]

    def leg_ended(self, event: LegEnded) -> list[TalkOver]:
        """A number that was dialled and not answered ends with the leg that dialled it."""
        over = [each for each in self._talks_of(event.call) if each[1][1] == event.unique_id]
        return self._end(event.at, over)

    def call_ended(self, event: CallEnded) -> list[TalkOver]:
        return self.forget(event.call, event.at)

    def forget(self, call: CallId, at: datetime) -> list[TalkOver]:
        """This call is over, and with it all that it did at any phone."""
        over = self._end(at, list(self._talks_of(call)))
        known = self._calls.pop(call, None)
        for interface in known.at if known else ():
            line = self.at(interface)
            for key in [key for key in line.rings if key[0] == call]:
                del line.rings[key]
            if not line.rings and not line.talks:
                self._lines.pop(interface, None)
        self._is_over(call)
        return over

    def phones_of(self, call: CallId) -> frozenset[str]:
        """The phones that this living call was ever at."""
        known = self._calls.get(call)
        return frozenset(known.at) if known else frozenset()

    # --- small things -----------------------------------------------------------------------------

    def _is_over(self, call: CallId) -> None:
        self._aside.pop(call, None)
        self._ended[call] = None
        while len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

    def _call(self, call: CallId) -> _Call | None:
        """What is known of it; None: it is over."""
        known = self._calls.get(call)
        if known is None and call not in self._ended:
            known = self._calls[call] = _Call()
        return known

    def _line(self, interface: str, call: _Call) -> Line:
        call.at.add(interface)
        line = self._lines.get(interface)
        if line is None:
            line = self._lines[interface] = Line()
        return line

    def _talk(
        self,
        event: CallAnswered | CallPlaced | ConversationEnded,
        call: _Call,
        queue: str | None,
        *,
        answered: bool = True,
    ) -> Talk:
        return Talk(
            call=event.call,
            queue=queue or call.queue,
            began_at=event.at,
            answered=answered,
            internal=call.direction is Direction.INTERNAL,
        )

    def _talks_of(self, call: CallId) -> Iterator[tuple[str, tuple[CallId, str]]]:
        known = self._calls.get(call)
        for interface in known.at if known is not None else ():
            for key in self.at(interface).talks:
                if key[0] == call:
                    yield interface, key

    def _end(self, at: datetime, over: Iterable[tuple[str, tuple[CallId, str]]]) -> list[TalkOver]:
        ended = []
        for interface, key in over:
            self._calls[key[0]].over.add(key[1])
            talk = self._lines[interface].talks.pop(key)
            ended.append(TalkOver(interface=interface, at=at, talk=talk))
        return ended


_IDLE: Final = Line()
"""A phone at which nothing goes on; only looked at."""


def _as_answered(talk: Talk) -> Talk:
    return talk if talk.answered else replace(talk, answered=True)


def _queue(queue_pass: QueuePassKey | None) -> str | None:
    return queue_pass.queue if queue_pass is not None else None


def _leg(event: CallAnswered | CallPlaced | ConversationEnded) -> str:
    """What names the talk within its call, where no channel is known the pass or the phone."""
    if event.leg is not None:
        return event.leg
    named = None if isinstance(event, CallPlaced) else event.queue_pass
    return f"{named or ''} {event.member.interface}"


_STEPS: Final[Mapping[type[CallEvent], Callable[[Lines, Any], object]]] = {
    CallStarted: Lines.started,
    CallQueued: Lines.queued,
    CallOffered: Lines.offered,
    OfferEnded: Lines.offer_ended,
    CallAnswered: Lines.answered,
    CallPlaced: Lines.placed,
    CallHeld: Lines.held,
    CallResumed: Lines.held,
    ConversationEnded: Lines.conversation_ended,
    LegEnded: Lines.leg_ended,
}
"""How a fact that was laid aside is folded; what it answers was nobody's."""
_AT_A_PHONE: Final = frozenset(
    {
        *(CallOffered, OfferEnded, CallAnswered, CallPlaced),
        *(CallHeld, CallResumed, ConversationEnded),
    }
)
_interface_of: Final[Callable[[Any], str | None]] = attrgetter("member.interface")
_AT: Final = attrgetter("at")
