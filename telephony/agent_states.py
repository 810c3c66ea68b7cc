"""The agents' state machine of one PBX at work: facts in, states on the bus, pauses to Asterisk.

It runs where AMI is held (decision 17), so that nobody stays paused, or is offered a call too early,
because another process is away. A pause that is wanted is asked at once; one that Asterisk shows
otherwise (it was restarted, somebody paused a phone by other means) is asked again. Of one phone only
one question is under way at a time, and only the latest wish counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from crm_core.agents.rules import AUTO_PAUSE, OURS, OUTSIDE
from crm_core.agents.states import AgentStates, Told
from crm_core.bus import Bus, Envelope
from crm_core.centre.plan import SwitchPlan
from crm_core.commands import (
    ChooseState,
    Done,
    ExtendWrapUp,
    KnownAgent,
    PauseMember,
    PlanOf,
    UnpauseMember,
)
from crm_core.errors import Conflict, Invalid, Unavailable
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentStateChanged,
    CommandRefused,
    Event,
    FactsLost,
    QueueMemberGone,
    QueueMemberSeen,
    Tick,
)
from crm_core.ids import CallId, PbxId
from telephony.ami.actions import Action, QueuePause
from telephony.ami.link import Answer, NotConnected

log = logging.getLogger("zuoxi.telephony")

TICK_SECONDS: Final = 1.0
PLAN_EVERY_SECONDS: Final = 5.0
"""How soon a changed wrap-up of a queue counts."""
CALM_SECONDS: Final = 0.5
"""The events about a pause of ours have come by then; what differs still is somebody else's doing."""
TRY_AGAIN_SECONDS: Final = 1.0

NO_MEMBER: Final = "Interface not found"
"""Asterisk's answer for a phone that is in no queue: it is added with its pause (22.10.1)."""


