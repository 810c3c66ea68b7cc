"""Tables of customers: the file, the people behind it, their numbers, the fields a centre defines."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.db import Instant, Json, ShortText, Table, stored


class FieldKind(StrEnum):
    """What a customer field holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"


class Customer(Table):
    """A customer: a firm or a person. Custom fields lie in `fields`, by the definition's key."""

    __tablename__ = "customers"
    __table_args__ = (Index(None, "name", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    grade: Mapped[str] = mapped_column(String(16), default="")
    company: Mapped[str] = mapped_column(String(256), default="")
    address: Mapped[str] = mapped_column(String(512), default="")
    remark: Mapped[str] = mapped_column(Text, default="")
    fields: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    import_batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batches.id"))


class Contact(Table):
    """A person at a customer."""

    __tablename__ = "contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(
        ForeignKey("customers.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(128))
    position: Mapped[str] = mapped_column(String(128), default="")


class PhoneNumber(Table):
    """A number of a customer or of one of the contacts. Several customers may share one.

    `number` is normalised once, at the door (E.164 where possible); `raw` is what was typed.
    """

    __tablename__ = "phone_numbers"
    __table_args__ = (
        Index(None, "number", "customer_id", unique=True),
        Index(None, "digits_reversed"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(
        ForeignKey("customers.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    number: Mapped[str] = mapped_column(String(32))
    digits_reversed: Mapped[str] = mapped_column(String(32))
    """The digits of `number` from the last to the first: "ends in 8000" becomes a range that an
    index answers on both databases."""
    raw: Mapped[str] = mapped_column(String(64))
    ordinal: Mapped[int] = mapped_column(default=1)
    """Which is tried first, from 1."""


class CustomerField(Table):
    """A field of the customer's file, built-in or custom: who reads it, who writes it.

    `read_roles` and `write_roles` are names of roles; an empty list is nobody, null everybody who
    may read (write) customers at all.
    """

    __tablename__ = "customer_fields"
    __table_args__ = (stored(FieldKind, "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(ShortText, unique=True)
    label_zh: Mapped[str] = mapped_column(String(64))
    label_en: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(ShortText)
    choices: Mapped[list[str] | None] = mapped_column(Json)
    custom: Mapped[bool] = mapped_column(default=True)
    on_pop: Mapped[bool] = mapped_column(default=True)
    read_roles: Mapped[list[str] | None] = mapped_column(Json)
    write_roles: Mapped[list[str] | None] = mapped_column(Json)
    ordinal: Mapped[int] = mapped_column(default=0)


class ImportBatch(Table):
    """One run of an import: what came, what was taken, what was not."""

    __tablename__ = "import_batches"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    file_name: Mapped[str] = mapped_column(String(256))
    actor: Mapped[str] = mapped_column(String(64))
    added: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
