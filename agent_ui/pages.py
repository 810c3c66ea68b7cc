"""Answering with a page: the frame around it, and the template."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from agent_ui import auth_view
from agent_ui.auth import Visit
from agent_ui.books.standings import may_open_gap_book
from agent_ui.deps import deps_of
from crm_core.access.permissions import DataScope, Permission


def shell_of(connection: HTTPConnection, visit: Visit) -> auth_view.Shell:
    """The frame of a page for this visit."""
    deps = deps_of(connection)
    query = connection.url.query
    viewer = visit.viewer
    person = None
    if viewer is not None:
        person = auth_view.Viewer(
            name=viewer.full_name,
            agent_number=viewer.agent_number,
            has_desk=viewer.may(Permission.TAKE_CALLS),
            has_calls=viewer.may(Permission.READ_CALLS),
            has_gaps=may_open_gap_book(viewer),
            has_live=viewer.may(Permission.READ_LIVE) and viewer.scope is not DataScope.OWN,
            has_customers=viewer.may(Permission.READ_CUSTOMERS),
            administers=viewer.may(Permission.ADMINISTER),
            may_dial=viewer.may(Permission.PLACE_CALLS) and deps.desk.agent(viewer) is not None,
        )
    return auth_view.Shell(
        viewer=person,
        csrf_token=visit.session.csrf_token if visit.session else "",
        path=f"{connection.url.path}?{query}" if query else connection.url.path,
        insecure_http=deps.settings.insecure_http,
    )


def page(
    connection: HTTPConnection, visit: Visit, template: str, page: object, *, status: int = 200
) -> HTMLResponse:
    """The page `template` with its value, in the visitor's language."""
    html = deps_of(connection).renderer.render(
        template, visit.language, shell=shell_of(connection, visit), page=page
    )
    return HTMLResponse(html, status)
