"""Tables of the call log: boots, feeds, gaps; the timeline; and the rows computed from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint

from crm_core.call_log.timeline import Confidence
from crm_core.db import Column, Instant, Json, ShortText, Table, column, partial_index, stored
from crm_core.events import (
    AttemptResult,
    Direction,
    EndedBy,
    Feed,
    LegParty,
    Outcome,
    TransferKind,
    TransferResult,
)

CallIdText = String(32)
UniqueIdText = String(150)
"""Asterisk's own limit; it puts the system's name in front."""


class Boot(Table):
    """One run of an Asterisk; found by CoreStatus or QUEUESTART, never renamed."""

    __tablename__ = "boots"

    pbx: Column[str] = column(ShortText, primary_key=True)
    boot: Column[str] = column(ShortText, primary_key=True)
    started_at: Column[datetime] = column(Instant)
    ended_at: Column[datetime | None] = column(Instant)
    how_ended: Column[str | None] = column(ShortText)


class FeedRow(Table):
    """How far a feed was followed. `heard_until` is where a gap begins after a kill."""

    __tablename__ = "feeds"
    __table_args__ = (stored(Feed, "feed"),)

    pbx: Column[str] = column(ShortText, primary_key=True)
    feed: Column[str] = column(ShortText, primary_key=True)
    position: Column[str | None] = column(String(256))
    heard_until: Column[datetime | None] = column(Instant)


class Gap(Table):
    """An interval whose facts of one feed did not reach the timeline."""

    __tablename__ = "gaps"
    __table_args__ = (UniqueConstraint("pbx", "began_at", "ended_at"), stored(Feed, "feed"))

    id: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    began_at: Column[datetime] = column(Instant)
    ended_at: Column[datetime] = column(Instant)
    boot_changed: Column[bool]
    calls_touched: Column[int]
    reason: Column[str] = column(String(256), default="")
    feed: Column[str] = column(ShortText, default=Feed.AMI)


class Call(Table):
    """A call, computed from its timeline. `*_id` columns are resolved when it is recorded.

    The agent columns are those of who talked last; of who dialled, where nobody answered a call
    that a seat placed.
    """

    __tablename__ = "calls"
    __table_args__ = (
        stored(Direction, "direction"),
        stored(Confidence, "confidence"),
        stored(Outcome, "outcome"),
        Index(None, "started_at", "call_id"),
        Index(None, "customer_number", "started_at"),
        Index(None, "project_id", "customer_number", "answered_at"),
        Index(None, "customer_id", "started_at"),
        Index(None, "user_id", "started_at"),
        partial_index("ix_calls_open", "pbx", where="ended_at IS NULL"),
        partial_index("ix_calls_gave_up", "started_at", where="outcome = 'abandoned'"),
    )

    call_id: Column[str] = column(CallIdText, primary_key=True)
    pbx: Column[str] = column(ShortText)
    boot: Column[str | None] = column(ShortText)
    direction: Column[str] = column(ShortText)
    project_id: Column[int | None] = column(ForeignKey("projects.id"))
    hotline_id: Column[int | None] = column(ForeignKey("hotlines.id"))
    called_number: Column[str | None] = column(String(64))
    caller_number: Column[str | None] = column(String(64))
    """Normalised; None where withheld."""
    caller_number_raw: Column[str | None] = column(String(128))
    caller_name: Column[str | None] = column(String(128))
    customer_number: Column[str | None] = column(String(64))
    """The customer's side, normalised: the caller of an inbound call, the called of an outbound."""
    customer_id: Column[int | None] = column(ForeignKey("customers.id", ondelete="SET NULL"))
    started_at: Column[datetime] = column(Instant)
    at_is_receipt: Column[bool] = column(default=False)
    """The PBX sends no stamps: `started_at` is when we heard of it."""
    answered_at: Column[datetime | None] = column(Instant)
    """First connection to an agent."""
    ended_at: Column[datetime | None] = column(Instant)
    outcome: Column[str | None] = column(ShortText)
    """Of the last pass; null without a queue."""
    talk_seconds: Column[int | None]
    user_id: Column[int | None] = column(ForeignKey("users.id"))
    agent_number: Column[str | None] = column(String(64))
    member_name: Column[str | None] = column(String(128))
    interface: Column[str | None] = column(String(128))
    cause: Column[int | None]
    confidence: Column[str] = column(ShortText)


class CallEventRow(Table):
    """A fact of a call's timeline: append-only, natural key, so writing one twice changes nothing."""

    __tablename__ = "call_events"

    call_id: Column[str] = column(CallIdText, primary_key=True)
    kind: Column[str] = column(ShortText, primary_key=True)
    """The event's class."""
    key: Column[str] = column(String(300), primary_key=True)
    """Who and the how-manieth, within call and kind (`natural_keys`)."""
    at: Column[datetime] = column(Instant)
    body: Column[dict[str, Any]] = column(Json)


