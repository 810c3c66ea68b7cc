"""Tables of customers: the file, the people behind it, their numbers, the fields a centre defines."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text

from crm_core.db import Column, Instant, Json, ShortText, Table, column, stored


class FieldKind(StrEnum):
    """What a customer field holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"


class Customer(Table):
    """A customer: a firm or a person. Custom fields lie in `fields`, by the definition's key."""

    __tablename__ = "customers"
    __table_args__ = (Index(None, "name", "id"), Index(None, "grade", "name", "id"))

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(String(128))
    grade: Column[str] = column(String(16), default="")
    company: Column[str] = column(String(256), default="")
    address: Column[str] = column(String(512), default="")
    remark: Column[str] = column(Text, default="")
    fields: Column[dict[str, Any]] = column(Json, default=dict)
    created_at: Column[datetime] = column(Instant)
    changed_at: Column[datetime] = column(Instant)
    import_batch_id: Column[int | None] = column(ForeignKey("import_batches.id"))


class Contact(Table):
    """A person at a customer."""

    __tablename__ = "contacts"

    id: Column[int] = column(primary_key=True)
    customer_id: Column[int] = column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    name: Column[str] = column(String(128))
    position: Column[str] = column(String(128), default="")


class PhoneNumber(Table):
    """A number of a customer or of one of the contacts. Several customers may share one.

    `number` is normalised once, at the door (E.164 where possible); `raw` is what was typed.
    """

    __tablename__ = "phone_numbers"
    __table_args__ = (
        Index(None, "number", "customer_id", unique=True),
        Index(None, "digits_reversed"),
    )

    id: Column[int] = column(primary_key=True)
    customer_id: Column[int] = column(ForeignKey("customers.id", ondelete="CASCADE"), index=True)
    contact_id: Column[int | None] = column(ForeignKey("contacts.id", ondelete="CASCADE"))
    number: Column[str] = column(String(32))
    digits_reversed: Column[str] = column(String(32))
    """The digits of `number` from the last to the first: "ends in 8000" becomes a range that an
    index answers on both databases."""
    raw: Column[str] = column(String(64))
    ordinal: Column[int] = column(default=1)
    """Which is tried first, from 1."""
    invalid_at: Column[datetime | None] = column(Instant)
    """Since when it is known to reach nobody: it is shown as such, and tried last."""


class CustomerField(Table):
    """A field of the customer's file, built-in or custom: who reads it, who writes it.

    `read_roles` and `write_roles` are names of roles; an empty list is nobody, null everybody who
    may read (write) customers at all.
    """

    __tablename__ = "customer_fields"
    __table_args__ = (stored(FieldKind, "kind"),)

    id: Column[int] = column(primary_key=True)
    key: Column[str] = column(ShortText, unique=True)
    label_zh: Column[str] = column(String(64))
    label_en: Column[str] = column(String(64))
    kind: Column[str] = column(ShortText)
    choices: Column[list[str] | None] = column(Json)
    custom: Column[bool] = column(default=True)
    on_pop: Column[bool] = column(default=True)
    read_roles: Column[list[str] | None] = column(Json)
    write_roles: Column[list[str] | None] = column(Json)
    ordinal: Column[int] = column(default=0)


class ImportBatch(Table):
    """One run of an import: what came, what was taken, what was not."""

    __tablename__ = "import_batches"

    id: Column[int] = column(primary_key=True)
    at: Column[datetime] = column(Instant)
    file_name: Column[str] = column(String(256))
    actor: Column[str] = column(String(64))
    added: Column[int] = column(default=0)
    changed: Column[int] = column(default=0)
    unchanged: Column[int] = column(default=0)
    refused: Column[int] = column(default=0)
