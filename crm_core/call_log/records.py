"""A call, its passes, rings and legs as plain values: what the call log keeps and the API tells."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from crm_core.events import (
    AttemptResult,
    Direction,
    EndedBy,
    LegParty,
    Member,
    Outcome,
    TransferKind,
    TransferResult,
)
from crm_core.ids import BootId, CallId, PbxId
from crm_core.quick_dataclass import dataclass


class Confidence(StrEnum):
    """How much of a call was seen, and by whom."""

    COMPLETE = "complete"
    """AMI saw it whole, and `queue_log` knows each of its queue passes."""
    AMI_ONLY = "ami_only"
    """A pass that `queue_log` does not know, or has not closed (no access to it, rows lost or late)."""
    QUEUE_LOG_ONLY = "queue_log_only"
    """AMI saw nothing of it: moments are whole seconds, legs are unknown."""
    GAP = "gap"
    """A part, or the end, was seen by nobody, or AMI was away for a pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One ring at one agent. `attempt` counts within the call; rings only `queue_log` saw come last."""

    attempt: int
    member: Member
    offered_at: datetime
    ended_at: datetime | None
    result: AttemptResult | None
    """None while it rings."""
    leg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRecord:
    """One stay in one queue. `ordinal` counts this channel's entries into this queue, both feeds joined."""

    unique_id: str
    queue: str
    ordinal: int
    entered_at: datetime
    answered_at: datetime | None
    left_at: datetime | None
    """The end of the conversation if answered, else of the waiting. None while it lasts."""
    outcome: Outcome | None
    """None: still waiting or talking, or it ended without an agent and only AMI saw that."""
    member: Member | None
    """Who talked: on a pick-up not who rang."""
    wait_seconds: int | None
    talk_seconds: int | None
    ended_by: EndedBy | None
    attempts: tuple[AttemptRecord, ...]
    picked_up: bool = False
    """AMI saw somebody answer at whom it did not ring; `queue_log` then names a member that rang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRecord:
    """One party's side of the call."""

    unique_id: str
    linked_id: str
    party: LegParty
    member: Member | None
    started_at: datetime
    ended_at: datetime | None
    cause: int | None
    ring_seconds: int | None = None
    """None: this phone did not ring, it called; or the leg lives."""
    talk_seconds: int | None = None
    """Without hold. None: the leg lives, or nobody saw an end."""
    hold_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecord:
    """One transfer; `nth` counts within the call."""

    nth: int
    kind: TransferKind
    at: datetime
    member: Member
    """Who transferred; of a pick-up, whose phone rang."""
    to: str
    """As dialled."""
    to_member: Member | None
    """Who talked then."""
    ended_at: datetime | None
    result: TransferResult | None
    """None: it is under way, or nobody saw what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A call as the call log keeps it. Numbers are raw; whose they are is resolved when recorded."""

    call_id: CallId
    pbx: PbxId
    boot: BootId | None
    """None only where every row that would name it was lost."""
    direction: Direction
    caller_number_raw: str | None
    caller_name: str | None
    called_number: str | None
    started_at: datetime
    at_is_receipt: bool
    answered_at: datetime | None
    """First connection to an agent."""
    ended_at: datetime | None
    cause: int | None
    confidence: Confidence
    placed_by: Member | None
    """Whose phone dialled, for a call that a seat placed."""
    passes: tuple[PassRecord, ...]
    attempts: tuple[AttemptRecord, ...]
    """Rings that belong to no queue pass (direct calls); the others are in their pass."""
    legs: tuple[LegRecord, ...]
    transfers: tuple[TransferRecord, ...] = ()
