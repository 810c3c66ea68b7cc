"""Who holds which phone: the one rule that turns a queue member into a person (design 16).

Pure. `HolderBook` is primed from the tables (users, seat_holdings) and fed with sign-ins, sign-outs
and the members that Asterisk shows; the recorder, the live board and the API ask it. Every figure is
credited to whoever held the interface *at that moment*, so it keeps the past and is asked with an
instant.

On a site whose agents never open Zuoxi nobody holds anything: there a member is the person whose usual
extension his phone has.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime

from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    Event,
    Member,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import PbxId, UserId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRef:
    """Who it was, as far as anybody knows: `user_id` and `agent_number` None for nobody we know.

    `name` is then the member's name as Asterisk has it.
    """

    user_id: UserId | None = None
    agent_number: str | None = None
    name: str | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user who may take calls. `extension` is the usual device, on `pbx` (None: on any)."""

    user_id: UserId
    name: str
    agent_number: str | None = None
    pbx: PbxId | None = None
    extension: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One sign-in of one person at one interface; `ended_at` None while it lasts."""

    user_id: UserId
    began_at: datetime
    ended_at: datetime | None = None

    def covers(self, at: datetime) -> bool:
        return self.began_at <= at and (self.ended_at is None or at < self.ended_at)


Device = tuple[PbxId, str]
"""An interface of one PBX."""

# PJSIP/8001, Local/100@from-queue/n, hint:100@ext-local: what a person would call the extension.
_EXTENSION = re.compile(r"(?:[A-Za-z0-9]+/|hint:)([^@/]+)")


def extension_of(interface: str) -> str | None:
    """The extension in an interface or StateInterface.

    `PJSIP/8001` → 8001, `Local/100@from-queue/n` → 100, `hint:100@ext-local` → 100.
    """
    found = _EXTENSION.match(interface)
    return found.group(1) if found else None


@dataclass(slots=True)
class HolderBook:
    """Who held which interface when, and who a member is."""

    _people: dict[UserId, Person] = field(default_factory=dict)
    _by_number: dict[str, UserId] = field(default_factory=dict)
    _by_extension: dict[str, tuple[UserId, ...]] = field(default_factory=dict)
    _holdings: dict[Device, list[Holding]] = field(default_factory=dict)
    _devices_of: dict[UserId, dict[Device, None]] = field(default_factory=dict)
    _state_interfaces: dict[Device, str] = field(default_factory=dict)
    """Of members whose state is another device's: `Local/100@from-queue/n` → `hint:100@ext-local`."""
    _bearers: dict[tuple[PbxId, str], dict[tuple[str, str], datetime | None]] = field(
        default_factory=dict
    )
    """A member's name → (interface, queue) of all who bear it; until when, None: still."""
    _numbers_of_names: dict[str, str] = field(default_factory=dict)

    # --- what it is told --------------------------------------------------------------------------

    def know(self, people: Iterable[Person]) -> None:
        """Take users as the table has them now; those it does not name are kept as they were."""
        self._people.update((person.user_id, person) for person in people)
        self._by_number, self._by_extension = {}, {}
        for person in self._people.values():
            if person.agent_number:
                self._by_number[person.agent_number] = person.user_id
            if person.extension:
                others = self._by_extension.get(person.extension, ())
                self._by_extension[person.extension] = (*others, person.user_id)

    def name(self, numbers: Mapping[str, str]) -> None:
        """The agent numbers of members whose names are none (an old `queue_log`: 张三 → 1001)."""
        self._numbers_of_names.update(numbers)

    def hold(self, pbx: PbxId, interface: str, holding: Holding) -> None:
        """Take one row of seat_holdings. The same one again changes nothing but its end."""
        device = (pbx, interface)
        held = self._holdings.setdefault(device, [])
        same = (holding.user_id, holding.began_at)
        for known in [known for known in held if (known.user_id, known.began_at) == same]:
            held.remove(known)
            holding = replace(holding, ended_at=holding.ended_at or known.ended_at)
        insort(held, holding, key=_began)
        self._devices_of.setdefault(holding.user_id, {})[device] = None

    def feed(self, event: Event) -> None:
        """Sign-ins, sign-outs and members; every other event is nothing to this book."""
        if type(event) not in _HEARS:
            return  # every event comes by here, before the pop
        if isinstance(event, AgentSignedIn):
            self._sign_in(event)
        elif isinstance(event, AgentSignedOut):
            self._end((event.pbx, event.interface), event.user, event.at)
        elif isinstance(event, QueueMemberSeen):
            self._seen(event)
        elif isinstance(event, QueueMemberGone):
            self._bears(event.pbx, event.queue, event.member, until=event.at)

    def _seen(self, event: QueueMemberSeen) -> None:
        interface, state_interface = event.member.interface, event.state_interface
        if interface and state_interface:
            self._state_interfaces[event.pbx, interface] = state_interface
        self._bears(event.pbx, event.queue, event.member, until=None)

    def _bears(self, pbx: PbxId, queue: str, member: Member, until: datetime | None) -> None:
        if member.interface and member.name:
            self._bearers.setdefault((pbx, member.name), {})[member.interface, queue] = until

    def _sign_in(self, event: AgentSignedIn) -> None:
        known = self._people.get(event.user) or Person(user_id=event.user, name=event.name)
        self.know([replace(known, name=event.name, agent_number=event.agent_number)])
        device = (event.pbx, event.interface)
        # One person at a device, one device for a person: what was held before ends here.
        for holding in self._holdings.get(device, []):
            self._end(device, holding.user_id, event.at)
        for other in self._devices_of.get(event.user, {}):
            self._end(other, event.user, event.at)
        self.hold(event.pbx, event.interface, Holding(user_id=event.user, began_at=event.at))

    def _end(self, device: Device, user: UserId, at: datetime) -> None:
        held = self._holdings.get(device, [])
        for place, known in enumerate(held):
            if known.user_id == user and known.ended_at is None and known.began_at < at:
                held[place] = replace(known, ended_at=at)

    # --- what it answers --------------------------------------------------------------------------

    def holder(self, pbx: PbxId, member: Member, at: datetime) -> AgentRef:
        """Who `member` was at that moment.

        The holder of the interface; else who has the member's name for an agent number; else whose
        usual extension it is, if only one person's; else the member's name stands. `queue_log` knows
        the name alone: it is an interface only where no two members bear it.
        """
        interface = (
            member.interface
            or _interface_in(member.name)
            or self._left_behind(pbx, member.name, at)
            or self._only_bearer(pbx, member.name, at)
        )
        number = self._numbers_of_names.get(member.name or "")
        person = (
            self._holder_of(pbx, interface, at)
            or self._people.get(self._by_number.get(number or member.name or "", _NOBODY))
            or self._usual(pbx, interface)
        )
        if person is None:
            return AgentRef(agent_number=number, name=member.name, interface=interface)
        return AgentRef(
            user_id=person.user_id,
            agent_number=person.agent_number,
            name=person.name,
            interface=interface or self._held_by(pbx, person.user_id, at),
        )

    def _holder_of(self, pbx: PbxId, interface: str | None, at: datetime) -> Person | None:
        held = self._holdings.get((pbx, interface or ""), [])
        for holding in reversed(held[: bisect_right(held, at, key=_began)]):
            if holding.covers(at):
                return self._people.get(holding.user_id)
        return None

    def _left_behind(self, pbx: PbxId, number: str | None, at: datetime) -> str | None:
        """The phone that the person of this number has left and somebody else held at that moment.

        `queue_log` alone tells of it, under the number of who sat there before: the phone was taken
        over, and we crashed before Asterisk was told. None: nothing of the kind.
        """
        user = self._by_number.get(number or "", _NOBODY)
        if self._held_by(pbx, user, at) is not None:
            return None
        last: tuple[datetime, str] | None = None
        for device in self._devices_of.get(user, {}):
            for holding in self._holdings[device] if device[0] == pbx else ():
                if holding.user_id == user and holding.began_at <= at:
                    last = max(last or (holding.began_at, device[1]), (holding.began_at, device[1]))
        if last is None or self._holder_of(pbx, last[1], at) is None:
            return None
        return last[1]

    def _only_bearer(self, pbx: PbxId, name: str | None, at: datetime) -> str | None:
        """The one interface whose member has this name; None where there are two, never the first.

        Somebody known by this number may sit at another phone by now: then the name is no phone's.
        """
        if name is None or name in self._by_number:
            return None
        bearers = self._bearers.get((pbx, name), {})
        here = {device for (device, _), until in bearers.items() if until is None or at <= until}
        return next(iter(here)) if len(here) == 1 else None

    def _usual(self, pbx: PbxId, interface: str | None) -> Person | None:
        """Whose usual extension this phone has: by its StateInterface, then by the interface."""
        for device in (self._state_interfaces.get((pbx, interface or "")), interface):
            users = self._by_extension.get(extension_of(device or "") or "", ())
            here = [self._people[user] for user in users if self._people[user].pbx in (None, pbx)]
            if here:
                return here[0] if len(here) == 1 else None
        return None

    def _held_by(self, pbx: PbxId, user: UserId, at: datetime) -> str | None:
        """The interface this person held then: `queue_log` knows only the member's name."""
        for device in self._devices_of.get(user, {}):
            held = self._holdings[device]
            if device[0] == pbx and any(h.user_id == user and h.covers(at) for h in held):
                return device[1]
        return None


_NOBODY = UserId(0)
_HEARS = frozenset({AgentSignedIn, AgentSignedOut, QueueMemberSeen, QueueMemberGone})


def _began(holding: Holding) -> datetime:
    return holding.began_at


def _interface_in(name: str | None) -> str | None:
    # A member that was added without a name is called by its interface, in queue_log too.
    return name if name is not None and "/" in name and extension_of(name) else None