class AgentStateKeeper:
    """`begin` before the link, `run` beside it; `feed` each fact in the step that publishes it."""

    def __init__(
        self,
        pbx: PbxId,
        bus: Bus,
        control: Callable[[Action], Awaitable[Answer]],
        now: Callable[[], datetime],
    ) -> None:
        self._pbx, self._bus, self._control, self._now = pbx, bus, control, now
        self._machine = AgentStates(pbx)
        self._seen: dict[str, dict[str, str | None]] = {}
        """Phone → queue → the reason of its member's pause, as Asterisk shows it; None: not paused."""
        self._before: list[Event] | None = []
        """Sign-ins and sign-outs that come before the machine knows what was."""
        self._snapshot: list[QueueMemberSeen] | None = None
        self._believes = False
        """What Asterisk does is known: a snapshot was complete, and the link stands since."""
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._calming: dict[str, asyncio.TimerHandle] = {}
        self._refused: dict[str, str | None] = {}
        """What Asterisk would not do: not asked again before the next snapshot."""
        self._unsubscribe = bus.subscribe(self._heard)

    def begin(self, plan: SwitchPlan, known: Iterable[KnownAgent]) -> None:
        """Go on where the process before this one stopped."""
        self._machine.know(plan)
        self._tell(self._machine.prime(known, self._now()))
        waiting, self._before = self._before or [], None
        for event in waiting:
            self.feed(event)

    async def run(self) -> None:
        """Let time pass, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tick())
                tasks.create_task(self._keep_plan())
        finally:
            self._unsubscribe()
            self._believes = False
            for asking in list(self._asking.values()):
                asking.cancel()
            for timer in self._calming.values():
                timer.cancel()

    def feed(self, event: Event) -> None:
        """A fact of this PBX that has just been published."""
        if isinstance(event, QueueMemberSeen):
            self._member_seen(event)
        elif isinstance(event, QueueMemberGone):
            self._seen.get(event.member.interface or "", {}).pop(event.queue, None)
        elif told := self._machine.feed(event):
            self._tell(told)

    # --- what a snapshot and the link say -----------------------------------------------------------

    def snapshot_began(self) -> None:
        """What it tells of members is judged when it is complete: the calls explain the pauses."""
        self._snapshot = []

    def snapshot_ended(self, live: Iterable[CallId]) -> None:
        """Everything that lives is known: judge, and set right what differs."""
        told, self._snapshot = self._snapshot or [], None
        self._believes = True
        self._refused.clear()
        self._tell(self._machine.settle(frozenset(live), self._now()))
        paused = {event.member.interface for event in told if event.paused}
        for event in told:
            # Somebody may have paused a phone in one queue only: that is a pause.
            if event.paused or event.member.interface not in paused:
                self._tell(self._machine.feed(event))
        self.ask_again()

    def link_lost(self) -> None:
        """Nothing is lifted before the next snapshot has shown who talks."""
        self._believes = False

    def ask_again(self) -> None:
        """Ask for every pause that Asterisk does not show as it has to be."""
        for interface in list(self._seen):
            self._check(interface)

    # --- what others ask ----------------------------------------------------------------------------

    def pause_of(self, interface: str) -> str | None:
        """The reason under which a member that is added has to be paused; None: not at all."""
        return self._machine.pause_of(interface)

    def choose(self, command: ChooseState | ExtendWrapUp) -> Done:
        """Answered at once: it holds in Asterisk a moment later."""
        try:
            if isinstance(command, ChooseState):
                self._tell(self._machine.choose(command, self._now()))
            else:
                self._tell(self._machine.extend(command, self._now()))
        except (Conflict, Invalid) as wrong:
            return Done(refused=wrong.detail)
        return Done()

    # --- inside ---------------------------------------------------------------------------------------

    def _heard(self, envelope: Envelope) -> None:
        event = envelope.event
        if event.pbx != self._pbx:
            return
        if isinstance(event, FactsLost):
            self._tell(self._machine.told_again())
        if not isinstance(event, AgentSignedIn | AgentSignedOut):
            return
        if self._before is not None:
            self._before.append(event)
            return
        self.feed(event)
        if isinstance(event, AgentSignedIn):
            self._check(event.interface)

    def _member_seen(self, event: QueueMemberSeen) -> None:
        interface = event.member.interface
        if interface is None:
            return
        reason = (event.pause_reason or "") if event.paused else None
        self._seen.setdefault(interface, {})[event.queue] = reason
        if self._snapshot is not None:
            self._snapshot.append(event)
            return
        if self._machine.is_held(interface):
            self._tell(self._machine.feed(event))
            self._check(interface)

    def _tell(self, told: Sequence[Told]) -> None:
        for one in told:
            if isinstance(one, PauseMember | UnpauseMember):
                self._ask(one.interface)
            else:
                self._bus.publish(one)
        for one in told:
            if isinstance(one, AgentStateChanged):
                self._check(one.interface)  # a ring that ended may leave Asterisk's own pause

    async def _tick(self) -> None:
        while True:
            due, now = self._machine.next_due, self._now()
            until = (due - now).total_seconds() if due is not None else TICK_SECONDS
            await asyncio.sleep(min(TICK_SECONDS, max(0.01, until)))
            self._tell(self._machine.feed(Tick(at=self._now(), pbx=self._pbx)))

    async def _keep_plan(self) -> None:
        while True:
            await asyncio.sleep(PLAN_EVERY_SECONDS)
            plan = await self._bus.ask(PlanOf(pbx=self._pbx), PLAN_EVERY_SECONDS)
            if isinstance(plan, SwitchPlan):
                self._machine.know(plan)

    # --- pauses ---------------------------------------------------------------------------------------

    def _differs(self, interface: str) -> bool:
        """Whether Asterisk shows this phone otherwise than it has to be."""
        if not self._machine.is_held(interface):
            return False
        wanted = self._machine.pause_of(interface)
        for reason in self._seen.get(interface, {}).values():
            if reason == AUTO_PAUSE and self._machine.is_rung(interface):
                continue  # missed or refused: the end of the ring says
            any_will_do = wanted == f"{OURS}{OUTSIDE}" and reason is not None
            if reason != wanted and not any_will_do:
                return True
        return False

    def _check(self, interface: str) -> None:
        under_way = interface in self._asking or interface in self._calming
        if not under_way and self._differs(interface):
            self._ask(interface)

    def _ask(self, interface: str) -> None:
        if self._believes and interface not in self._asking:
            self._asking[interface] = asyncio.create_task(self._set_pause(interface))

    async def _set_pause(self, interface: str) -> None:
        try:
            while self._machine.is_held(interface):
                wanted = self._machine.pause_of(interface)
                if self._refused.get(interface, "") == wanted:
                    return
                done = await self._pause(interface, wanted)
                if done and self._machine.pause_of(interface) == wanted:
                    return
        except NotConnected:
            pass  # the next snapshot, or the control session when it is back, asks again
        finally:
            del self._asking[interface]
            if (timer := self._calming.pop(interface, None)) is not None:
                timer.cancel()
            later = asyncio.get_running_loop().call_later
            self._calming[interface] = later(CALM_SECONDS, self._calmed, interface)

    def _calmed(self, interface: str) -> None:
        self._calming.pop(interface, None)
        if self._believes:
            self._check(interface)

    async def _pause(self, interface: str, reason: str | None) -> bool:
        """Whether Asterisk has said something. Raises `NotConnected`."""
        action = QueuePause(interface=interface, paused=reason is not None, reason=reason or "")
        try:
            answer = await self._control(action)
        except NotConnected:
            raise
        except Unavailable as wrong:
            log.warning("%s: %s is not paused as it has to be: %s", self._pbx, interface, wrong)
            await asyncio.sleep(TRY_AGAIN_SECONDS)
            return False
        except Invalid as wrong:
            self._not_done(interface, reason, wrong.detail)
            return True
        if not answer.ok and answer.message != NO_MEMBER:
            self._not_done(interface, reason, answer.message or "Asterisk refused without a reason")
        return True

    def _not_done(self, interface: str, reason: str | None, why: str) -> None:
        self._refused[interface] = reason
        log.warning("%s: %s is not paused as it has to be: %s", self._pbx, interface, why)
        self._bus.publish(
            CommandRefused(at=self._now(), pbx=self._pbx, command="QueuePause", reason=why)
        )
