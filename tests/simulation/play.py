"""Plays the story of a seed: floor, faults and product on one virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from pathlib import Path
from random import Random

from crm_core.commands import ChooseState
from crm_core.errors import Conflict, Invalid
from crm_core.events import AgentSignedIn, AgentState
from crm_core.ids import UserId
from telephony.ami.messages import AmiMessage
from tests.simulation.asterisk import Asterisk
from tests.simulation.clock import T0, Clock
from tests.simulation.floor import members
from tests.simulation.floor_check import board_differs
from tests.simulation.link import Link, core_items, queue_items, status_items
from tests.simulation.log_file import LogFile
from tests.simulation.plans import Fault, FaultKind, Plan
from tests.simulation.product import PBX, Product
from tests.simulation.records import FoldedRecords, Records
from tests.simulation.truth import TrueGap, Truth

TICK_SECONDS = 1.0
NOTICED_AFTER = 4.5
"""A dead link, by unanswered Pings (reliability 1.4.8)."""
RECONNECT_SECONDS = 0.3
MOST_QUIET_TICKS = 40
"""So long pauses may take to become what they have to be: a wrap-up without a queue lasts 30 s."""


def everybody() -> list[AgentSignedIn]:
    return [
        AgentSignedIn(
            at=T0,
            pbx=PBX,
            user=UserId(place),
            agent_number=member.name,
            name=f"坐席{place}",
            interface=member.interface,
            queues=member.queues,
        )
        for place, member in enumerate(members(), start=1)
    ]


SINCE = attrgetter("since")


class Play:
    """`run` to the end; then `truth` and `records` can be compared."""

    def __init__(self, plan: Plan, folder: Path, records: Records | None = None) -> None:
        self.plan, self.clock, self.truth = plan, Clock(), Truth()
        self.records: Records = records or FoldedRecords(everybody())
        self.link = Link(self.clock, Random(plan.seed ^ 0xA5))
        self.log = LogFile(self.clock, folder / "queue_log")
        self.asterisk = Asterisk(self.clock, self.truth, self.link.say, self.log.write)
        self.product: Product | None = None
        self.complaints: list[str] = []
        """What was wrong on the way."""
        self.lives = 0
        self._people = Random(plan.seed ^ 0x5A)
        self._link_after = self._alive_after = 0.0
        self._locked_until = 0.0
        self._answer_lost = False
        self._committed = 0.0
        self._blind: TrueGap | None = None
        """The gap that goes on."""
        self._torn_since: float | None = None
        """A message was lost, and the link stands: the next snapshot puts it right, unbooked."""
        self._stalled_at: datetime | None = None
        self._snapshot = 0
        self._looking = False
        self._look_began = 0.0
        self._dice = Random(plan.seed ^ 0x77)
        self._quiet_ticks = self._ticks = 0
        self._is_over = self._is_last_life = False

    def run(self) -> None:
        self.asterisk.start()
        for call in self.plan.calls:
            self.clock.after(call.at, partial(self.asterisk.arrives, call))
        for fault in self.plan.faults:
            self.clock.after(fault.at, partial(STEPS[fault.kind], self, fault))
        self.clock.after(0.1, self._tick)
        self.clock.run(self._is_quiet, self._deliver)

    def close(self) -> None:
        if self.product is not None:
            self.product.close()
        self.log.close()

    def _is_quiet(self) -> bool:
        return self._is_over

    def _deliver(self) -> None:
        if self.product is not None:
            self.link.deliver(self.product.hear)

    # --- each second ----------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self.clock.now
        self._ticks += 1
        self.log.flush()
        self._keep_alive()
        product = self.product
        if product is not None:
            if self.link.dead_since is None and now >= self.link.stalled_until and self.link.up:
                product.pong()
                self._stalled_at = None
            product.tell_heard()
            product.read_rows()
            product.tick()
            if self._ticks % 4 == 0:
                product.check_all()
            if not self._quiet_ticks:
                self._people_choose(product)
            if self._ticks % 2 == 0 and self._is_calm():
                self.complaints += board_differs(product.board, self.asterisk)
        self._commit()
        busy = (
            bool(self.asterisk.live)
            or now < self.plan.seconds + 1
            or product is None
            or not product.listening
            or self._looking
            or now < max(self._locked_until, self.log.late_until, self.log.full_until)
            or now < self.link.stalled_until
        )
        self._quiet_ticks = 0 if busy else self._quiet_ticks + 1
        settled = product is not None and all(
            member.paused == product.states.pause_of(member.interface)
            for member in self.asterisk.members
        )
        if self._quiet_ticks > (3 if settled else MOST_QUIET_TICKS):
            self._is_over = self._is_last_life
            self._is_last_life = True
            if not self._is_over:
                self._restart()
        self.clock.after(TICK_SECONDS, self._tick)

    def _is_calm(self) -> bool:
        """The product has had the chance to know everything."""
        product = self.product
        if product is None or product.tracker is None or product.tracker.unsettled:
            return False
        return (
            product.listening
            and self.link.is_idle
            and not self._looking
            and self._torn_since is None
        )

    def _restart(self) -> None:
        """Before the end the product starts once more: what it holds open it has to close now."""
        self._quiet_ticks = 0
        self._kill(Fault(-1, FaultKind.PRODUCT_KILLED, self.clock.now, 0.5, 0))

    def _keep_alive(self) -> None:
        now = self.clock.now
        locked = now < self._locked_until
        if self.product is None and now >= self._alive_after and not locked:
            queue_log = self.log.path if self.plan.with_queue_log else None
            self.lives += 1
            self.product = Product(self.records, queue_log, lambda: self.clock.wall, self._pause)
        reachable = self.asterisk.is_up and now >= self._link_after
        if self.product is not None and not self.link.up and reachable:
            self.link.connect()
            self._look()

    def _commit(self) -> None:
        if self.clock.now < self._locked_until:
            return
        told, self._answer_lost = not self._answer_lost, False
        self.records.commit(told=told)
        self._committed = min(self.clock.now, self.link.oldest)

    def _pause(self, interface: str, reason: str | None) -> None:
        if self.link.up and self.asterisk.is_up:
            self.clock.after(0.02, lambda: self.asterisk.pause(interface, reason))

    def _people_choose(self, product: Product) -> None:
        """Who missed a call comes back; some go for a break, and come back."""
        people = self._people
        for agent in list(product.board.agents.values()):
            chance = people.random()
            if (agent.state is AgentState.MISSED and chance < 0.3) or (
                agent.state is AgentState.PAUSED and chance < 0.2
            ):
                command = ChooseState(pbx=PBX, user=agent.user, state=AgentState.READY)
            elif chance > 0.99:
                command = ChooseState(
                    pbx=PBX, user=agent.user, state=AgentState.PAUSED, reason="break"
                )
            elif chance > 0.985:
                command = ChooseState(pbx=PBX, user=agent.user, state=AgentState.READY)
            else:
                continue
            try:
                product.choose(command)
            except (Conflict, Invalid):
                continue

    # --- snapshots ------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ask CoreStatus and the lists; each is made when Asterisk comes to it."""
        assert self.product is not None
        self._looking, self._look_began = True, self.clock.now
        self._snapshot += 1
        nth, product, dice = self._snapshot, self.product, self._dice
        product.snapshot_begins(self.asterisk.started_at)
        moment = 0.0
        for items in (status_items, queue_items, core_items):
            moment += dice.random() * 0.1
            self.clock.after(moment, partial(self._send_items, nth, items))

        def end() -> None:
            if nth == self._snapshot and self.link.up and self.link.dead_since is None:
                self.link.then(lambda: self._seen_all(nth, product))

        self.clock.after(moment + 0.01, end)

    def _send_items(self, nth: int, items: Callable[[Asterisk], list[AmiMessage]]) -> None:
        if nth == self._snapshot and self.link.up:
            self.link.send_items(items(self.asterisk))

    def _seen_all(self, nth: int, product: Product) -> None:
        if nth != self._snapshot or product is not self.product:
            return
        self._looking = False
        product.snapshot_ends()
        torn = self._torn_since
        if torn is not None:
            self.truth.blind.append((torn, self.clock.now))
        if self._blind is not None:
            self.truth.blind.append((self._blind.since, self.clock.now))
            self.truth.gaps.append(
                replace(self._blind, until=self.clock.now, ended_at=self.clock.wall)
            )
        self._blind = None
        # What was torn while the lists came they may not show: another look is asked for.
        self._torn_since = torn if torn is not None and torn >= self._look_began else None

    def _is_blind(self, since: float) -> None:
        """From then on facts do not come through; the gap book has to tell it."""
        if self._blind is None or since < self._blind.since:
            began_at = self.clock.wall - timedelta(seconds=self.clock.now - since)
            earliest = began_at - timedelta(seconds=5)
            if self._stalled_at is not None:  # how much came in a stall nobody knows
                earliest = min(earliest, self._stalled_at - timedelta(seconds=2))
            self._blind = TrueGap(since, earliest, began_at)

    # --- faults ---------------------------------------------------------------------------------------

    def _lose_link(self, away: float, arrives: float) -> None:
        if not self.link.up:
            return
        since = self.link.cut(arrives)
        self.link.stalled_until = 0.0
        self.clock.now += 0.03  # what still arrives arrives now
        self._deliver()
        self.link.close()
        self._looking = False
        self._snapshot += 1
        self._link_after = max(self._link_after, self.clock.now + away)
        self._is_blind(since)
        if self.product is not None:
            self.product.link_lost()

    def _cut(self, fault: Fault) -> None:
        self._lose_link(RECONNECT_SECONDS + fault.seconds, Random(fault.dice).random())

    def _half_open(self, fault: Fault) -> None:
        if self.link.up and self.link.dead_since is None:
            self.link.dead_since = self.clock.now
            self.clock.after(NOTICED_AFTER, lambda: self._dead_noticed(fault))

    def _dead_noticed(self, fault: Fault) -> None:
        if self.link.dead_since is not None:
            self._lose_link(fault.seconds, 1.0)

    def _stall(self, fault: Fault) -> None:
        if self.link.up:
            if self._stalled_at is None:
                self._stalled_at = self.clock.wall
            self.link.stalled_until = self.clock.now + fault.seconds

    def _double(self, fault: Fault) -> None:
        self.link.doubled_until = self.clock.now + fault.seconds

    def _reorder(self, fault: Fault) -> None:
        self.link.reordered_until = self.clock.now + fault.seconds

    def _tear(self, fault: Fault) -> None:
        """A message is put into quarantine: not folded, and a snapshot asked for soon."""
        self.link.tear(lambda: self._torn(fault))

    def _torn(self, fault: Fault) -> None:
        if self._torn_since is None:
            self._torn_since = self.clock.now
        self.clock.after(fault.seconds, self._look_again)

    def _look_again(self) -> None:
        if self._looking:
            self.clock.after(0.5, self._look_again)
        elif self.product is not None and self.product.listening:
            self._look()

    def _kill(self, fault: Fault) -> None:
        if self.product is None:
            return
        since = min(self._committed, self.link.cut(0.0)) if self.link.up else self._committed
        self.link.close()
        self.link.stalled_until = 0.0
        self._looking = False
        self._snapshot += 1
        while self.truth.gaps and self.truth.gaps[-1].until > self._committed:
            # That the last blind interval is over was told, and is forgotten: it goes on.
            gap = self.truth.gaps.pop()
            self._blind = gap if self._blind is None else min(self._blind, gap, key=SINCE)
        self._is_blind(since)
        self.records.forget()
        self.product.close()
        self.product = None
        self._alive_after = self.clock.now + fault.seconds

    def _asterisk_ends(self, fault: Fault) -> None:
        if not self.asterisk.is_up:
            return
        if fault.kind is FaultKind.ASTERISK_STOPPED:
            self.asterisk.stop()
            self._lose_link(0.0, 1.0)
        else:
            self._lose_link(0.0, Random(fault.dice).random())
            self.asterisk.crash()
        if self.product is None or self._blind is None:
            self._is_blind(self.clock.now)
        self.clock.after(max(6.0, fault.seconds), self.asterisk.start)

    def _lock(self, fault: Fault) -> None:
        self._locked_until = max(self._locked_until, self.clock.now + fault.seconds)

    def _lose_answer(self, fault: Fault) -> None:
        self._answer_lost = True

    def _turn_log_over(self, fault: Fault) -> None:
        self.log.turn_over()

    def _tear_log(self, fault: Fault) -> None:
        self.log.tears += 1

    def _fill_disk(self, fault: Fault) -> None:
        self.log.full_until = self.clock.now + fault.seconds

    def _log_is_late(self, fault: Fault) -> None:
        self.log.late_until = self.clock.now + fault.seconds


STEPS: dict[FaultKind, Callable[[Play, Fault], None]] = {
    FaultKind.AMI_CUT: Play._cut,
    FaultKind.AMI_HALF_OPEN: Play._half_open,
    FaultKind.AMI_STALL: Play._stall,
    FaultKind.AMI_DOUBLE: Play._double,
    FaultKind.AMI_REORDERED: Play._reorder,
    FaultKind.AMI_TORN: Play._tear,
    FaultKind.PRODUCT_KILLED: Play._kill,
    FaultKind.ASTERISK_CRASHED: Play._asterisk_ends,
    FaultKind.ASTERISK_STOPPED: Play._asterisk_ends,
    FaultKind.DATABASE_LOCKED: Play._lock,
    FaultKind.DATABASE_ANSWER_LOST: Play._lose_answer,
    FaultKind.LOG_ROTATED: Play._turn_log_over,
    FaultKind.LOG_TORN: Play._tear_log,
    FaultKind.LOG_DISK_FULL: Play._fill_disk,
    FaultKind.LOG_LATE: Play._log_is_late,
}
