"""The call list as a file for a spreadsheet: the calls of the page, for who may export; audited.

UTF-8 with a byte order mark, which Excel needs to see that it is. A cell never begins like a formula:
customers' names come from outside, and a spreadsheet would carry them out. The file is sent page by
page as it is read; nobody holds all of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from agent_ui import words
from agent_ui.auth import Visit, visit_of
from agent_ui.calls.reading import CallReader, wanted
from agent_ui.calls.routes import asked_for, of_gap
from agent_ui.calls.view import CallRow
from agent_ui.deps import Deps, deps_of
from agent_ui.guessing import guessing
from agent_ui.rendering import FIXED
from agent_ui.security import needs
from agent_ui.words import N_
from crm_core.access.audit import audit
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.call_log.queries import CallFilter, Page
from crm_core.call_log.queries import calls as read_calls
from crm_core.customers.phone_numbers import masked, national
from crm_core.db import reading, transaction
from crm_core.errors import Invalid

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

ROWS_AT_ONCE = 500
BYTE_ORDER_MARK = "\ufeff"

HEAD = (
    N_("Began"),
    N_("Direction"),
    N_("Customer's number"),
    N_("Customer"),
    N_("Hotline"),
    N_("Queue"),
    N_("Agent"),
    N_("Agent number"),
    N_("Waited (seconds)"),
    N_("Talked (seconds)"),
    N_("Outcome"),
    N_("Disposition"),
    N_("How it is known"),
    N_("Call id"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@router.get("/calls.csv", dependencies=[needs(Permission.EXPORT)])
async def export_calls(request: Request, visit: Who) -> Response:
    """What the call list shows with these filters, from the newest to the oldest."""
    deps, viewer = deps_of(request), visit.who
    given = asked_for(request)
    typed, filters = wanted(given, deps.settings.zone, deps.settings.region)
    if typed.problems:
        message = next(iter(typed.problems.values()))
        raise Invalid(deps.renderer.text(message, visit.language))
    async with reading(deps.engine) as connection:
        filters = replace(filters, gap=await of_gap(connection, deps, viewer, typed.gap))
    async with guessing(deps, viewer, int(filters.phone is not None)) as guess:
        # Read before the answer begins: what goes wrong here is still told as a page.
        first = await _page(deps, visit, filters, None)
        guess.found = bool(first.items)
    kept = {name: value for name, value in given.items() if value}
    if filters.phone is not None:
        kept["number"] = masked(filters.phone)
    async with transaction(deps.engine) as connection:
        await audit(connection, viewer.name, "calls.export", "calls", kept, at=deps.now())
    day = deps.now().astimezone(deps.settings.zone).date()
    return StreamingResponse(
        _lines(deps, visit, filters, first),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="calls-{day.isoformat()}.csv"'},
    )


async def _page(deps: Deps, visit: Visit, filters: CallFilter, cursor: str | None) -> Page:
    async with reading(deps.engine) as connection:
        scope = calls_in_scope(visit.who)
        return await read_calls(connection, filters, scope, ROWS_AT_ONCE, cursor)


async def _lines(
    deps: Deps, visit: Visit, filters: CallFilter, first: Page
) -> AsyncIterator[bytes]:
    reader = CallReader(deps.directory, deps.holders, visit.who, visit.language)

    def text(message: str) -> str:
        return deps.renderer.text(message, visit.language)

    def stamp(at: datetime) -> str:
        return f"{at.astimezone(deps.settings.zone):%Y-%m-%d %H:%M:%S}"

    yield (BYTE_ORDER_MARK + _csv([[text(title) for title in HEAD]])).encode()
    page = first
    while True:
        yield _csv(cells(reader.row(call), text, stamp) for call in page.items).encode()
        if page.next_cursor is None:
            return
        page = await _page(deps, visit, filters, page.next_cursor)


def cells(row: CallRow, text: Callable[[str], str], stamp: Callable[[datetime], str]) -> list[str]:
    """A line of the list, as the list's page words it."""
    return [
        stamp(row.started_at),
        text(words.DIRECTIONS[row.direction].text),
        dialled(row.number) if row.number else "",
        row.customer or "",
        row.hotline,
        row.queue,
        row.agent or "",
        row.agent_number or "",
        "" if row.wait_seconds is None else str(row.wait_seconds),
        "" if row.talk_seconds is None else str(row.talk_seconds),
        text(_outcome(row)),
        row.disposition or "",
        text(words.CONFIDENCES[row.confidence]),
        row.call,
    ]


def _outcome(row: CallRow) -> str:
    if row.live:
        return N_("goes on")
    if row.outcome is not None:
        return words.OUTCOMES[row.outcome].text
    return N_("Answered") if row.answered else N_("Not answered")


def dialled(number: str) -> str:
    """A number as people in China write it: 13800138000, 010-62345678. The hyphen keeps the 0 that a
    spreadsheet would take for nothing."""
    plain, fixed = national(number), FIXED.match(number)
    if fixed and plain.startswith("0"):
        _country, area, head, tail = fixed.groups()
        return f"0{area}-{head}{tail}"
    return plain


def harmless(cell: str) -> str:
    """The cell as text that no spreadsheet computes."""
    return f"'{cell}" if cell.lstrip(" \u00a0\u3000").startswith(_FORMULA) else cell


def _csv(rows: Iterable[list[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([harmless(cell) for cell in row] for row in rows)
    return written.getvalue()
