"""How a table is declared: what an annotation says, what is refused."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import ForeignKey, MetaData, String, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import mapped_column
from sqlalchemy.schema import CreateTable

from crm_core.db import Column, Instant, Json, Table, column, partial_index
from crm_core.migrations.tables import metadata as ours

APART = MetaData()
"""A table in that of the product would have to be in its migrations."""


class Client(Table):
    __tablename__ = "clients"
    metadata = APART

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(String(64))
    begun_at: Column[datetime] = column(Instant)
    paid: Column[bool]
    parent_id: Column[int | None] = column(ForeignKey("clients.id"))
    extra: Column[dict[str, int] | None] = column(Json)


def test_annotation_says_the_type_and_whether_it_may_be_null() -> None:
    said = " ".join(str(CreateTable(Client.__table__).compile(dialect=sqlite.dialect())).split())
    assert said == (
        "CREATE TABLE clients ( id INTEGER NOT NULL, name VARCHAR(64) NOT NULL, "
        "begun_at BIGINT NOT NULL, paid BOOLEAN NOT NULL, parent_id INTEGER, extra JSON, "
        "PRIMARY KEY (id), FOREIGN KEY(parent_id) REFERENCES clients (id) )"
    )
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    on_postgresql = str(CreateTable(Client.__table__).compile(dialect=dialect))
    assert "extra JSONB" in on_postgresql
    assert "begun_at TIMESTAMP WITH TIME ZONE NOT NULL" in on_postgresql


def test_class_stands_for_its_table() -> None:
    assert str(select(Client.name).where(Client.id == 1)).startswith("SELECT clients.name")
    assert "FROM clients" in str(select(Client))
    assert str(insert(Client).values(name="x")).startswith("INSERT INTO clients (name)")
    assert str(update(Client).values(name="x")).startswith("UPDATE clients SET name")
    assert str(delete(Client).where(Client.paid)).startswith("DELETE FROM clients WHERE")


def test_column_whose_type_nobody_says_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Odd\.weight: no column type is known for float"):

        class Odd(Table):
            __tablename__ = "odd"
            metadata = APART

            weight: Column[float]


def test_column_of_the_orm_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Mapped\.id: declare it by crm_core\.db\.column"):

        class Mapped(Table):
            __tablename__ = "mapped"
            metadata = APART

            id: Column[int] = mapped_column(primary_key=True)  # type: ignore[assignment]


def test_partial_index_is_one_on_both_databases() -> None:
    [index] = [one for one in ours.tables["calls"].indexes if one.name == "ix_calls_open"]
    for name in ("sqlite", "postgresql"):
        assert str(index.dialect_options[name]["where"]) == "ended_at IS NULL"
    assert partial_index("ix_x", "name", where="paid").info == {"where": "paid"}
