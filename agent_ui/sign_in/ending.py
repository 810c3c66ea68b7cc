"""The end of a session, for what this process remembers and holds open of it."""

from __future__ import annotations

from agent_ui.auth import Visit
from agent_ui.deps import Deps


def session_ended(deps: Deps, visit: Visit) -> None:
    """The row says it already: nothing is remembered, the sockets close."""
    deps.identities.forget(visit.token)
    deps.hub.end(visit.token_hash)
