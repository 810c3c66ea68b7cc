"""The database of a story: facts committed at once or not at all, by the product's own fold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, cast

from crm_core.call_log.natural_keys import natural_key
from crm_core.call_log.records import CallRecord, Confidence
from crm_core.call_log.resuming import open_call_of
from crm_core.call_log.timeline import record
from crm_core.call_log.told_passes import told_passes
from crm_core.call_log.writer import RECORDED
from crm_core.commands import FeedState, KnownAgent, KnownBoot, OpenCall, ToldPass
from crm_core.events import (
    AgentSignedIn,
    AgentStateChanged,
    BootFound,
    CallEvent,
    Event,
    FeedAdvanced,
    FeedHeard,
    GapRecorded,
    NextStateChosen,
    TimelineEvent,
)
from crm_core.ids import CallId, UserId

Timeline = dict[tuple[str, str], TimelineEvent]


class Records(Protocol):
    """What a story needs of a database."""

    waiting: list[Event]
    """Told and not committed."""

    def commit(self, *, told: bool) -> None:
        """Write what waits; without `told` the answer is lost, and it will be written again."""

    def forget(self) -> None:
        """The process is killed."""

    def boots(self) -> list[KnownBoot]: ...
    def heard_until(self) -> datetime | None: ...
    def queue_log(self) -> FeedState | None: ...
    def open_calls(self) -> tuple[OpenCall, ...]: ...
    def agents(self) -> list[KnownAgent]: ...
    def gaps(self) -> list[GapRecorded]: ...
    def calls(self) -> list[CallRecord]: ...


class FoldedRecords:
    """In memory: timelines by natural key, and `record` of each."""

    def __init__(self, agents: Iterable[AgentSignedIn]) -> None:
        self.waiting: list[Event] = []
        self.timelines: dict[CallId, Timeline] = defaultdict(dict)
        self._records: dict[CallId, tuple[int, CallRecord]] = {}
        self._boots: dict[str, KnownBoot] = {}
        self._gaps: list[GapRecorded] = []
        self._heard_until: datetime | None = None
        self._position: str | None = None
        self._followed = False
        self._signed_in = {each.user: each for each in agents}
        self._left_in: dict[UserId, AgentStateChanged] = {}
        self._next: dict[UserId, NextStateChosen] = {}

    def commit(self, *, told: bool) -> None:
        for event in self.waiting:
            if type(event) in RECORDED:
                self._keep(event)
        if told:
            self.waiting.clear()

    def forget(self) -> None:
        self.waiting.clear()

    def _keep(self, event: Event) -> None:
        match event:
            case FeedHeard():
                self._heard_until = event.at
            case FeedAdvanced():
                self._position, self._followed = event.position, True
            case BootFound():
                known = KnownBoot(boot=event.boot, started_at=event.started_at)
                self._boots.setdefault(event.boot, known)
            case GapRecorded():
                if event not in self._gaps:
                    self._gaps.append(event)
            case AgentStateChanged():
                self._left_in[event.user] = event
            case NextStateChosen():
                self._next[event.user] = event
            case CallEvent():
                fact = cast("TimelineEvent", event)
                key = (type(fact).__name__, natural_key(fact))
                self.timelines[event.call].setdefault(key, fact)

    def boots(self) -> list[KnownBoot]:
        return sorted(self._boots.values(), key=lambda boot: (boot.started_at, boot.boot))

    def heard_until(self) -> datetime | None:
        return self._heard_until

    def queue_log(self) -> FeedState | None:
        if not self._followed:
            return None
        passes: list[ToldPass] = []
        for call, timeline in self.timelines.items():
            facts, kept = tuple(timeline.values()), self._record(call)
            if (
                kept.ended_at is None
                or kept.confidence is not Confidence.COMPLETE
                or any(each.outcome is None for each in kept.passes)
            ):
                passes += told_passes(facts)
        return FeedState(
            position=self._position, heard_until=self._heard_until, passes=tuple(passes)
        )

    def open_calls(self) -> tuple[OpenCall, ...]:
        boots = self.boots()
        found = []
        for call, timeline in self.timelines.items():
            facts, kept = list(timeline.values()), self._record(call)
            boot = kept.boot or (boots[-1].boot if boots else None)
            if kept.ended_at is None and boot is not None:
                found.append((kept, open_call_of(boot, kept.direction, facts, self._heard_until)))
        found.sort(key=lambda each: (each[0].started_at, each[0].call_id))
        return tuple(each for _, each in found)

    def agents(self) -> list[KnownAgent]:
        found = []
        for user, signed_in in self._signed_in.items():
            then = self._next.get(user)
            found.append(
                KnownAgent(
                    signed_in=signed_in,
                    left_in=self._left_in.get(user),
                    next_state=then.state if then else None,
                    next_reason=then.reason if then else None,
                )
            )
        return found

    def gaps(self) -> list[GapRecorded]:
        return list(self._gaps)

    def calls(self) -> list[CallRecord]:
        return [self._record(call) for call in self.timelines]

    def _record(self, call: CallId) -> CallRecord:
        timeline = self.timelines[call]
        known = self._records.get(call)
        if known is None or known[0] != len(timeline):  # facts are only ever added
            known = self._records[call] = (len(timeline), record(tuple(timeline.values())))
        return known[1]
