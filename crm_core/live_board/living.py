"""What lives, as the live board shows it: calls, rings and talks, agents, queues, links. Pure values."""

from __future__ import annotations

from datetime import datetime

from crm_core.events import AgentState, Direction, LinkState, Member
from crm_core.ids import CallId, PbxId, QueuePassKey, UserId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLink:
    """How the connection to one PBX stands, since when, and until when it was heard."""

    state: LinkState
    since: datetime
    heard_until: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOffer:
    """A ring that goes on."""

    attempt: int
    member: Member
    queue: str | None
    offered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A conversation that goes on: who of the centre is connected to the other party."""

    member: Member
    queue: str | None
    since: datetime
    leg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call that has not ended."""

    pbx: PbxId
    call: CallId
    direction: Direction
    started_at: datetime
    caller_number: str | None = None
    caller_name: str | None = None
    called_number: str | None = None
    placed_by: Member | None = None
    """The seat that dialled, as long as its own leg is in the call."""
    placed_leg: str | None = None
    queue: str | None = None
    """The last queue entered."""
    entered_at: datetime | None = None
    waiting: QueuePassKey | None = None
    """The pass it waits in, None when it does not wait."""
    offers: tuple[LiveOffer, ...] = ()
    talks: tuple[Talk, ...] = ()
    last_talk: Talk | None = None
    """The conversation that ended last: its agent may still be writing the note."""

    @property
    def answered(self) -> bool:
        return bool(self.talks) or self.last_talk is not None

    def offer_at(self, interface: str | None) -> LiveOffer | None:
        """The ring at this device, if one goes on."""
        return next((o for o in self.offers if o.member.interface == interface), None)

    def talk_of(self, interface: str | None) -> Talk | None:
        return next((t for t in self.talks if t.member.interface == interface), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAgent:
    """A signed-in agent and the device that is held."""

    pbx: PbxId
    user: UserId
    agent_number: str
    name: str
    interface: str
    queues: tuple[str, ...]
    signed_in_at: datetime
    state: AgentState
    since: datetime
    reason: str | None = None
    """The code of the pause reason, while paused."""
    call: CallId | None = None
    """The call that rings, is talked, is written up, or was missed."""
    due_at: datetime | None = None
    """When wrap-up ends by itself."""
    next_state: AgentState | None = None
    """What the agent chose for after this call: only `paused` is ever shown."""
    next_reason: str | None = None
    answered: int = 0
    """Conversations since the sign-in."""
    last_call: CallId | None = None
    """The call answered last: its card stays on the desk until the note is submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMember:
    member: Member
    paused: bool
    pause_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveQueue:
    """A queue with those who wait in it, the longest first, and the members Asterisk has in it."""

    pbx: PbxId
    name: str
    waiting: tuple[CallId, ...] = ()
    members: tuple[QueueMember, ...] = ()
