"""Tables of what agents do: every state with its end, and the reasons for a pause."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String

from crm_core.db import Column, Instant, ShortText, Table, column, partial_index, stored
from crm_core.events import AgentState, MemberChange, StateSource


class AgentStateRow(Table):
    """One state of one agent, from–to; the open row is what the agent does now (or `offline`).

    A partial unique index promises one open row a person. An agent is in one state from a moment on:
    writing a change twice is writing it once.
    """

    __tablename__ = "agent_states"
    __table_args__ = (
        stored(AgentState, "state"),
        stored(StateSource, "source"),
        Index(None, "began_at"),
        partial_index(
            "uq_agent_states_open_user", "user_id", unique=True, where="ended_at IS NULL"
        ),
    )

    user_id: Column[int] = column(ForeignKey("users.id"), primary_key=True)
    began_at: Column[datetime] = column(Instant, primary_key=True)
    ended_at: Column[datetime | None] = column(Instant)
    pbx: Column[str] = column(ShortText)
    interface: Column[str] = column(String(128))
    state: Column[str] = column(ShortText)
    reason: Column[str | None] = column(ShortText)
    """The code of the pause reason."""
    source: Column[str] = column(ShortText)
    call_id: Column[str | None] = column(String(32))
    queue: Column[str | None] = column(String(79))
    due_at: Column[datetime | None] = column(Instant)
    """When wrap-up ends, or was to end."""
    next_state: Column[str | None] = column(ShortText)
    next_reason: Column[str | None] = column(ShortText)
    """What is to follow the call: `paused` and its reason, or `missed`."""


class MemberChangeRow(Table):
    """What `queue_log` says of a queue's member, by name: on a site without sign-in all there is."""

    __tablename__ = "member_changes"
    __table_args__ = (stored(MemberChange, "change"), Index(None, "pbx", "at"))

    pbx: Column[str] = column(ShortText, primary_key=True)
    name: Column[str] = column(String(128), primary_key=True)
    queue: Column[str] = column(String(79), primary_key=True)
    at: Column[datetime] = column(Instant, primary_key=True)
    change: Column[str] = column(ShortText, primary_key=True)
    reason: Column[str | None] = column(String(128))


class PauseReason(Table):
    """What an agent may pause for (小休, 用餐 …). `code` is what rows and frames say."""

    __tablename__ = "pause_reasons"

    code: Column[str] = column(ShortText, primary_key=True)
    label_zh: Column[str] = column(String(64))
    label_en: Column[str] = column(String(64))
    ordinal: Column[int] = column(default=0)
    active: Column[bool] = column(default=True)
    """Reasons that stand in rows are never taken away, only no longer offered."""
