"""Tables of wrap-up: contact records (note, disposition) and the dispositions of a project."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint

from crm_core.db import Column, Instant, ShortText, Table, column


class Disposition(Table):
    """How a call ended in business words (处理结果); `digit` 1–9 is its key on the desk.

    Two levels: one that others name as their parent is a heading, and no call ends with it.
    """

    __tablename__ = "dispositions"
    __table_args__ = (UniqueConstraint("project_id", "key"),)

    id: Column[int] = column(primary_key=True)
    project_id: Column[int] = column(ForeignKey("projects.id"))
    key: Column[str] = column(ShortText)
    label_zh: Column[str] = column(String(64))
    label_en: Column[str] = column(String(64))
    digit: Column[int | None]
    ordinal: Column[int] = column(default=0)
    parent_id: Column[int | None] = column(ForeignKey("dispositions.id"))


class ContactRecord(Table):
    """An agent's part of the record of a call: one per call and agent."""

    __tablename__ = "contact_records"
    __table_args__ = (UniqueConstraint("call_id", "user_id"),)

    id: Column[int] = column(primary_key=True)
    call_id: Column[str] = column(String(32))
    user_id: Column[int] = column(ForeignKey("users.id"))
    customer_id: Column[int | None] = column(
        ForeignKey("customers.id", ondelete="SET NULL"), index=True
    )
    note: Column[str] = column(Text, default="")
    disposition_id: Column[int | None] = column(ForeignKey("dispositions.id"))
    submitted: Column[bool] = column(default=False)
    """False while it is the autosaved draft."""
    revision: Column[int] = column(default=0)
    """Rises with each save; an autosave that comes late (a lower one) changes nothing."""
    saved_at: Column[datetime] = column(Instant)
