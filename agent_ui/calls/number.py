"""The whole number of a call: a page shows it masked to many, so it never comes back from one."""

from __future__ import annotations

from agent_ui.deps import Deps
from crm_core.access.scope import calls_in_scope
from crm_core.access.viewer import Viewer
from crm_core.call_log.queries import call as read_call
from crm_core.db import reading
from crm_core.errors import Invalid, NotFound
from crm_core.ids import CallId


async def number_of_call(deps: Deps, viewer: Viewer, call: CallId) -> str:
    """The customer's number, of a call that the viewer takes part in or may read. Raises
    `NotFound`, and `Invalid` where it is withheld."""
    live = deps.board.calls.get(call)
    number = None
    if live is not None and viewer.user_id in deps.hub.audience.took_part(call):
        number = deps.pop_files.number_of(live)
    else:
        async with reading(deps.engine) as connection:
            found = await read_call(connection, call, calls_in_scope(viewer))
        if found is None:
            raise NotFound
        number = found.customer_number
    if number is None:
        raise Invalid("The number of this call is withheld.")
    return number
