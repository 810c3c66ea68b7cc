"""The reasons for a pause in a set-up file: read into `pause_reasons`, and written out again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.agents.models import PauseReason
from crm_core.agents.queries import PauseReasonInfo, pause_reasons
from crm_core.agents.rules import RESERVED_REASONS
from crm_core.centre.setup_file import Entry
from crm_core.centre.setup_rows import Rows


async def write_pause_reasons(rows: Rows) -> None:
    """Those that the file names come first, in its order; then the others, as they were."""
    found = await pause_reasons(rows.connection, all_of_them=True)
    present = {one.code: one for one in found}
    named: list[str] = []
    for entry in rows.once("pause_reasons", "code"):
        code = entry.values["code"]
        if code in RESERVED_REASONS:
            rows.wrong(entry, "code", f"{code} is a word of Zuoxi's own")
            continue
        named.append(code)
        rows.tell(f"pause reason {code}", await _write(rows, entry, present.get(code)))
    if named:
        await _number(rows, [*named, *(code for code in present if code not in named)])


async def _write(rows: Rows, entry: Entry, present: PauseReasonInfo | None) -> str:
    """ "added", "changed" or "unchanged"."""
    code = entry.values["code"]
    wanted = PauseReasonInfo(
        code=code,
        label_zh=entry.values["zh"],
        label_en=entry.values["en"],
        active=entry.values.get("active", True),
    )
    if wanted == present:
        return "unchanged"
    values = {"label_zh": wanted.label_zh, "label_en": wanted.label_en, "active": wanted.active}
    if present is None:
        await rows.connection.execute(insert(PauseReason).values(code=code, ordinal=0, **values))
        return "added"
    await rows.connection.execute(
        update(PauseReason).where(PauseReason.code == code).values(values)
    )
    return "changed"


async def _number(rows: Rows, codes: list[str]) -> None:
    for ordinal, code in enumerate(codes, start=1):
        await rows.connection.execute(
            update(PauseReason).where(PauseReason.code == code).values(ordinal=ordinal)
        )


async def exported_pause_reasons(connection: AsyncConnection) -> list[dict[str, Any]]:
    """As entries of the section `pause_reasons`."""
    return [
        {"code": one.code, "zh": one.label_zh, "en": one.label_en}
        | ({} if one.active else {"active": False})
        for one in await pause_reasons(connection, all_of_them=True)
        if one.code not in RESERVED_REASONS
    ]
