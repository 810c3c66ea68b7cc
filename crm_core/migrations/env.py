"""Alembic's door: it runs this file for each command; `crm_core.migrations` made the configuration."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from crm_core.db import Instant
from crm_core.migrations.tables import metadata


def render(kind: str, value: Any, autogen: AutogenContext) -> str | Literal[False]:
    """`Instant` under its own name: it is another type on SQLite than on PostgreSQL."""
    if kind == "type" and isinstance(value, Instant):
        autogen.imports.add("from crm_core.db import Instant")
        return "Instant()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=render,
    render_as_batch=True,  # SQLite cannot alter a column; elsewhere this changes nothing
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
