"""One life of the product: what `telephony.service` and `telephony.agent_states` do around the pure
cores, without sockets, tasks and a clock of their own. `play` calls it when something comes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from crm_core.agents.rules import AUTO_PAUSE, OURS, OUTSIDE
from crm_core.agents.states import AgentStates, Told
from crm_core.commands import KnownBoot, PauseMember, UnpauseMember
from crm_core.events import (
    AgentStateChanged,
    BootFound,
    Event,
    Feed,
    FeedAdvanced,
    FeedHeard,
    GapRecorded,
    LinkChanged,
    LinkState,
    QueueMemberGone,
    QueueMemberSeen,
    Tick,
)
from crm_core.ids import CallId, PbxId
from crm_core.live_board.board import LiveBoard
from telephony.ami import messages as ami
from telephony.calls.boots import boot_of
from telephony.calls.tracker import CallTracker
from telephony.members import MemberBook
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.parser import QueueLogParser
from telephony.queue_log.tail import QueueLogTail
from telephony.service import OUR_CONTEXTS
from tests.simulation.plans import FLOOR
from tests.simulation.records import Records

PBX = PbxId("lab")


class Product:
    """From a start to a kill. `ask` sends a pause to Asterisk: (interface, reason or None)."""

    def __init__(
        self,
        records: Records,
        queue_log: Path | None,
        now: Callable[[], datetime],
        ask: Callable[[str, str | None], None],
    ) -> None:
        self.records, self.board = records, LiveBoard()
        self.listening = False
        self.told: list[Event] = []
        """Everything that went over the bus."""
        self.tracker: CallTracker | None = None
        self.states = AgentStates(PBX)
        self._queue_log, self._now, self._ask_pause = queue_log, now, ask
        self._members = MemberBook(PBX)
        self._boots = list(records.boots())
        self._boot: KnownBoot | None = None
        self._followed = self._boots[-1].boot if self._boots else None
        self._heard_until = records.heard_until()
        self._proven: datetime | None = None
        """All that was sent before has come: an answer to what was asked then."""
        self._asked_at = now()
        self._fold: QueueLogFold | None = None
        self._tail: QueueLogTail | None = None
        self._parser = QueueLogParser()
        self._seen: dict[str, dict[str, str | None]] = {}
        self._asked: dict[str, datetime] = {}
        self._in_snapshot: list[QueueMemberSeen] | None = None
        self._believes = False
        known = records.agents()
        for agent in known:
            if agent.signed_in is not None:
                self._publish(agent.signed_in)
        self.states.know(FLOOR)
        self._tell_states(self.states.prime(known, now()))

    def _publish(self, event: Event) -> None:
        self.told.append(event)
        self.records.waiting.append(event)
        self.board.feed(event)

    # --- the link -----------------------------------------------------------------------------------

    def hear(self, message: ami.AmiMessage) -> None:
        self._feed(message)

    def _feed(self, message: ami.AmiMessage) -> None:
        if type(message) in MemberBook.HEARS:
            for event in self._members.feed(message):
                self._told(event)
        if (self.tracker is not None and type(message) in self.tracker.hears) or (
            self.tracker is not None and isinstance(message, ami.SnapshotEnded | ami.LinkLost)
        ):
            for event in self.tracker.feed(message):
                self._told(event)

    def _told(self, event: Event) -> None:
        self._publish(event)
        if isinstance(event, QueueMemberSeen):
            self._member_seen(event)
        elif isinstance(event, QueueMemberGone):
            self._seen.get(event.member.interface or "", {}).pop(event.queue, None)
        else:
            self._tell_states(self.states.feed(event))

    def link_lost(self) -> None:
        if not self.listening:
            return
        self.listening = self._believes = False
        self._heard_until = self._proven
        at = self._heard_until or self._now()
        self._feed(ami.LinkLost(at, True))
        self._publish(LinkChanged(at=self._now(), pbx=PBX, state=LinkState.DOWN))

    def snapshot_begins(self, asterisk_started_at: datetime) -> None:
        """CoreStatus was answered; the lists are to be asked for."""
        self._asked_at = self._now()
        boot = boot_of(asterisk_started_at, self._boots)
        if boot != self._boot:
            self._boot = boot
            if boot not in self._boots:
                self._boots.append(boot)
            self._publish(
                BootFound(at=boot.started_at, pbx=PBX, boot=boot.boot, started_at=boot.started_at)
            )
            if self._fold is not None:
                self._fold.learn(boot)
        if self.tracker is None:
            open_calls = self.records.open_calls()
            for fact in [fact for call in open_calls for fact in call.facts]:
                self._told(fact)
            self.tracker = CallTracker(PBX, boot.boot, open_calls, OUR_CONTEXTS)
        self._in_snapshot = []
        self._feed(ami.SnapshotBegan(self._now(), True, boot.boot))

    def snapshot_ends(self) -> None:
        assert self._boot is not None
        assert self.tracker is not None
        self._proven = self._asked_at
        self._feed(ami.SnapshotEnded(self._now(), True, self._boot.boot))
        self._states_know_all(self.tracker.live_calls())
        blind_since = None if self.listening else self._heard_until
        if blind_since is not None:
            changed = self._followed is not None and self._followed != self._boot.boot
            self._publish(
                GapRecorded(
                    at=self._now(),
                    pbx=PBX,
                    began_at=blind_since,
                    boot_changed=changed,
                    calls=self.tracker.live_calls(),
                )
            )
        self._followed = self._boot.boot
        self.listening = True
        self.tell_heard()
        self._publish(LinkChanged(at=self._now(), pbx=PBX, state=LinkState.UP))

    def tell_heard(self) -> None:
        if self.listening:
            self._heard_until = self._proven or self._now()
            self._publish(FeedHeard(at=self._heard_until, pbx=PBX, feed=Feed.AMI))

    def pong(self) -> None:
        """The link was asked and answers: it has told everything until now."""
        self._proven = self._now()

    # --- queue_log ----------------------------------------------------------------------------------

    def read_rows(self) -> None:
        """Everything that is in the file, once the run of Asterisk is known."""
        if self._queue_log is None or self._boot is None:
            return
        if self._tail is None or self._fold is None:
            state = self.records.queue_log()
            passes = state.passes if state else ()
            self._fold = QueueLogFold(PBX, self._boots, passes, self._call_of)
            self._tail = QueueLogTail(self._queue_log, state.position if state else None)
        while True:
            data, position = self._tail.read()
            if not data:
                return
            for row in self._parser.feed(data):
                for event in self._fold.feed(row):
                    self._publish(event)
                    if isinstance(event, BootFound):
                        self._learn(KnownBoot(boot=event.boot, started_at=event.started_at))
            if position is not None:
                self._publish(
                    FeedAdvanced(at=self._now(), pbx=PBX, feed=Feed.QUEUE_LOG, position=position)
                )

    def _learn(self, boot: KnownBoot) -> None:
        if all(known.boot != boot.boot for known in self._boots):
            self._boots.append(boot)

    def _call_of(self, unique_id: str) -> CallId | None:
        return self.tracker.call_of(unique_id) if self.tracker is not None else None

    def close(self) -> None:
        if self._tail is not None:
            self._tail.close()

    # --- the agents' states -------------------------------------------------------------------------

    def tick(self) -> None:
        self._tell_states(self.states.feed(Tick(at=self._now(), pbx=PBX)))

    def choose(self, command: Any) -> None:
        """Raises what the machine raises."""
        self._tell_states(self.states.choose(command, self._now()))

    def _member_seen(self, event: QueueMemberSeen) -> None:
        interface = event.member.interface
        assert interface is not None
        reason = (event.pause_reason or "") if event.paused else None
        self._seen.setdefault(interface, {})[event.queue] = reason
        if self._in_snapshot is not None:
            self._in_snapshot.append(event)
        elif self.states.is_held(interface):
            self._tell_states(self.states.feed(event))
            self.check(interface)

    def _states_know_all(self, live: tuple[CallId, ...]) -> None:
        told, self._in_snapshot = self._in_snapshot or [], None
        self._believes = True
        self._tell_states(self.states.settle(frozenset(live), self._now()))
        paused = {event.member.interface for event in told if event.paused}
        for event in told:
            if event.paused or event.member.interface not in paused:
                self._tell_states(self.states.feed(event))
        self.check_all()

    def _tell_states(self, told: list[Told]) -> None:
        for one in told:
            if isinstance(one, PauseMember | UnpauseMember):
                self._ask(one.interface)
            else:
                self._publish(one)
        for one in told:
            if isinstance(one, AgentStateChanged):
                self.check(one.interface)

    def check_all(self) -> None:
        for interface in list(self._seen):
            self.check(interface)

    def check(self, interface: str) -> None:
        """Ask for what Asterisk shows otherwise, unless it was asked a moment ago."""
        asked = self._asked.get(interface)
        calm = asked is None or self._now() - asked > timedelta(seconds=0.5)
        if calm and self._differs(interface):
            self._ask(interface)

    def _differs(self, interface: str) -> bool:
        if not self.states.is_held(interface):
            return False
        wanted = self.states.pause_of(interface)
        for reason in self._seen.get(interface, {}).values():
            if reason == AUTO_PAUSE and self.states.is_rung(interface):
                continue
            any_will_do = wanted == f"{OURS}{OUTSIDE}" and reason is not None
            if reason != wanted and not any_will_do:
                return True
        return False

    def _ask(self, interface: str) -> None:
        if self._believes:
            self._asked[interface] = self._now()
            self._ask_pause(interface, self.states.pause_of(interface))
