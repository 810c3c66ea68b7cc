"""Tables of wrap-up: contact records (note, disposition) and the dispositions of a project."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.db import Instant, ShortText, Table


class Disposition(Table):
    """How a call ended in business words (处理结果); `digit` 1–9 is its key on the desk."""

    __tablename__ = "dispositions"
    __table_args__ = (UniqueConstraint("project_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    key: Mapped[str] = mapped_column(ShortText)
    label_zh: Mapped[str] = mapped_column(String(64))
    label_en: Mapped[str] = mapped_column(String(64))
    digit: Mapped[int | None]
    ordinal: Mapped[int] = mapped_column(default=0)


class ContactRecord(Table):
    """An agent's part of the record of a call: one per call and agent."""

    __tablename__ = "contact_records"
    __table_args__ = (UniqueConstraint("call_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    customer_id: Mapped[int | None] = mapped_column(
        ForeignKey("customers.id", ondelete="SET NULL"), index=True
    )
    note: Mapped[str] = mapped_column(Text, default="")
    disposition_id: Mapped[int | None] = mapped_column(ForeignKey("dispositions.id"))
    submitted: Mapped[bool] = mapped_column(default=False)
    """False while it is the autosaved draft."""
    revision: Mapped[int] = mapped_column(default=0)
    """Rises with each save; an autosave that comes late (a lower one) changes nothing."""
    saved_at: Mapped[datetime] = mapped_column(Instant)
