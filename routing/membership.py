"""Who belongs in which queue: pure. Signing in adds the member, signing out removes it.

A member is added as interface + agent number, so that `queue_log`, which knows only the member's
name, names the person. Fed events, it answers commands; it keeps what ought to be so. While the link
to a PBX is away nothing is asked of it; when it comes up, all is asked again (adding twice is once),
and members of ours who are signed in no more are taken out. What Asterisk would not do (a queue that
it does not know yet, no answer in time) is asked again and again, ever less often, while it is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crm_core.commands import AddMember, Command, RemoveMember
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    Event,
    Feed,
    FeedHeard,
    LinkChanged,
    LinkState,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import PbxId

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(seconds=30)
"""Before a command that was not done is asked again."""


@dataclass(frozen=True, slots=True)
class _Again:
    at: datetime
    pause: timedelta


@dataclass(slots=True)
class Membership:
    """What ought to be: device → (agent number, queues), per PBX. `ours` are the seats' interfaces.

    A member whose interface is none of our seats' is somebody else's: a foreign site keeps its
    static members untouched.
    """

    ours: frozenset[tuple[PbxId, str]] = frozenset()
    _wanted: dict[tuple[PbxId, str], AgentSignedIn] = field(default_factory=dict)
    _leaving: dict[tuple[PbxId, str, str], None] = field(default_factory=dict)
    """(pbx, interface, queue) to be taken out, until Asterisk says that it is gone."""
    _up: set[PbxId] = field(default_factory=set)
    _again: dict[Command, _Again] = field(default_factory=dict)
    """What was asked and not done."""

    def not_done(self, command: Command, at: datetime) -> bool:
        """Ask it again later. False: it was tried before, and is no news."""
        former = self._again.get(command)
        pause = min(2 * former.pause, LONGEST_PAUSE) if former is not None else FIRST_PAUSE
        self._again[command] = _Again(at + pause, pause)
        return former is None

    def done(self, command: Command) -> None:
        self._again.pop(command, None)

    def feed(self, event: Event) -> list[Command]:
        """The commands that make Asterisk's queues equal to who is signed in."""
        commands: list[Command] = []
        match event:
            case AgentSignedIn():
                commands = self._signed_in(event)
            case AgentSignedOut():
                commands = self._signed_out(event)
            case LinkChanged():
                commands = self._link_changed(event)
            case FeedHeard(feed=Feed.AMI):
                return self._due(event)
            case QueueMemberSeen():
                return self._seen(event)
            case QueueMemberGone():
                self._leaving.pop((event.pbx, event.member.interface or "", event.queue), None)
        self._remember(commands)
        return commands if event.pbx in self._up else []

    def _remember(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, RemoveMember):
                self._leaving[command.pbx, command.interface, command.queue] = None
            elif isinstance(command, AddMember):
                self._leaving.pop((command.pbx, command.interface, command.queue), None)

    def _due(self, event: FeedHeard) -> list[Command]:
        """What is to be asked again by now; what nobody wants any more is forgotten."""
        if event.pbx not in self._up:
            return []
        for command in [each for each in self._again if not self._is_wanted(each)]:
            del self._again[command]
        return [
            command
            for command, again in self._again.items()
            if command.pbx == event.pbx and again.at <= event.at
        ]

    def _is_wanted(self, command: Command) -> bool:
        if isinstance(command, AddMember):
            wanted = self._wanted.get((command.pbx, command.interface))
            return wanted is not None and command in _added(wanted)
        assert isinstance(command, RemoveMember)
        return (command.pbx, command.interface, command.queue) in self._leaving

    def _link_changed(self, event: LinkChanged) -> list[Command]:
        self._again = {each: when for each, when in self._again.items() if each.pbx != event.pbx}
        if event.state is not LinkState.UP:
            self._up.discard(event.pbx)
            return []
        self._up.add(event.pbx)
        # A sign-out that Asterisk did not get is asked again: nobody may ring at an empty seat.
        gone: list[Command] = [
            RemoveMember(pbx=pbx, queue=queue, interface=interface)
            for pbx, interface, queue in self._leaving
            if pbx == event.pbx
        ]
        return gone + [
            command
            for key, wanted in self._wanted.items()
            if key[0] == event.pbx
            for command in _added(wanted)
        ]

    def _signed_in(self, event: AgentSignedIn) -> list[Command]:
        key = (event.pbx, event.interface)
        self.ours |= {key}  # a seat that was imported while we run
        former = self._wanted.get(key)
        self._wanted[key] = event
        left = set(former.queues) - set(event.queues) if former is not None else set()
        return [*_removed(event.pbx, event.interface, left), *_added(event)]

    def _signed_out(self, event: AgentSignedOut) -> list[Command]:
        key = (event.pbx, event.interface)
        former = self._wanted.get(key)
        if former is not None and former.user != event.user:
            return []  # the seat has been taken over meanwhile: its new holder stays
        self._wanted.pop(key, None)
        queues = {*event.queues, *(former.queues if former is not None else ())}
        return _removed(event.pbx, event.interface, queues)

    def _seen(self, event: QueueMemberSeen) -> list[Command]:
        interface = event.member.interface
        if interface is None or (event.pbx, interface) not in self.ours:
            return []
        wanted = self._wanted.get((event.pbx, interface))
        if wanted is None or event.queue not in wanted.queues:
            return _removed(event.pbx, interface, {event.queue})
        if event.member.name != wanted.agent_number:
            # The seat's former holder is still in the queue: his name would stand in queue_log.
            return [
                *_removed(event.pbx, interface, {event.queue}),
                _member(wanted, event.queue),
            ]
        return []


def _added(wanted: AgentSignedIn) -> list[Command]:
    return [_member(wanted, queue) for queue in wanted.queues]


def _member(wanted: AgentSignedIn, queue: str) -> AddMember:
    return AddMember(
        pbx=wanted.pbx,
        queue=queue,
        interface=wanted.interface,
        agent_number=wanted.agent_number,
    )


def _removed(pbx: PbxId, interface: str, queues: set[str]) -> list[Command]:
    return [RemoveMember(pbx=pbx, queue=queue, interface=interface) for queue in sorted(queues)]
