"""Tables of the centre: projects, hotlines, teams, queues, seats, and who held which interface."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint

from crm_core.centre.plan import RecordingRule, Strategy
from crm_core.db import Column, Instant, Json, ShortText, Table, column, partial_index, stored
from crm_core.events import Direction


class Project(Table):
    """One client (甲方) under one contract; every call belongs to exactly one."""

    __tablename__ = "projects"

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(String(128), unique=True)
    client: Column[str] = column(String(128), default="")
    is_default: Column[bool] = column(default=False)
    """Takes the calls of numbers and queues that are nobody's."""
    keep_recordings_days: Column[int] = column(default=0, server_default="0")
    """Older recordings of its calls are deleted; 0 keeps them."""


class Queue(Table):
    """Where calls wait. `name` is Asterisk's, `title` what people read."""

    __tablename__ = "queues"
    __table_args__ = (
        UniqueConstraint("pbx", "name"),
        stored(Strategy, "strategy"),
        stored(RecordingRule, "recording"),
    )

    id: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    name: Column[str] = column(String(79))
    title: Column[str] = column(String(128))
    project_id: Column[int] = column(ForeignKey("projects.id"))
    strategy: Column[str] = column(ShortText)
    ring_seconds: Column[int]
    max_wait_seconds: Column[int]
    wrap_up_seconds: Column[int]
    max_callers: Column[int] = column(default=0)
    weight: Column[int] = column(default=0)
    announce_position: Column[bool] = column(default=False)
    missed_rings: Column[int] = column(default=1, server_default="1")
    recording: Column[str] = column(ShortText, default="never", server_default="never")
    announcement: Column[str] = column(String(128), default="", server_default="")


class DirectionRecording(Table):
    """How calls without a queue are recorded: by direction, PBX by PBX."""

    __tablename__ = "direction_recordings"
    __table_args__ = (
        UniqueConstraint("pbx", "direction"),
        stored(Direction, "direction"),
        stored(RecordingRule, "recording"),
    )

    id: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    direction: Column[str] = column(ShortText)
    recording: Column[str] = column(ShortText)
    announcement: Column[str] = column(String(128), default="")


class Hotline(Table):
    """A number that callers dial. `greeting` is what the agent says first."""

    __tablename__ = "hotlines"
    __table_args__ = (UniqueConstraint("pbx", "number"),)

    id: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    number: Column[str] = column(String(32))
    name: Column[str] = column(String(128))
    greeting: Column[str] = column(Text, default="")
    project_id: Column[int] = column(ForeignKey("projects.id"))
    queue_id: Column[int | None] = column(ForeignKey("queues.id"))
    priorities: Column[dict[str, int] | None] = column(Json)
    """Grade of the customer → priority of the call; null: all wait alike."""
    last_agent_days: Column[int] = column(default=0, server_default="0")
    """Who talked with the caller within so many days is rung first; 0: nobody."""


class Team(Table):
    """A team (班组) of one project."""

    __tablename__ = "teams"

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(String(128), unique=True)
    project_id: Column[int] = column(ForeignKey("projects.id"))
    region: Column[str] = column(String(64), default="")


class Seat(Table):
    """A place (工位) with a phone, shared by shifts."""

    __tablename__ = "seats"
    __table_args__ = (UniqueConstraint("pbx", "extension"), UniqueConstraint("pbx", "interface"))

    id: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    extension: Column[str] = column(String(32))
    interface: Column[str] = column(String(128))
    secret: Column[str | None] = column(String(128))
    contact: Column[str | None] = column(String(128))


_STILL_HELD = "ended_at IS NULL"


class SeatHolding(Table):
    """Who held which interface, from–to. Every figure is credited by it.

    Two partial unique indexes promise, against any race of two sign-ins, that an interface has one
    holder at a time and a person one interface.
    """

    __tablename__ = "seat_holdings"
    __table_args__ = (
        Index(None, "pbx", "interface", "began_at"),
        partial_index(
            "uq_seat_holdings_held_interface", "pbx", "interface", unique=True, where=_STILL_HELD
        ),
        partial_index("uq_seat_holdings_holding_user", "user_id", unique=True, where=_STILL_HELD),
    )

    id: Column[int] = column(primary_key=True)
    pbx: Column[str] = column(ShortText)
    interface: Column[str] = column(String(128))
    user_id: Column[int] = column(ForeignKey("users.id"), index=True)
    began_at: Column[datetime] = column(Instant)
    ended_at: Column[datetime | None] = column(Instant)
