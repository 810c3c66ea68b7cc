"""GET /api/v1/gaps and /api/v1/reconciliation: how far the records can be trusted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from agent_ui.api.answers import Cursor, JsonAnswer, Limit, Who, moment, page_of
from agent_ui.books.standings import may_open_gap_book
from agent_ui.books.view import Reconciled
from agent_ui.deps import deps_of
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.access.viewer import Viewer
from crm_core.call_log.gap_book import GapRow, gaps
from crm_core.call_log.reconciled import OpenDifference, open_differences
from crm_core.db import reading
from crm_core.ids import PbxId

router = APIRouter(prefix="/api/v1", tags=["records"])

MOST_DIFFERENCES = 200


@router.get("/gaps", dependencies=[needs(Permission.READ_CALLS)])
async def list_gaps(
    request: Request,
    visit: Who,
    began_from: Annotated[
        str | None, Query(alias="from", description="Gaps that reach beyond this (RFC 3339).")
    ] = None,
    began_to: Annotated[
        str | None, Query(alias="to", description="Gaps that began before this (RFC 3339).")
    ] = None,
    pbx: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Intervals in which a PBX was not heard, newest first. `calls` lists those that lived in it."""
    deps = deps_of(request)
    pbxs = _pbxs(visit.who, deps.standings.pbxs_of(visit.who), pbx)
    async with reading(deps.engine) as connection:
        found = await gaps(
            connection,
            pbxs=pbxs,
            scope=calls_in_scope(visit.who),
            since=moment(began_from, "from"),
            until=moment(began_to, "to"),
            limit=limit,
            cursor=cursor,
        )
    return page_of([_gap(one) for one in found.items], found.next_cursor)


@router.get("/reconciliation", dependencies=[needs(Permission.READ_CALLS)])
async def reconciliation(request: Request, visit: Who) -> Response:
    """Each PBX: up to when `queue_log` and the call table were compared, and what differs."""
    deps = deps_of(request)
    items = []
    async with reading(deps.engine) as connection:
        for one in deps.standings.of(visit.who) if may_open_gap_book(visit.who) else ():
            queues = deps.hub.audience.queues_seen(visit.who, (one.pbx,))
            found, total = await open_differences(
                connection, (one.pbx,), MOST_DIFFERENCES, queues=queues
            )
            items.append(_standing(one, found, total))
    return JsonAnswer({"items": items, "next_cursor": None})


def _pbxs(viewer: Viewer, own: tuple[PbxId, ...], asked: str | None) -> tuple[PbxId, ...]:
    """Whose scope is the own work has none: nobody's gap is his alone."""
    if not may_open_gap_book(viewer):
        return ()
    return own if asked is None else tuple(pbx for pbx in own if pbx == asked)


def _gap(row: GapRow) -> dict[str, Any]:
    return {
        "gap_id": row.id,
        "pbx": row.pbx,
        "began_at": row.began_at,
        "ended_at": row.ended_at,
        "seconds": row.seconds,
        "boot_changed": row.boot_changed,
        "reason": row.reason,
        "calls_touched": row.calls,
        "calls": f"/api/v1/calls?gap={row.id}",
    }


def _standing(one: Reconciled, found: tuple[OpenDifference, ...], total: int) -> dict[str, Any]:
    return {
        "pbx": one.pbx,
        "state": one.standing,
        "reconciled_until": one.until,
        "recorded_from": one.recorded_from,
        "differences": one.differences,
        "open": [_difference(each) for each in found],
        "open_total": total,
    }


def _difference(one: OpenDifference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "reason": one.reason,
        "queue": one.queue,
        "unique_id": one.unique_id,
        "entered_at": one.entered_at,
        "in_queue_log": one.expected,
        "in_call_table": one.actual,
        "call_id": one.call_id,
        "found_at": one.found_at,
    }
