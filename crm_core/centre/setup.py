"""A whole centre from one YAML file: `zuoxi import setup`.

`setup_file` reads it, this file makes the tables say the same. Only what the file names is written;
importing it again changes nothing; one mistake anywhere and nothing was imported.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.audit import COMMAND_LINE, audit
from crm_core.access.roles import write_presets
from crm_core.centre.setup_example import EXAMPLE as EXAMPLE
from crm_core.centre.setup_file import SetupInvalid as SetupInvalid
from crm_core.centre.setup_file import read_setup
from crm_core.centre.setup_import import write_sections
from crm_core.centre.setup_rows import Rows
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupReport:
    """`added`, `changed`: what, e.g. "queue support"; `passwords`: (sign-in name, one-time)."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int
    passwords: tuple[tuple[str, str], ...]


async def import_setup(
    connection: AsyncConnection,
    text: str,
    *,
    now: datetime,
    actor: str = COMMAND_LINE,
    pbx: str = "main",
) -> SetupReport:
    """`pbx` is that of entries and a file that name none.

    Raises `SetupInvalid` (its detail: one line per mistake) and has changed nothing then.
    """
    file = read_setup(text)
    async with connection.begin_nested():
        await write_presets(connection)
        work = Rows(connection=connection, file=file, pbx=file.pbx or pbx)
        await write_sections(work, now=now)
        if file.mistakes:
            raise SetupInvalid(tuple(file.mistakes))
    if work.added or work.changed:
        detail = {"added": work.added, "changed": work.changed}
        await audit(connection, actor, "setup.import", work.pbx, detail, at=now)
    return SetupReport(
        added=tuple(work.added),
        changed=tuple(work.changed),
        unchanged=work.unchanged,
        passwords=tuple(work.passwords),
    )
