"""Who comes with a request or a socket: a session's cookie, a bearer token, or nobody."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection
from starlette.responses import Response

from agent_ui.rendering import LANGUAGES
from crm_core.access.sessions import TOUCH_AFTER, LiveSession, hash_of, touch, viewer_of_session
from crm_core.access.standing import Standing, rights_in
from crm_core.access.tokens import viewer_of_token
from crm_core.access.viewer import Viewer
from crm_core.db import reading, transaction
from crm_core.db_trouble import is_away
from crm_core.errors import NotAllowed, Unavailable, ZuoxiError
from crm_core.ids import UserId
from crm_core.quick_dataclass import dataclass
from crm_core.settings import Settings

log = logging.getLogger("zuoxi.auth")

LANGUAGE_COOKIE = "zuoxi-language"
TRUSTED_WHILE_AWAY = timedelta(minutes=1)
"""So long a session that the database knew counts as known while the database is away, so that an
agent can still hang up (decision 9). No longer: somebody may be disabled in a database that only this
process does not reach. What the watch over rights has seen until then (it looks twice a second) holds
too: who lost a right is not let in by what is remembered. Afterwards there is the phone."""
REMEMBERED = 10_000
"""At most so many sessions are remembered for that."""
PATIENCE_SECONDS = 2.0


class NotSignedIn(ZuoxiError):
    """Sign in first."""

    status = 401


class PasswordFirst(NotAllowed):
    """Replace the one-time password first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Who asks, as far as a request or socket shows."""

    viewer: Viewer | None = None
    session: LiveSession | None = None
    """None for programs and for nobody."""
    token: str = ""
    """What the cookie or the Authorization header held."""
    bearer: bool = False
    language: str = "zh_CN"

    @property
    def who(self) -> Viewer:
        """The viewer; routes behind a door have one."""
        if self.viewer is None:
            raise NotSignedIn
        return self.viewer

    @property
    def token_hash(self) -> str:
        return hash_of(self.token)


def visit_of(connection: HTTPConnection) -> Visit:
    """Who asks, as the route's guard has found."""
    found: Visit = connection.state.visit
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    session: LiveSession
    confirmed_at: datetime


class Identities:
    """Finds out who asks; remembers sessions for the minutes in which the database is away."""

    def __init__(
        self, engine: AsyncEngine, settings: Settings, now: Callable[[], datetime]
    ) -> None:
        self._engine, self._settings, self._now = engine, settings, now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._seen: Standing | None = None
        self._seen_at = datetime.min.replace(tzinfo=UTC)
        self.cookie = cookie_name(settings)

    def nobody(self, connection: HTTPConnection) -> Visit:
        """A visit before anybody asked who it is."""
        return Visit(language=self._language(connection, None))

    async def visit(self, connection: HTTPConnection) -> Visit:
        """Never raises for somebody unknown: that is a visit of nobody."""
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and bearer.strip():
            token = bearer.strip()
            async with asyncio.timeout(PATIENCE_SECONDS), reading(self._engine) as database:
                viewer = await viewer_of_token(database, token)
            if viewer is None:
                raise NotSignedIn("The bearer token is not valid.")
            language = self._language(connection, viewer)
            return Visit(viewer=viewer, token=token, bearer=True, language=language)
        token = connection.cookies.get(self.cookie, "")
        session = await self.session(token) if token else None
        viewer = session.viewer if session else None
        language = self._language(connection, viewer)
        return Visit(viewer=viewer, session=session, token=token, language=language)

    async def session(self, token: str) -> LiveSession | None:
        """The session of a cookie; as last seen while the database is away."""
        now = self._now()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), reading(self._engine) as database:
                session = await viewer_of_session(database, token, now)
            if session is not None and now - session.seen_at > TOUCH_AFTER:
                await self._touch(session, now)
        except Exception as wrong:
            if not is_away(wrong):
                raise
            return self._as_last_seen(token, now)
        self._remember(token, session, now)
        return session

    def forget(self, token: str) -> None:
        """The session ended."""
        self._known.pop(hash_of(token), None)

    def forget_person(self, user: UserId, *, but: str = "") -> None:
        """All sessions of this person ended (but the one with this token)."""
        kept = hash_of(but)
        for key, one in list(self._known.items()):
            if one.session.viewer.user_id == user and key != kept:
                del self._known[key]

    def saw(self, found: Standing, at: datetime) -> None:
        """What the watch over rights has just read: the newest that is known of everybody."""
        self._seen, self._seen_at = found, at

    async def _touch(self, session: LiveSession, now: datetime) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), transaction(self._engine) as database:
                await touch(database, session, now)
        except Exception as wrong:
            if not is_away(wrong):
                raise
            log.warning("a session could not be prolonged: the database is away")

    def _remember(self, token: str, session: LiveSession | None, now: datetime) -> None:
        key = hash_of(token)
        self._known.pop(key, None)
        if session is not None:
            self._known[key] = _Known(session, now)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def _as_last_seen(self, token: str, now: datetime) -> LiveSession:
        key = hash_of(token)
        known = self._known.get(key)
        if (
            known is None
            or now - max(known.confirmed_at, self._seen_at) > TRUSTED_WHILE_AWAY
            or known.session.expires_at <= now
            or not self._still_stands(key, known)
        ):
            raise Unavailable("The database is not reachable just now. Calls go on.")
        return known.session

    def _still_stands(self, key: str, known: _Known) -> bool:
        """Has the watch over rights seen nothing else since this session was confirmed?"""
        if self._seen is None or self._seen_at < known.confirmed_at:
            return True
        return self._seen.rights.get(key) == rights_in(known.session.viewer)

    def _language(self, connection: HTTPConnection, viewer: Viewer | None) -> str:
        chosen = (viewer and viewer.language) or connection.cookies.get(LANGUAGE_COOKIE)
        return chosen if chosen and chosen in LANGUAGES else self._settings.language


def cookie_name(settings: Settings) -> str:
    """Browsers drop a `__Host-` cookie on plain http off loopback, and sign-in fails in silence."""
    return "zuoxi" if settings.insecure_http else "__Host-zuoxi"


def set_session_cookie(response: Response, token: str, settings: Settings) -> None:
    """Until the browser is closed, or the session ends."""
    response.set_cookie(
        cookie_name(settings),
        token,
        path="/",
        secure=not settings.insecure_http,
        httponly=True,
        samesite="lax",
    )


def drop_session_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(
        cookie_name(settings),
        path="/",
        secure=not settings.insecure_http,
        httponly=True,
        samesite="lax",
    )
