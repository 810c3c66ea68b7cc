"""All tables: importing a subject's models puts them into the metadata that is returned here."""

from __future__ import annotations

from sqlalchemy import text

import crm_core.access.models
import crm_core.agents.models
import crm_core.call_log.books
import crm_core.call_log.models
import crm_core.centre.models
import crm_core.customers.models
import crm_core.outbox.models
import crm_core.recordings.models
import crm_core.wrap_up.models  # noqa: F401
from crm_core.db import Table

metadata = Table.metadata

for _table in metadata.tables.values():
    for _index in _table.indexes:
        if where := _index.info.get("where"):
            for _database in ("sqlite", "postgresql"):
                _index.dialect_kwargs[f"{_database}_where"] = text(where)
