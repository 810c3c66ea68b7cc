"""All tables: importing a subject's models puts them into the metadata that is returned here."""

from __future__ import annotations

import crm_core.access.models
import crm_core.call_log.models
import crm_core.centre.models
import crm_core.customers.models
import crm_core.wrap_up.models  # noqa: F401
from crm_core.db import Table

metadata = Table.metadata
