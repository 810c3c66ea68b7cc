"""The call list and one call's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.books.standings import may_open_gap_book
from agent_ui.books.view import BooksLine
from agent_ui.calls.choices import agent_choices, confidence_choices, queue_choices
from agent_ui.calls.gave_up import count_of
from agent_ui.calls.reading import CallReader, wanted
from agent_ui.calls.view import CallRow, CallsPage, Choice
from agent_ui.deps import Deps, deps_of
from agent_ui.guessing import guessing
from agent_ui.pages import page
from agent_ui.security import needs
from agent_ui.sentences import THIS_WEEK, TODAY, YESTERDAY
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.access.viewer import Viewer
from crm_core.call_log.gap_book import gap as read_gap
from crm_core.call_log.gap_book import gap_intervals
from crm_core.call_log.queries import CallFilter, timeline_of
from crm_core.call_log.queries import call as read_call
from crm_core.call_log.queries import calls as read_calls
from crm_core.call_log.settling import recorded_from
from crm_core.db import reading
from crm_core.errors import NotFound
from crm_core.ids import CallId, PbxId
from crm_core.recordings.queries import recordings_of
from crm_core.wrap_up.records import records_of_call

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

PAGE_SIZE = 50
FILTERS = ("from", "to", "queue", "agent", "number", "confidence", "gap")


@router.get("/calls", dependencies=[needs(Permission.READ_CALLS)])
async def call_list(request: Request, visit: Who) -> Response:
    """Calls within the viewer's scope, newest first."""
    deps, viewer = deps_of(request), visit.who
    given = asked_for(request)
    typed, filters = wanted(given, deps.settings.zone, deps.settings.region)
    cursor = request.query_params.get("cursor") or None
    rows: tuple[CallRow, ...] = ()
    next_cursor, gave_up, gap, before = None, 0, None, None
    if not typed.problems:
        async with (
            guessing(deps, viewer, int(filters.phone is not None)) as guess,
            reading(deps.engine) as connection,
        ):
            gap = await of_gap(connection, deps, viewer, typed.gap)
            filters = replace(filters, gap=gap)
            found = await read_calls(connection, filters, calls_in_scope(viewer), PAGE_SIZE, cursor)
            gave_up = await count_of(connection, deps, viewer, filters)
            before = await _not_recorded_before(connection, deps, viewer, filters)
            guess.found = bool(found.items)
        reader = CallReader(deps.directory, deps.holders, viewer, visit.language)
        rows, next_cursor = tuple(reader.row(call) for call in found.items), found.next_cursor
    shown = CallsPage(
        filters=typed,
        rows=rows,
        queues=queue_choices(deps, viewer),
        agents=agent_choices(deps, viewer),
        confidences=confidence_choices(deps, visit.language),
        next_url=_url(given, cursor=next_cursor) if next_cursor else None,
        first_url=_url(given) if cursor else None,
        ranges=_ranges(deps, visit.language),
        export_url=_url(given).replace("/calls", "/calls.csv", 1)
        if rows and viewer.may(Permission.EXPORT)
        else None,
        gave_up_url=_url(_days_and_queue(given)).replace("/calls", "/calls/gave-up", 1),
        gave_up_count=gave_up,
        books=_line(deps, viewer, filters, rows),
        not_recorded_before=before,
        gap=gap[1:] if gap else None,
    )
    status = 422 if typed.problems else 200
    return page(request, visit, "calls/page.html", shown, status=status)


@router.get("/calls/{call_id}", dependencies=[needs(Permission.READ_CALLS)])
async def one_call(request: Request, visit: Who, call_id: str) -> Response:
    """One call from first ring to last hang-up."""
    deps, viewer = deps_of(request), visit.who
    async with reading(deps.engine) as connection:
        found = await read_call(connection, CallId(call_id[:64]), calls_in_scope(viewer))
        if found is None:
            raise NotFound
        timeline = await timeline_of(connection, found.call_id)
        gaps = await gap_intervals(
            connection, found.pbx, found.started_at, found.ended_at or deps.now()
        )
        records = await records_of_call(connection, found.call_id)
        sounds = await recordings_of(connection, (found.call_id, *found.aliases))
    reader = CallReader(deps.directory, deps.holders, viewer, visit.language)
    shown = reader.page(found, timeline, records, gaps, sounds)
    return page(request, visit, "calls/call.html", shown)


def asked_for(request: Request) -> dict[str, str]:
    """The filters in the address, as they were typed."""
    return {name: request.query_params.get(name, "")[:100] for name in FILTERS}


def _days_and_queue(given: dict[str, str]) -> dict[str, str]:
    return {name: given.get(name, "") for name in ("from", "to", "queue")}


def _url(given: dict[str, str], **more: str) -> str:
    kept = {name: value for name, value in {**given, **more}.items() if value}
    return f"/calls?{urlencode(kept)}" if kept else "/calls"


async def of_gap(
    connection: AsyncConnection, deps: Deps, viewer: Viewer, number: str
) -> tuple[PbxId, datetime, datetime] | None:
    """The gap with this number, of a PBX of the viewer's. Raises `NotFound`."""
    if not number:
        return None
    found = None
    if may_open_gap_book(viewer) and number.isascii() and number.isdecimal() and len(number) < 10:
        pbxs = deps.standings.pbxs_of(viewer)
        found = await read_gap(connection, int(number), pbxs=pbxs, scope=calls_in_scope(viewer))
    if found is None:
        raise NotFound
    return found.pbx, found.began_at, found.ended_at


def _line(deps: Deps, viewer: Viewer, filters: CallFilter, rows: Sequence[CallRow]) -> BooksLine:
    """The line on top, with what was not heard of the days that are shown."""
    since = filters.began_from or (rows[-1].started_at if rows else None)
    return deps.standings.line(viewer, since)


async def _not_recorded_before(
    connection: AsyncConnection, deps: Deps, viewer: Viewer, filters: CallFilter
) -> datetime | None:
    """Where the period begins before that moment, and `queue_log` may hold what the table cannot."""
    if filters.began_from is None:
        return None
    found = [await recorded_from(connection, pbx) for pbx in deps.standings.pbxs_of(viewer)]
    latest = max((at for at in found if at is not None), default=None)
    return latest if latest is not None and filters.began_from < latest else None


def _ranges(deps: Deps, language: str) -> tuple[Choice, ...]:
    today = deps.now().astimezone(deps.settings.zone).date()
    monday = today - timedelta(days=today.weekday())
    spans = (
        (TODAY, today, today),
        (YESTERDAY, today - timedelta(days=1), today - timedelta(days=1)),
        (THIS_WEEK, monday, today),
    )
    return tuple(
        Choice(
            value=_url({"from": first.isoformat(), "to": last.isoformat()}),
            label=deps.renderer.text(label, language),
        )
        for label, first, last in spans
    )
