"""The life of a call, of its stay in a queue and of one ring, as tables; and what Asterisk's words mean.

What is not in a table does not happen: a late or double message finds no way out of its state and
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import TypeVar

from crm_core.events import AttemptResult, EndedBy


class _Entry(Enum):
    """Of a table's key. There is one object of each: it is hashed as one, not by its name."""

    __hash__ = object.__hash__


class CallState(_Entry):
    """A call lives from its first channel to its last, and never again."""

    LIVE = auto()
    OVER = auto()


class PassState(_Entry):
    """One stay in one queue."""

    WAITING = auto()
    LEAVING = auto()
    """Out of the queue; whether to an agent, the next message says (Leave comes before Connect)."""
    TALKING = auto()
    OVER = auto()


class OfferState(_Entry):
    """One ring at one agent."""

    RINGING = auto()
    STOPPED = auto()
    """No longer ringing; why, a message that follows says (or none: then the time that passes)."""
    ANSWERED = auto()
    OVER = auto()


class TransferState(_Entry):
    """One attempt to bring the call to another phone."""

    CONSULTING = auto()
    """Announced first: who transfers is still there."""
    ON_ITS_WAY = auto()
    """Who transfers has let go; nobody has answered yet."""
    OVER = auto()


class CallFact(_Entry):
    LAST_CHANNEL_GONE = auto()
    MISSED = auto()
    """Not in the snapshot, or Asterisk started anew."""


class PassFact(_Entry):
    LEAVES = auto()
    CONNECTS = auto()
    GIVES_UP = auto()
    """Any exit without an agent."""
    COMPLETES = auto()


class OfferFact(_Entry):
    STOPS = auto()
    ANSWERS = auto()
    ENDS = auto()


class TransferFact(_Entry):
    HANDS_OVER = auto()
    ANSWERS = auto()
    RETURNS = auto()
    """Who transfers talks to the caller again."""
    GIVES_UP = auto()
    """Who was to be transferred is gone."""


CALL: Mapping[tuple[CallState, CallFact], CallState] = {
    (CallState.LIVE, CallFact.LAST_CHANNEL_GONE): CallState.OVER,
    (CallState.LIVE, CallFact.MISSED): CallState.OVER,
}

PASS: Mapping[tuple[PassState, PassFact], PassState] = {
    (PassState.WAITING, PassFact.LEAVES): PassState.LEAVING,
    (PassState.WAITING, PassFact.CONNECTS): PassState.TALKING,
    (PassState.WAITING, PassFact.GIVES_UP): PassState.OVER,
    (PassState.LEAVING, PassFact.CONNECTS): PassState.TALKING,
    (PassState.LEAVING, PassFact.GIVES_UP): PassState.OVER,
    (PassState.TALKING, PassFact.COMPLETES): PassState.OVER,
}

OFFER: Mapping[tuple[OfferState, OfferFact], OfferState] = {
    (OfferState.RINGING, OfferFact.STOPS): OfferState.STOPPED,
    (OfferState.RINGING, OfferFact.ANSWERS): OfferState.ANSWERED,
    (OfferState.RINGING, OfferFact.ENDS): OfferState.OVER,
    (OfferState.STOPPED, OfferFact.ANSWERS): OfferState.ANSWERED,
    (OfferState.STOPPED, OfferFact.ENDS): OfferState.OVER,
}

TRANSFER: Mapping[tuple[TransferState, TransferFact], TransferState] = {
    (TransferState.CONSULTING, TransferFact.HANDS_OVER): TransferState.ON_ITS_WAY,
    (TransferState.CONSULTING, TransferFact.RETURNS): TransferState.OVER,
    (TransferState.CONSULTING, TransferFact.GIVES_UP): TransferState.OVER,
    (TransferState.ON_ITS_WAY, TransferFact.ANSWERS): TransferState.OVER,
    (TransferState.ON_ITS_WAY, TransferFact.GIVES_UP): TransferState.OVER,
}

REASONS = {"caller": EndedBy.CALLER, "agent": EndedBy.AGENT, "transfer": EndedBy.TRANSFER}
"""AgentComplete's Reason → whose hang-up it was."""

RING_RESULTS = {
    "BUSY": AttemptResult.REFUSED,
    "CONGESTION": AttemptResult.REFUSED,
    "CHANUNAVAIL": AttemptResult.NO_ANSWER,
}
"""DialStatus → how a ring ended, where it says so by itself; in a queue, others wait for a reason."""

DIRECT_RESULTS = {**RING_RESULTS, "CANCEL": AttemptResult.GONE}
"""The same without a queue, where nothing follows; any other status is no answer."""

BY_CAUSE = {
    17: AttemptResult.REFUSED,  # busy
    21: AttemptResult.REFUSED,  # declined
    26: AttemptResult.ELSEWHERE,  # answered elsewhere
}
"""Q.850 cause of the agent's Hangup → how the ring ended; other causes do not say."""

State = TypeVar("State")
Fact = TypeVar("Fact")


def after(table: Mapping[tuple[State, Fact], State], state: State, fact: Fact) -> State | None:
    """The state that `fact` leads to from `state`; None where it leads nowhere."""
    return table.get((state, fact))
