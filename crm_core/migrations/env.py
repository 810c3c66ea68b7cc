"""Alembic's door: it runs this file for each command; `crm_core.migrations` made the configuration."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from crm_core.db import Instant, Json
from crm_core.migrations.tables import metadata


def render(kind: str, value: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Our types under their own names: each is another one on SQLite than on PostgreSQL."""
    if kind == "type" and isinstance(value, Instant | Json):
        name = type(value).__name__
        autogen.imports.add(f"from crm_core.db import {name}")
        return f"{name}()"
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