class QueuePass(Table):
    """One stay of a call in a queue."""

    __tablename__ = "queue_passes"
    __table_args__ = (
        stored(Outcome, "outcome"),
        stored(EndedBy, "ended_by"),
        Index(None, "pbx", "entered_at"),
        Index(None, "user_id", "answered_at"),
    )

    call_id: Column[str] = column(ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True)
    unique_id: Column[str] = column(UniqueIdText, primary_key=True)
    queue: Column[str] = column(String(79), primary_key=True)
    ordinal: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    queue_id: Column[int | None] = column(ForeignKey("queues.id"))
    entered_at: Column[datetime] = column(Instant)
    answered_at: Column[datetime | None] = column(Instant)
    left_at: Column[datetime | None] = column(Instant)
    outcome: Column[str | None] = column(ShortText)
    user_id: Column[int | None] = column(ForeignKey("users.id"))
    agent_number: Column[str | None] = column(String(64))
    member_name: Column[str | None] = column(String(128))
    interface: Column[str | None] = column(String(128))
    wait_seconds: Column[int | None]
    talk_seconds: Column[int | None]
    picked_up: Column[bool] = column(default=False)
    """Answered at a phone that the queue did not ring; `queue_log` names one that rang."""
    ended_by: Column[str | None] = column(ShortText)


class OfferAttempt(Table):
    """One ring at one agent."""

    __tablename__ = "offer_attempts"
    __table_args__ = (
        stored(AttemptResult, "result"),
        Index(None, "user_id", "offered_at"),
    )

    call_id: Column[str] = column(ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True)
    attempt: Column[int] = column(primary_key=True)
    unique_id: Column[str | None] = column(UniqueIdText)
    """With `queue` and `ordinal`: the pass it belongs to; all three null without a queue."""
    queue: Column[str | None] = column(String(79))
    ordinal: Column[int | None]
    user_id: Column[int | None] = column(ForeignKey("users.id"))
    agent_number: Column[str | None] = column(String(64))
    member_name: Column[str | None] = column(String(128))
    interface: Column[str | None] = column(String(128))
    offered_at: Column[datetime] = column(Instant)
    ended_at: Column[datetime | None] = column(Instant)
    result: Column[str | None] = column(ShortText)


class Leg(Table):
    """One party's side of a call."""

    __tablename__ = "legs"
    __table_args__ = (stored(LegParty, "party"),)

    call_id: Column[str] = column(ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True)
    unique_id: Column[str] = column(UniqueIdText, primary_key=True)
    linked_id: Column[str] = column(UniqueIdText, index=True)
    party: Column[str] = column(ShortText)
    user_id: Column[int | None] = column(ForeignKey("users.id"))
    agent_number: Column[str | None] = column(String(64))
    member_name: Column[str | None] = column(String(128))
    interface: Column[str | None] = column(String(128))
    started_at: Column[datetime] = column(Instant)
    ended_at: Column[datetime | None] = column(Instant)
    cause: Column[int | None]
    ring_seconds: Column[int | None]
    """Null: this phone did not ring, it called; or the leg lives."""
    talk_seconds: Column[int | None]
    """Without hold. Null while the leg lives, and where nobody saw an end."""
    hold_seconds: Column[int | None]


class Transfer(Table):
    """A call on its way to another phone. The agent columns are who transferred, `to_…` who talked then."""

    __tablename__ = "transfers"
    __table_args__ = (
        stored(TransferKind, "kind"),
        stored(TransferResult, "result"),
        Index(None, "user_id", "at"),
    )

    call_id: Column[str] = column(ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True)
    nth: Column[int] = column(primary_key=True)
    kind: Column[str] = column(ShortText)
    at: Column[datetime] = column(Instant)
    user_id: Column[int | None] = column(ForeignKey("users.id"))
    agent_number: Column[str | None] = column(String(64))
    member_name: Column[str | None] = column(String(128))
    interface: Column[str | None] = column(String(128))
    dialled: Column[str] = column(String(128))
    to_user_id: Column[int | None] = column(ForeignKey("users.id"))
    to_agent_number: Column[str | None] = column(String(64))
    to_member_name: Column[str | None] = column(String(128))
    to_interface: Column[str | None] = column(String(128))
    result: Column[str | None] = column(ShortText)


class CallAlias(Table):
    """The id of a call that became a part of an older one; every answer knows both."""

    __tablename__ = "call_aliases"

    alias: Column[str] = column(CallIdText, primary_key=True)
    call_id: Column[str] = column(ForeignKey("calls.call_id", ondelete="CASCADE"), index=True)
