"""The present of one PBX as facts, and what a board has missed of it. Pure.

`Present` is fed by whoever tells of a PBX and holds what is needed to tell all that lives there once
more. `news_of` compares a board, however far behind, with that and answers the events that it lacks:
a board that missed nothing gets none, an empty one everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crm_core.events import (
    AgentSignedOut,
    AgentStateChanged,
    BootFound,
    CallEnded,
    CallEvent,
    DeviceSeen,
    Event,
    FromQueueLog,
    LinkChanged,
    NextStateChosen,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.board import LiveBoard
from crm_core.live_board.living import LiveCall


@dataclass(slots=True)
class Present:
    """What lives at `pbx`, folded from the events of its teller."""

    pbx: PbxId
    _calls: dict[CallId, list[CallEvent]] = field(default_factory=dict)
    _members: dict[tuple[str, str | None], QueueMemberSeen] = field(default_factory=dict)
    _phones: dict[str, DeviceSeen] = field(default_factory=dict)
    _states: dict[UserId, AgentStateChanged] = field(default_factory=dict)
    _choices: dict[UserId, NextStateChosen] = field(default_factory=dict)
    _link: LinkChanged | None = None

    def feed(self, event: Event) -> None:
        """Take one event; those of other PBXs are nothing to this."""
        if event.pbx != self.pbx:
            return
        match event:
            case CallEnded():
                self._calls.pop(event.call, None)
            case CallEvent() if not isinstance(event, FromQueueLog):
                self._calls.setdefault(event.call, []).append(event)
            case QueueMemberSeen():
                self._members[event.queue, event.member.interface] = event
            case QueueMemberGone():
                self._members.pop((event.queue, event.member.interface), None)
            case BootFound():
                self._members.clear()
            case DeviceSeen():
                self._phones[event.interface] = event
            case AgentStateChanged():
                self._states[event.user] = event
            case NextStateChosen():
                self._choices[event.user] = event
            case AgentSignedOut():
                self._states.pop(event.user, None)
                self._choices.pop(event.user, None)
            case LinkChanged():
                self._link = event

    def facts(self) -> tuple[Event, ...]:
        """All of it, in an order in which a board can take it."""
        return (
            *([self._link] if self._link is not None else ()),
            *self._members.values(),
            *self._phones.values(),
            *(fact for facts in self._calls.values() for fact in facts),
            *self._states.values(),
            *self._choices.values(),
        )


def news_of(board: LiveBoard, pbx: PbxId, facts: Sequence[Event], at: datetime) -> list[Event]:
    """The events that make `board` show what `facts`, a present told `at` this moment, say."""
    return [
        *_of_queues(board, pbx, facts, at),
        *_of_calls(board, pbx, facts, at),
        *_of_agents(board, facts),
        *_of_link(board, pbx, facts),
    ]


def _of_link(board: LiveBoard, pbx: PbxId, facts: Iterable[Event]) -> list[Event]:
    known = board.links.get(pbx)
    return [
        fact
        for fact in facts
        if isinstance(fact, LinkChanged)
        and (known is None or (known.state, known.reason) != (fact.state, fact.reason))
    ]


def _of_queues(board: LiveBoard, pbx: PbxId, facts: Sequence[Event], at: datetime) -> list[Event]:
    target = LiveBoard()
    news: list[Event] = []
    for fact in facts:
        if isinstance(fact, DeviceSeen):
            if board.phones.get((pbx, fact.interface)) is not fact.reachable:
                news.append(fact)
        elif isinstance(fact, QueueMemberSeen):
            target.feed(fact)
            queue = board.queues.get((pbx, fact.queue))
            if queue is None or target.queues[pbx, fact.queue].members[-1] not in queue.members:
                news.append(fact)
    for (its_pbx, name), queue in board.queues.items():
        there = target.queues.get((pbx, name))
        known = {each.member.interface for each in there.members} if there else set()
        if its_pbx == pbx:
            news += [
                QueueMemberGone(at=at, pbx=pbx, queue=name, member=each.member)
                for each in queue.members
                if each.member.interface not in known
            ]
    return news


def _of_agents(board: LiveBoard, facts: Iterable[Event]) -> list[Event]:
    news: list[Event] = []
    for fact in facts:
        if not isinstance(fact, AgentStateChanged | NextStateChosen):
            continue
        agent = board.agents.get(fact.user)
        if agent is None:
            continue
        alone = LiveBoard(agents={agent.user: agent})
        alone.feed(fact)
        if alone.agents[agent.user] != agent:
            news.append(fact)
    return news


# --- calls ----------------------------------------------------------------------------------------


def _of_calls(board: LiveBoard, pbx: PbxId, facts: Sequence[Event], at: datetime) -> list[Event]:
    timelines: dict[CallId, list[Event]] = {}
    for fact in facts:
        if isinstance(fact, CallEvent):
            timelines.setdefault(fact.call, []).append(fact)
    news: list[Event] = [
        CallEnded(at=at, pbx=pbx, call=call, seen=False)
        for call, live in board.calls.items()
        if live.pbx == pbx and call not in timelines
    ]
    for call, timeline in timelines.items():
        news += _of_call(board.calls.get(call), timeline, at)
    return news


def _of_call(known: LiveCall | None, timeline: Sequence[Event], at: datetime) -> list[Event]:
    """The shortest end of the timeline that makes of what is known what is so."""
    target = _after(None, timeline)
    if target is None:
        return []  # nobody saw it begin, so no board shows it
    for begin in range(len(timeline), -1, -1):
        if _after(known, timeline[begin:]) == target:
            return list(timeline[begin:])
    return [CallEnded(at=at, pbx=target.pbx, call=target.call, seen=False), *timeline]


def _after(known: LiveCall | None, facts: Iterable[Event]) -> LiveCall | None:
    board = LiveBoard(calls={known.call: known} if known is not None else {})
    for fact in facts:
        board.feed(fact)
    return next(iter(board.calls.values()), None)
