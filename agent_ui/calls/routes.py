"""The call list and one call's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.calls.reading import CallReader, wanted
from agent_ui.calls.view import CallRow, CallsPage, Choice
from agent_ui.deps import Deps, deps_of
from agent_ui.guessing import guessing
from agent_ui.pages import page
from agent_ui.security import needs
from agent_ui.sentences import THIS_WEEK, TODAY, YESTERDAY
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.scope import calls_in_scope, sees_agent
from crm_core.access.viewer import Viewer
from crm_core.call_log.queries import call as read_call
from crm_core.call_log.queries import calls as read_calls
from crm_core.call_log.queries import timeline_of
from crm_core.db import reading
from crm_core.errors import NotFound
from crm_core.ids import CallId
from crm_core.wrap_up.records import records_of_call

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

PAGE_SIZE = 50
FILTERS = ("from", "to", "queue", "agent", "number")


@router.get("/calls", dependencies=[needs(Permission.READ_CALLS)])
async def call_list(request: Request, visit: Who) -> Response:
    """Calls within the viewer's scope, newest first."""
    deps, viewer = deps_of(request), visit.who
    given = asked_for(request)
    typed, filters = wanted(given, deps.settings.zone, deps.settings.region)
    cursor = request.query_params.get("cursor") or None
    rows: tuple[CallRow, ...] = ()
    next_cursor = None
    if not typed.problems:
        async with (
            guessing(deps, viewer, int(filters.phone is not None)) as guess,
            reading(deps.engine) as connection,
        ):
            found = await read_calls(connection, filters, calls_in_scope(viewer), PAGE_SIZE, cursor)
            guess.found = bool(found.items)
        reader = CallReader(deps.directory, deps.holders, viewer, visit.language)
        rows, next_cursor = tuple(reader.row(call) for call in found.items), found.next_cursor
    shown = CallsPage(
        filters=typed,
        rows=rows,
        queues=_queue_choices(deps, viewer),
        agents=_agent_choices(deps, viewer),
        next_url=_url(given, cursor=next_cursor) if next_cursor else None,
        first_url=_url(given) if cursor else None,
        ranges=_ranges(deps, visit.language),
        export_url=_url(given).replace("/calls", "/calls.csv", 1)
        if rows and viewer.may(Permission.EXPORT)
        else None,
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
        records = await records_of_call(connection, found.call_id)
    reader = CallReader(deps.directory, deps.holders, viewer, visit.language)
    return page(request, visit, "calls/call.html", reader.page(found, timeline, records))


def asked_for(request: Request) -> dict[str, str]:
    """The filters in the address, as they were typed."""
    return {name: request.query_params.get(name, "")[:100] for name in FILTERS}


def _url(given: dict[str, str], **more: str) -> str:
    kept = {name: value for name, value in {**given, **more}.items() if value}
    return f"/calls?{urlencode(kept)}" if kept else "/calls"


def _queue_choices(deps: Deps, viewer: Viewer) -> tuple[Choice, ...]:
    agent = deps.board.agents.get(viewer.user_id) if viewer.user_id else None
    return tuple(
        Choice(value=queue.name, label=queue.title)
        for (pbx, name), queue in deps.directory.queues.items()
        if viewer.scope is DataScope.ALL
        or queue.project_id in viewer.project_ids
        or (agent is not None and agent.pbx == pbx and name in agent.queues)
    )


def _agent_choices(deps: Deps, viewer: Viewer) -> tuple[Choice, ...]:
    if viewer.scope is DataScope.OWN:
        return ()
    return tuple(
        Choice(value=row.agent_number, label=f"{row.full_name} {row.agent_number}")
        for row in deps.directory.people.values()
        if row.agent_number and sees_agent(viewer, row.user_id, row.team_id, row.project_ids)
    )


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
