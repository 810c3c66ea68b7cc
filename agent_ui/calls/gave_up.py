"""Gave up, not reached since: whom to ring, one row a number. A tab of the call list."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from agent_ui.auth import Visit, visit_of
from agent_ui.calls.choices import queue_choices
from agent_ui.calls.reading import CallReader, wanted
from agent_ui.calls.view import GaveUpPage, GaveUpRow
from agent_ui.deps import Deps, deps_of
from agent_ui.pages import page
from agent_ui.security import needs
from crm_core.access.permissions import Permission
from crm_core.access.scope import calls_in_scope
from crm_core.access.viewer import Viewer
from crm_core.call_log.gave_up import count_gave_up, gave_up
from crm_core.call_log.queries import CallFilter
from crm_core.db import reading

router = APIRouter()
Who = Annotated[Visit, Depends(visit_of)]

PAGE_SIZE = 50
FILTERS = ("from", "to", "queue")
DAYS = 7
"""Without a first day the last seven are shown: who waits longer has long been lost."""


@router.get("/calls/gave-up", dependencies=[needs(Permission.READ_CALLS)])
async def gave_up_list(request: Request, visit: Who) -> Response:
    """Numbers that gave up within the viewer's scope and were not talked to since, newest first."""
    deps, viewer = deps_of(request), visit.who
    given = {name: request.query_params.get(name, "")[:100] for name in FILTERS}
    typed, filters = wanted(given, deps.settings.zone, deps.settings.region)
    cursor = request.query_params.get("cursor") or None
    rows: tuple[GaveUpRow, ...] = ()
    next_cursor, count = None, 0
    if not typed.problems:
        async with reading(deps.engine) as connection:
            found = await gave_up(
                connection,
                calls_in_scope(viewer),
                began(deps, filters),
                filters.began_to,
                queue=filters.queue,
                limit=PAGE_SIZE,
                cursor=cursor,
            )
            count = await count_of(connection, deps, viewer, filters)
        reader = CallReader(deps.directory, deps.holders, viewer, visit.language)
        rows, next_cursor = tuple(reader.gave_up(one) for one in found.items), found.next_cursor
    shown = GaveUpPage(
        filters=typed,
        rows=rows,
        count=count,
        since=began(deps, filters),
        queues=queue_choices(deps, viewer),
        calls_url=_url("/calls", given),
        next_url=_url("/calls/gave-up", given, cursor=next_cursor) if next_cursor else None,
        first_url=_url("/calls/gave-up", given) if cursor else None,
        books=deps.standings.line(viewer),
    )
    status = 422 if typed.problems else 200
    return page(request, visit, "calls/gave_up.html", shown, status=status)


def began(deps: Deps, filters: CallFilter) -> datetime:
    """The first moment that is looked at."""
    if filters.began_from is not None:
        return filters.began_from
    midnight = (
        deps.now().astimezone(deps.settings.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    return midnight - timedelta(days=DAYS - 1)


async def count_of(
    connection: AsyncConnection, deps: Deps, viewer: Viewer, filters: CallFilter
) -> int:
    """How many rows the list has with the days and the queue of these filters."""
    return await count_gave_up(
        connection,
        calls_in_scope(viewer),
        began(deps, filters),
        filters.began_to,
        queue=filters.queue,
    )


def _url(path: str, given: dict[str, str], **more: str) -> str:
    kept = {name: value for name, value in {**given, **more}.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
