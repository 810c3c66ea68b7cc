"""Facts about agents and their calls, and a state machine that hears them, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from crm_core.agents.states import AgentStates, Told
from crm_core.centre.plan import QueuePlan, SwitchPlan
from crm_core.commands import ChooseState, ExtendWrapUp, PauseMember, UnpauseMember
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    Direction,
    EndedBy,
    Event,
    LegEnded,
    Member,
    NextStateChosen,
    OfferEnded,
    QueueMemberSeen,
    Tick,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, UserId

PBX, BOOT = PbxId("lab"), BootId("b1")
T0 = datetime(2026, 11, 24, 10, tzinfo=UTC)
LI = UserId(1)
PHONE = Member(interface="PJSIP/8001", name="1001")
OTHER = Member(interface="PJSIP/8002", name="1002")

PLAN = SwitchPlan(
    queues=(
        QueuePlan(name="sales", title="销售", wrap_up_seconds=30),
        QueuePlan(name="support", title="售后", wrap_up_seconds=60),
        QueuePlan(name="quick", title="不整理", wrap_up_seconds=0),
        QueuePlan(name="patient", title="两次", wrap_up_seconds=30, missed_rings=2),
    )
)


def at(second: float) -> datetime:
    return T0 + timedelta(seconds=second)


def call(number: int) -> CallId:
    return CallId(f"{number:032x}")


def key(number: int, queue: str) -> QueuePassKey:
    return QueuePassKey(unique_id=f"{number}.0", queue=queue)


def signed_in(second: float = 0, member: Member = PHONE, user: UserId = LI) -> AgentSignedIn:
    return AgentSignedIn(
        at=at(second),
        pbx=PBX,
        user=user,
        agent_number=member.name or "",
        name="李敏",
        interface=member.interface or "",
        queues=("sales", "support"),
    )


def signed_out(second: float, member: Member = PHONE, user: UserId = LI) -> AgentSignedOut:
    return AgentSignedOut(
        at=at(second),
        pbx=PBX,
        user=user,
        agent_number=member.name or "",
        interface=member.interface or "",
        queues=(),
    )


def started(
    second: float, number: int = 1, direction: Direction = Direction.INBOUND
) -> CallStarted:
    return CallStarted(
        at=at(second),
        pbx=PBX,
        call=call(number),
        boot=BOOT,
        unique_id=f"{number}.0",
        direction=direction,
        caller_number="13800138000",
    )


def queued(second: float, number: int = 1, queue: str = "sales") -> CallQueued:
    return CallQueued(
        at=at(second),
        pbx=PBX,
        call=call(number),
        queue_pass=key(number, queue),
        caller_number="13800138000",
    )


def offered(
    second: float, number: int = 1, queue: str | None = "sales", attempt: int = 1
) -> CallOffered:
    return CallOffered(
        at=at(second),
        pbx=PBX,
        call=call(number),
        queue_pass=key(number, queue) if queue else None,
        attempt=attempt,
        member=PHONE,
        leg=f"{number}.{attempt}",
    )


def ring_ended(
    second: float,
    result: AttemptResult,
    number: int = 1,
    queue: str | None = "sales",
    attempt: int = 1,
) -> OfferEnded:
    return OfferEnded(
        at=at(second),
        pbx=PBX,
        call=call(number),
        queue_pass=key(number, queue) if queue else None,
        attempt=attempt,
        member=PHONE,
        result=result,
    )


def answered(
    second: float, number: int = 1, queue: str | None = "sales", leg: str | None = None
) -> CallAnswered:
    return CallAnswered(
        at=at(second),
        pbx=PBX,
        call=call(number),
        queue_pass=key(number, queue) if queue else None,
        member=PHONE,
        leg=leg or f"{number}.1",
    )


def held(second: float, number: int = 1, leg: str | None = None) -> CallHeld:
    return CallHeld(
        at=at(second), pbx=PBX, call=call(number), member=PHONE, leg=leg or f"{number}.1"
    )


def resumed(second: float, number: int = 1, leg: str | None = None) -> CallResumed:
    return CallResumed(
        at=at(second), pbx=PBX, call=call(number), member=PHONE, leg=leg or f"{number}.1"
    )


def talk_ended(
    second: float, number: int = 1, queue: str | None = "sales", leg: str | None = None
) -> ConversationEnded:
    return ConversationEnded(
        at=at(second),
        pbx=PBX,
        call=call(number),
        queue_pass=key(number, queue) if queue else None,
        member=PHONE,
        ended_by=EndedBy.CALLER,
        leg=leg or f"{number}.1",
    )


def placed(second: float, number: int = 7) -> CallPlaced:
    return CallPlaced(
        at=at(second),
        pbx=PBX,
        call=call(number),
        member=PHONE,
        called_number="13900139000",
        leg=f"{number}.1",
    )


def leg_ended(second: float, number: int = 7) -> LegEnded:
    return LegEnded(at=at(second), pbx=PBX, call=call(number), unique_id=f"{number}.1", cause=16)


def ended(second: float, number: int = 1) -> CallEnded:
    return CallEnded(at=at(second), pbx=PBX, call=call(number))


def seen(second: float, reason: str | None, queue: str = "sales") -> QueueMemberSeen:
    """The phone's member as Asterisk shows it; reason None: not paused."""
    return QueueMemberSeen(
        at=at(second),
        pbx=PBX,
        queue=queue,
        member=PHONE,
        paused=reason is not None,
        pause_reason=reason,
    )


def tick(second: float) -> Tick:
    return Tick(at=at(second), pbx=PBX)


def choose(state: AgentState, reason: str | None = None, by: UserId | None = None) -> ChooseState:
    return ChooseState(pbx=PBX, user=LI, state=state, reason=reason, by=by)


Said = Event | tuple[float, ChooseState | ExtendWrapUp]
"""A fact, or a command and when it comes."""


@dataclass
class Floor:
    """One agent's machine and everything it has answered."""

    machine: AgentStates = field(default_factory=lambda: AgentStates(PBX))
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine.know(PLAN)

    def hear(self, *said: Said) -> Floor:
        for one in said:
            self.told += self._one(one)
        return self

    def _one(self, one: Said) -> list[Told]:
        if isinstance(one, Event):
            return self.machine.feed(one)
        second, command = one
        if isinstance(command, ChooseState):
            return self.machine.choose(command, at(second))
        return self.machine.extend(command, at(second))

    @property
    def changes(self) -> list[AgentStateChanged]:
        return [one for one in self.told if isinstance(one, AgentStateChanged)]

    @property
    def now(self) -> AgentStateChanged:
        return self.changes[-1]

    @property
    def states(self) -> list[AgentState]:
        return [one.state for one in self.changes]

    @property
    def pauses(self) -> list[str | None]:
        """The reasons under which the member was paused, None where it was unpaused."""
        return [
            one.reason if isinstance(one, PauseMember) else None
            for one in self.told
            if isinstance(one, PauseMember | UnpauseMember)
        ]

    @property
    def next_chosen(self) -> NextStateChosen:
        """Told last; nothing, if it never was."""
        told = [one for one in self.told if isinstance(one, NextStateChosen)]
        return told[-1] if told else NextStateChosen(at=T0, pbx=PBX, user=LI, state=None)

    @property
    def next_told(self) -> list[str | None]:
        return [one.reason for one in self.told if isinstance(one, NextStateChosen)]

    @property
    def is_paused(self) -> str | None:
        return self.machine.pause_of(PHONE.interface or "")


def a_floor(*said: Said) -> Floor:
    """Li Min has signed in, and then this was said."""
    return Floor().hear(signed_in(), *said)
