"""AMI on a loopback port: sessions, logins, masks and filters of the demonstration PBX."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from telephony.demo_pbx.answers import ACTIONS, Asked, Lines, Switchboard, error, success
from telephony.demo_pbx.exchange import Exchange
from telephony.demo_pbx.recording import Headers, value

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
"""AMI's own version; 22.10.1 says this."""

CLASSES = (
    *("system", "call", "log", "verbose", "command", "agent", "user", "config", "dtmf"),
    *("reporting", "cdr", "dialplan", "originate", "agi", "cc", "aoc", "test", "security"),
    "message",
)
"""Classes of events, in the order of their bits in a mask."""

MAX_LINE_BYTES = 64 * 1024
MAX_HEADERS = 128
MAX_UNREAD_BYTES = 2_500_000
REFUSED_LOGIN_SECONDS = 1.0
"""Asterisk thinks for a second before it refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A section of manager.conf."""

    user: str
    secret: str
    read: frozenset[str]
    write: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filter:
    excludes: bool
    event: str | None
    pattern: re.Pattern[str] | None

    def matches(self, name: str, text: str) -> bool:
        named = self.event is None or self.event.lower() == name.lower()
        return named and (self.pattern is None or self.pattern.search(text) is not None)


@dataclass(slots=True, eq=False)
class _Session:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    account: Account | None = None
    mask: int = -1
    """The classes of events it wants, as bits of `CLASSES`; -1 all, 0 none."""
    filters: list[_Filter] = field(default_factory=list)

    def send(self, *messages: Headers) -> None:
        if self.writer.is_closing():
            return
        if self.writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.writer.transport.abort()  # who does not read is cut off, as Asterisk does
            return
        self.writer.write(b"".join(_wire(message) for message in messages))

    def hear(self, event: Headers) -> None:
        """An event happened: send it to whoever may and wants to hear it."""
        name = value(event, "Event") or ""
        if self.account is None:
            return
        classes = {c for c in (value(event, "Privilege") or "").split(",") if c != "all"}
        allowed = classes & self.account.read
        if any(self.mask >> CLASSES.index(c) & 1 for c in allowed) and self._passes(name, event):
            self.send(event)

    def _passes(self, name: str, event: Headers) -> bool:
        text = _wire(event).decode()
        includes = [f for f in self.filters if not f.excludes]
        excludes = [f for f in self.filters if f.excludes]
        wanted = not includes or any(f.matches(name, text) for f in includes)
        return wanted and not any(f.matches(name, text) for f in excludes)

    def set_mask(self, mask: str) -> int | None:
        """`on`, `off`, a number or names of classes; None where that is no mask."""
        text = mask.strip().lower()
        if not text:
            return None
        if text.isdecimal():
            bits = int(text)
        elif text in ("no", "false", "n", "f", "off"):
            bits = 0
        elif text in ("yes", "true", "y", "t", "on", "all"):
            bits = (1 << len(CLASSES)) - 1
        else:
            named = {name.strip() for name in text.split(",")}
            bits = sum(1 << place for place, name in enumerate(CLASSES) if name in named)
        self.mask = bits
        return bits

    def add_filter(self, criteria: str, text: str) -> bool:
        """True if the filter is in force now, false if it is written wrongly."""
        found = _legacy_filter(text) if not criteria else _filter(criteria, text)
        if found is None:
            return False
        self.filters.append(found)
        return True


def _legacy_filter(text: str) -> _Filter | None:
    try:
        pattern = re.compile(text.removeprefix("!"))
    except re.error:
        return None
    return _Filter(excludes=text.startswith("!"), event=None, pattern=pattern)


_CRITERION = re.compile(r"(action|name)\(([^()]*)\)")


def _filter(criteria: str, text: str) -> _Filter | None:
    """`action(exclude),name(VarSet)`; of the criteria only these two, without `method`."""
    named = dict(_CRITERION.findall(criteria))
    rest = _CRITERION.sub("", criteria).replace(",", "").strip()
    if rest or named.get("action", "include") not in ("include", "exclude"):
        return None
    pattern = re.compile(re.escape(text)) if text else None
    return _Filter(
        excludes=named.get("action") == "exclude", event=named.get("name"), pattern=pattern
    )


