"""Tables of the centre: projects, hotlines, teams, queues, seats, and who held which interface."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.centre.plan import Strategy
from crm_core.db import Instant, ShortText, Table, stored


class Project(Table):
    """One client (甲方) under one contract; every call belongs to exactly one."""

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    client: Mapped[str] = mapped_column(String(128), default="")
    is_default: Mapped[bool] = mapped_column(default=False)
    """Takes the calls of numbers and queues that are nobody's."""


class Queue(Table):
    """Where calls wait. `name` is Asterisk's, `title` what people read."""

    __tablename__ = "queues"
    __table_args__ = (UniqueConstraint("pbx", "name"), stored(Strategy, "strategy"))

    id: Mapped[int] = mapped_column(primary_key=True)
    pbx: Mapped[str] = mapped_column(ShortText)
    name: Mapped[str] = mapped_column(String(79))
    title: Mapped[str] = mapped_column(String(128))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    strategy: Mapped[str] = mapped_column(ShortText)
    ring_seconds: Mapped[int]
    max_wait_seconds: Mapped[int]
    wrap_up_seconds: Mapped[int]
    max_callers: Mapped[int] = mapped_column(default=0)
    weight: Mapped[int] = mapped_column(default=0)
    announce_position: Mapped[bool] = mapped_column(default=False)


class Hotline(Table):
    """A number that callers dial. `greeting` is what the agent says first."""

    __tablename__ = "hotlines"
    __table_args__ = (UniqueConstraint("pbx", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    pbx: Mapped[str] = mapped_column(ShortText)
    number: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(128))
    greeting: Mapped[str] = mapped_column(Text, default="")
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("queues.id"))


class Team(Table):
    """A team (班组) of one project."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    region: Mapped[str] = mapped_column(String(64), default="")


class Seat(Table):
    """A place (工位) with a phone, shared by shifts."""

    __tablename__ = "seats"
    __table_args__ = (UniqueConstraint("pbx", "extension"), UniqueConstraint("pbx", "interface"))

    id: Mapped[int] = mapped_column(primary_key=True)
    pbx: Mapped[str] = mapped_column(ShortText)
    extension: Mapped[str] = mapped_column(String(32))
    interface: Mapped[str] = mapped_column(String(128))
    secret: Mapped[str | None] = mapped_column(String(128))
    contact: Mapped[str | None] = mapped_column(String(128))


_STILL_HELD = text("ended_at IS NULL")


class SeatHolding(Table):
    """Who held which interface, from–to. Every figure is credited by it.

    Two partial unique indexes promise, against any race of two sign-ins, that an interface has one
    holder at a time and a person one interface.
    """

    __tablename__ = "seat_holdings"
    __table_args__ = (
        Index(None, "pbx", "interface", "began_at"),
        Index(
            "uq_seat_holdings_held_interface",
            "pbx",
            "interface",
            unique=True,
            sqlite_where=_STILL_HELD,
            postgresql_where=_STILL_HELD,
        ),
        Index(
            "uq_seat_holdings_holding_user",
            "user_id",
            unique=True,
            sqlite_where=_STILL_HELD,
            postgresql_where=_STILL_HELD,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pbx: Mapped[str] = mapped_column(ShortText)
    interface: Mapped[str] = mapped_column(String(128))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    began_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
