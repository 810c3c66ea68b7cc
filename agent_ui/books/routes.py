"""The gap book: what was not heard, which calls that touches, and what the two books differ about."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from agent_ui.auth import Visit, visit_of
from agent_ui.books.standings import may_open_gap_book
from agent_ui.books.view import DifferenceShown, GapBookPage, GapShown
from agent_ui.deps import deps_of
from agent_ui.directory import Directory
from agent_ui.pages import page
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.call_log.gap_book import GapRow, gaps
from crm_core.call_log.reconciled import OpenDifference, open_differences
from crm_core.db import reading

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

PAGE_SIZE = 50
MOST_DIFFERENCES = 100


@router.get("/gaps", dependencies=[needs(Permission.READ_CALLS)])
async def gap_book(request: Request, visit: Who) -> Response:
    """Gaps of the viewer's PBXs, newest first; who sees only the own work is led home."""
    deps, viewer = deps_of(request), visit.who
    if not may_open_gap_book(viewer):
        return RedirectResponse("/", 303)
    cursor = request.query_params.get("cursor") or None
    pbxs = deps.standings.pbxs_of(viewer)
    async with reading(deps.engine) as connection:
        found = await gaps(
            connection, pbxs=pbxs, scope=calls_in_scope(viewer), limit=PAGE_SIZE, cursor=cursor
        )
        queues = deps.hub.audience.queues_seen(viewer, pbxs)
        differences, total = await open_differences(
            connection, pbxs, MOST_DIFFERENCES, queues=queues
        )
    shown = GapBookPage(
        line=deps.standings.line(viewer),
        gaps=tuple(map(_gap, found.items)),
        differences=tuple(_difference(one, deps.directory) for one in differences),
        more_differences=total - len(differences),
        next_url=f"/gaps?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None,
        first_url="/gaps" if cursor else None,
    )
    return page(request, visit, "books/page.html", shown)


def _gap(row: GapRow) -> GapShown:
    return GapShown(
        id=row.id,
        pbx=row.pbx,
        began_at=row.began_at,
        ended_at=row.ended_at,
        boot_changed=row.boot_changed,
        reason=row.reason,
        calls=row.calls,
    )


def _difference(row: OpenDifference, directory: Directory) -> DifferenceShown:
    return DifferenceShown(
        pbx=row.pbx,
        queue=directory.title(row.pbx, row.queue),
        entered_at=row.entered_at,
        kind=row.kind,
        expected=row.expected,
        actual=row.actual,
        reason=row.reason,
        unique_id=row.unique_id,
        call=row.call_id,
    )
