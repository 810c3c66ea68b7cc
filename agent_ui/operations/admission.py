"""Who may see how the centre does: programs on this machine, and those with a token."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from datetime import datetime, timedelta

from starlette.requests import Request

from agent_ui.auth import Identities, NotSignedIn, Visit
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.sessions import hash_of
from crm_core.db_trouble import is_away
from crm_core.errors import NotAllowed

FORWARDED = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"}
)
"""A proxy on this machine speaks for somebody else: its loopback is not his."""

REMEMBERED = timedelta(hours=1)
"""So long a token opens `/metrics` while the database, which knows tokens, is away: then of all times
somebody needs to see what is wrong."""
MOST_REMEMBERED = 100


class Admission:
    """`admit` raises for who may not look."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._admitted: OrderedDict[str, datetime] = OrderedDict()
        """Hash of a token → when the database last knew it."""

    async def admit(self, request: Request, now: datetime) -> None:
        """Raises `NotSignedIn`, `NotAllowed`, or what the database says while it is away."""
        if is_local(request):
            return
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotSignedIn("Ask from this machine, or with the token of a supervisor or admin.")
        key = hash_of(bearer.strip())
        try:
            visit = await self._identities.visit(request)
        except Exception as wrong:
            if is_away(wrong) and now - self._admitted.get(key, now - REMEMBERED) < REMEMBERED:
                return
            self._forget(key, wrong)
            raise
        self._judge(visit)
        self._remember(key, now)

    def _judge(self, visit: Visit) -> None:
        """Figures of the whole centre are not for who sees the own work only."""
        viewer = visit.who
        viewer.require(Permission.READ_LIVE)
        if viewer.scope is DataScope.OWN:
            raise NotAllowed

    def _remember(self, key: str, now: datetime) -> None:
        self._admitted.pop(key, None)
        self._admitted[key] = now
        if len(self._admitted) > MOST_REMEMBERED:
            self._admitted.popitem(last=False)

    def _forget(self, key: str, wrong: Exception) -> None:
        if isinstance(wrong, NotSignedIn):
            self._admitted.pop(key, None)


def is_local(request: Request) -> bool:
    """Does a program of this machine ask, for itself?

    The Host must be this machine's too: a page of another site that has its name resolve to
    127.0.0.1 makes a browser here ask, and read the answer.
    """
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    return _is_loopback(request.client.host) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
