"""What makes a fact the same fact: its natural key within call and kind.

Both feeds may tell a thing twice (two AMI sessions side by side, a snapshot, a `queue_log` read
again). A fact whose (call, kind, key) is in the timeline already is no news.
"""

from __future__ import annotations

from crm_core.events import (
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeld,
    CallJoined,
    CallLeftQueue,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    DialClosed,
    LegEnded,
    LegStarted,
    Member,
    OfferEnded,
    Outcome,
    PassClosed,
    PassConnected,
    PassEntered,
    PassRang,
    TimelineEvent,
    TransferBegan,
    TransferEnded,
)
from crm_core.ids import QueuePassKey

END_NOT_TOLD = frozenset({Outcome.UNKNOWN_END, Outcome.AGENT_DUMP})
"""Ends that are concluded from a row that is not there."""


def natural_key(fact: TimelineEvent) -> str:
    """Who, and the how-manieth."""
    match fact:
        case CallStarted() | LegStarted():
            return fact.unique_id
        case LegEnded():
            # An end that nobody saw is told when a snapshot lacks the channel; the real one may follow.
            return fact.unique_id if fact.cause is not None else f"{fact.unique_id}/unseen"
        case CallEnded():
            return "seen" if fact.seen else f"unseen/{fact.at.isoformat()}"
        case CallOffered() | OfferEnded():
            return str(fact.attempt)
        case CallAnswered() | ConversationEnded():
            return f"{_of(fact.queue_pass)}/{fact.leg or _name(fact.member)}"
        case CallHeld() | CallResumed():
            return f"{fact.leg}/{fact.at.isoformat()}"
        case TransferBegan() | TransferEnded():
            return str(fact.nth)
        case CallJoined():
            return fact.other
        case CallPlaced():
            return fact.leg or _name(fact.member)
        case PassRang():
            return f"{fact.queue_pass}/{fact.nth}"
        case CallDialled():
            return f"{fact.unique_id}/{fact.nth}"
        case DialClosed():
            return f"{fact.unique_id}/{fact.nth}" + ("" if fact.status else "/untold")
        case PassClosed() if fact.outcome in END_NOT_TOLD:
            # No closing row before the next start of Asterisk; an older file may have it after all.
            return f"{fact.queue_pass}/untold"
        case CallQueued() | CallLeftQueue() | PassEntered() | PassConnected() | PassClosed():
            return str(fact.queue_pass)


def _of(queue_pass: QueuePassKey | None) -> str:
    return str(queue_pass) if queue_pass else "-"


def _name(member: Member) -> str:
    return member.interface or member.name or "-"