def _wire(message: Headers) -> bytes:
    lines = "".join(f"{name}: {text}\r\n" for name, text in message)
    return f"{lines}\r\n".encode()


class AmiServer:
    """Listens on a free port of 127.0.0.1 and answers as Asterisk does."""

    def __init__(
        self,
        exchange: Exchange,
        accounts: tuple[Account, ...],
        hang_up: Callable[[str, int], None],
        send_away: Callable[[str], None],
    ) -> None:
        self._exchange = exchange
        self._accounts = {account.user: account for account in accounts}
        self._hang_up, self._send_away = hang_up, send_away
        self._started_at = exchange.clock()
        self._held: set[str] = set()
        self._sessions: dict[_Session, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        exchange.events_heard_by.append(self._hear)

    async def start(self) -> int:
        """Returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_LINE_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = list(self._sessions.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hear(self, event: Headers) -> None:
        for session in self._sessions:
            session.hear(event)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(reader, writer)
        task = asyncio.current_task()
        if task is not None:
            self._sessions[session] = task
        try:
            writer.write(BANNER)
            await self._talk(session)
        except (ConnectionError, ValueError):  # ValueError: a line without end
            pass  # gone, or nothing that speaks AMI: as Asterisk, without a word
        except asyncio.CancelledError:
            pass  # the PBX stops
        finally:
            self._sessions.pop(session, None)
            writer.close()

    async def _talk(self, session: _Session) -> None:
        while True:
            asked = await _read_action(session.reader)
            action = asked.get("Action").lower()
            if not action:
                session.send(*error(asked, "Missing action in request"))
            elif session.account is None:
                if not await self._let_in(session, asked, action):
                    return
            else:
                session.send(*self._answer(session, session.account, asked, action))
                if action == "logoff":
                    await session.writer.drain()
                    return
            await session.writer.drain()

    async def _let_in(self, session: _Session, asked: Asked, action: str) -> bool:
        """False: the session is over."""
        if action == "logoff":
            session.send(*ACTIONS[action][1](self._board(session), asked))
            await session.writer.drain()
            return False
        if action != "login":
            session.send(*error(asked, "Permission denied"))
            return True
        account = self._accounts.get(asked.get("Username"))
        secret = account.secret if account is not None else ""
        right = hmac.compare_digest(secret.encode(), asked.get("Secret").encode())
        if account is None or not right:
            await asyncio.sleep(REFUSED_LOGIN_SECONDS)
            session.send(*error(asked, "Authentication failed"))
            await session.writer.drain()
            return False
        if asked.get("Events"):
            session.set_mask(asked.get("Events"))
        session.account = account
        session.send(*success(asked, "Authentication accepted"))
        session.hear(self._fully_booted())
        return True

    def _fully_booted(self) -> Headers:
        up = str(int(self._exchange.clock() - self._started_at))
        return (
            ("Event", "FullyBooted"),
            ("Privilege", "system,all"),
            ("Uptime", up),
            ("LastReload", up),
            ("Status", "Fully Booted"),
        )

    def _answer(self, session: _Session, account: Account, asked: Asked, action: str) -> Lines:
        known = ACTIONS.get(action)
        if known is None:
            wrong = asked.get("Action")
            return error(
                asked,
                f"Invalid/unknown command: {wrong}. "
                "Use Action: ListCommands to show available commands.",
            )
        needed, answer = known
        if needed and not needed & account.write:
            return error(asked, "Permission denied")
        return answer(self._board(session), asked)

    def _board(self, session: _Session) -> Switchboard:
        return Switchboard(
            exchange=self._exchange,
            hang_up=self._hang_up,
            send_away=self._send_away,
            started_at=self._started_at,
            session=session,
            held=self._held,
        )


async def _read_action(reader: asyncio.StreamReader) -> Asked:
    """Lines up to an empty one; a bare line feed ends a line too, as Asterisk reads them."""
    headers: list[tuple[str, str]] = []
    while (line := await reader.readline()).strip(b"\r\n"):
        name, colon, text = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
        if colon and len(headers) < MAX_HEADERS:
            headers.append((name, text.removeprefix(" ")))
    if not line:
        raise ConnectionResetError
    return Asked(headers=tuple(headers))
