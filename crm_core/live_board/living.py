"""What lives, as the live board shows it: calls, rings and talks, agents, queues, links. Pure values."""

from __future__ import annotations

from datetime import datetime

from crm_core.events import (
    AgentState,
    Direction,
    LinkState,
    Member,
    TransferKind,
    TransferResult,
)
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
    held_since: datetime | None = None
    """Since when the other party hears music; None: it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTransfer:
    """The transfer of a call that began last; an attended one is a consultation until it ends."""

    nth: int
    kind: TransferKind
    member: Member
    """Who transfers."""
    to: str
    since: datetime
    result: TransferResult | None = None

    @property
    def is_consultation(self) -> bool:
        return self.kind is TransferKind.ATTENDED and self.result is None

    @property
    def hands_over(self) -> bool:
        """Whoever is rung now is rung because of it."""
        return self.result in (None, TransferResult.SUCCEEDED)


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
    rung: int = 0
    """The number of the last ring that was told, from 1."""
    talks: tuple[Talk, ...] = ()
    last_talk: Talk | None = None
    """The conversation that ended last: its agent may still be writing the note."""
    transfer: LiveTransfer | None = None

    @property
    def answered(self) -> bool:
        return bool(self.talks) or self.last_talk is not None

    def offer_at(self, interface: str | None) -> LiveOffer | None:
        """The ring at this device, if one goes on."""
        return next((o for o in self.offers if o.member.interface == interface), None)

    def consultation_of(self, interface: str | None) -> LiveTransfer | None:
        """Whom this phone consults about the call."""
        found = self.transfer
        mine = found is not None and found.member.interface == interface
        return found if found is not None and mine and found.is_consultation else None

    def handed_over_to(self, interface: str | None) -> LiveTransfer | None:
        """The transfer, or consultation, that this phone is rung by; None: another way."""
        found, offer = self.transfer, self.offer_at(interface)
        if found is None or offer is None or found.member.interface == interface:
            return None
        return found if found.hands_over and offer.offered_at >= found.since else None

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
