"""The link to one Asterisk: panoramisk's manager, made safe.

panoramisk 1.4 as shipped closes the connection on an exception in a callback, drops characters that
two TCP segments share, reorders list items and live events, sends an unanswered action again after a
reconnect (a customer would be dialled twice), never looks at whether its pings are answered, knows no
time limit, and takes line breaks into headers. `AmiSession` subclasses its Manager, protocol and
Action so that none of that can happen; each has a test that is red on the library as shipped.

A link has two sessions, because an action runs in the thread that sends the session's events: while
it runs, that session hears nothing. `events` reads (Ping and snapshots only), `control` acts.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from panoramisk import Manager
from panoramisk.actions import Action as PanoramiskAction
from panoramisk.ami_protocol import AMIProtocol

from crm_core.errors import Unavailable
from crm_core.events import LinkState
from telephony.ami import encoder
from telephony.ami.actions import Action, Login, Ping

log = logging.getLogger("zuoxi.ami")

_END = b"\r\n\r\n"
_RECEIVE_BUFFER = 4 << 20
_LONGEST_MESSAGE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take, in seconds. The defaults notice a dead link within 4.5 s."""

    connect: float = 5.0
    answer: float = 10.0
    ping_every: float = 1.5
    pong_within: float = 3.0
    retry_first: float = 0.5
    retry_most: float = 15.0
    refused: float = 60.0
    """After a refused login: hammering a PBX with a wrong password gets the host banned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Asterisk said to an action: the response, and the items of a list without their end."""

    response: dict[str, str]
    items: tuple[dict[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        return self.response.get("Response") == "Success"

    @property
    def message(self) -> str:
        return self.response.get("Message", "")


class NotConnected(Unavailable):
    """There is no link to Asterisk at the moment."""

    sent = False
    """Whether the action had left when the link broke: then it may have been done."""


class NoAnswer(Unavailable):
    """Asterisk did not answer in time."""


def headers_of(raw: bytes) -> dict[str, str]:
    """The headers of a response or list item, the first of a name."""
    found: dict[str, str] = {}
    for line in raw.decode("utf-8", "backslashreplace").split("\r\n"):
        header, colon, value = line.partition(":")
        if colon:
            found.setdefault(header, value[1:] if value.startswith(" ") else value)
    return found


class _Pending(PanoramiskAction):  # type: ignore[misc]
    """An action that waits for its answer. Lists are told by `EventList`, by nothing else."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        super().__init__(dict(headers))
        self._response: dict[str, str] | None = None
        self._items: list[dict[str, str]] = []

    def add_message(self, message: dict[str, str]) -> bool:
        if "Response" in message and self._response is None:
            self._response = message
            if message.get("EventList", "").lower() != "start":
                self._settle()
        elif self._response is not None:
            if message.get("EventList", "").lower() in ("complete", "cancelled"):
                self._settle()
            else:
                self._items.append(message)
        return bool(self.future.done())

    def _settle(self) -> None:
        if not self.future.done() and self._response is not None:
            self.future.set_result(Answer(response=self._response, items=tuple(self._items)))


class _Protocol(AMIProtocol):  # type: ignore[misc]
    """Frames on bytes; every message goes to the session in the order of the wire."""

    def __init__(self, session: AmiSession) -> None:
        self._session = session
        self._tail = b""
        self._greeted = False
        self.closed = False
        self.responses: dict[str, _Pending] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        found: socket.socket | None = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._session.opened()

    def data_received(self, data: bytes) -> None:
        self._session.tapped(data)
        if self._tail:
            data = self._tail + data
        if not self._greeted:
            greeting, found, data = data.partition(b"\r\n")
            if not found:
                self._keep(greeting)
                return
            self._greeted = True
            self.version = greeting.decode("ascii", "replace").rpartition("/")[2]
        end = data.rfind(_END)
        if end < 0:
            self._keep(data)
            return
        self._tail = data[end + len(_END) :]
        self._session.taken(data[:end].split(_END))

    def _keep(self, begun: bytes) -> None:
        """What has no end yet waits for it; an Asterisk that never ends it is none."""
        self._tail = begun
        if len(begun) > _LONGEST_MESSAGE:
            log.error("Asterisk sent a message longer than a megabyte; the link is cut")
            self.transport.abort()

    def answer(self, raw: bytes) -> None:
        """Give a message to the action that waits for it, if one does."""
        message = headers_of(raw)
        pending = self.responses.get(message.get("ActionID", ""))
        if pending is not None and pending.add_message(message):
            self.responses.pop(pending.id, None)

    def request(self, action: Action, action_id: str) -> asyncio.Future[Answer]:
        if self.closed or self.transport.is_closing():
            raise NotConnected
        headers = encoder.headers_of(action, action_id)
        pending = _Pending(headers)
        self.responses[action_id] = pending
        pending.future.add_done_callback(lambda _: self.responses.pop(action_id, None))
        encoder.send(self.transport, headers)
        future: asyncio.Future[Answer] = pending.future
        return future

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()
        self._session.lost(self, exc)

    def close(self) -> None:
        """Nothing is ever sent again: what waits for an answer is told that none will come."""
        waiting, self.responses = list(self.responses.values()), {}
        for pending in waiting:
            if not pending.future.done():
                broken = NotConnected("the link broke before the answer")
                broken.sent = True
                pending.future.set_exception(broken)
                pending.future.exception()  # retrieved: whoever waits hears it all the same
        if not self.closed:
            self.closed = True
            self.transport.close()


class AmiSession(Manager):  # type: ignore[misc]
    """One login at one Asterisk, kept up until `close`.

    `on_message(raw)` gets every event (list items too) as bytes without the blank line, in wire
    order, synchronously. `on_state(state, reason)` hears of each coming and going, `on_bytes(chunk)`
    of every byte, `on_connection` of each connection's beginning (true) and end. An exception in any
    of them is counted in `failures`, logged, and hurts nothing. `trouble` says why there is no link.
    """

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        username: str,
        secret: str,
        events: str = "on",
        tls: bool = False,
        patience: Patience | None = None,
        on_message: Callable[[bytes], None] | None = None,
        on_state: Callable[[LinkState, str | None], None] | None = None,
        on_bytes: Callable[[bytes], None] | None = None,
        on_connection: Callable[[bool], None] | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(
            host=host, port=port, loop=asyncio.get_running_loop(), events=events, encoding="utf8"
        )
        self.callbacks.clear()  # as shipped: FullyBooted sends unanswered actions again
        self.patterns.clear()
        self.name = name
        self.failures = 0
        self.trouble: str | None = None
        self.beside: AmiSession | None = None
        """The other session at the same Asterisk: what both meet is logged once."""
        self.connected = asyncio.Event()
        self.heard_until: datetime | None = None
        """All that Asterisk had sent before this moment has come: it has answered what was asked then.

        Bytes alone prove less: after a stall of ours old ones are read late. By `now`."""
        self._now = now or (lambda: datetime.now(UTC))
        self._login = Login(username=username, secret=secret, events=events)
        self._tls = ssl.create_default_context() if tls else None
        self._patience = patience or Patience()
        self._on_message = on_message
        self._on_state = on_state
        self._on_bytes = on_bytes
        self._on_connection = on_connection
        self._ids = itertools.count(1)
        # OriginateResponse is broadcast to every session of the PBX: ids are unique among them all.
        self._own = f"zuoxi-{events}-{secrets.token_hex(6)}"
        self._task: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._live: _Protocol | None = None

    # --- asking -----------------------------------------------------------------------------------

    async def request(self, action: Action, seconds: float | None = None) -> Answer:
        """Ask, and wait for the answer. Raises `NotConnected`, `NoAnswer`, or `Invalid`."""
        if not self.authenticated:
            raise NotConnected(self.trouble and f"There is no link to Asterisk: {self.trouble}.")
        return await self._ask(action, seconds or self._patience.answer)

    async def _ask(self, action: Action, seconds: float) -> Answer:
        if self._live is None:
            raise NotConnected
        asked_at = self._now()
        future = self._live.request(action, f"{self._own}-{next(self._ids)}")
        try:
            # Not wait_for: cancelled in the moment of the answer it returns that (Python 3.11), and
            # a session that was told to end goes on.
            async with asyncio.timeout(seconds):
                answer = await future
        except TimeoutError:
            raise NoAnswer(
                f"Asterisk did not answer to {type(action).__name__} in {seconds:g} s"
            ) from None
        self.heard_until = asked_at
        return answer

    def send_action(self, action: Any, as_list: Any = None, **kwargs: Any) -> Any:
        """panoramisk's own way to send takes free headers: closed."""
        raise TypeError("use request() with a typed action")

    def dispatch(self, event: Any) -> None:
        """panoramisk's own way to tell events runs callbacks out of order: not used."""

    # --- keeping the link up ----------------------------------------------------------------------

    def connect(self, *_: Any, **__: Any) -> asyncio.Task[None]:
        """Begin to keep the link up. `connected` is set while it is."""
        if self._task is None:
            self._task = self.loop.create_task(self._keep_up())
        return self._task

    async def close_and_wait(self) -> None:
        """End the session; nothing reconnects afterwards."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _keep_up(self) -> None:
        tries = 0
        try:
            while True:
                try:
                    pause, reason = await self._once()
                except Exception as wrong:  # a link that is given up in silence is never noticed
                    log.exception("%s: the link failed", self.name)
                    pause, reason = None, self._told(LinkState.DOWN, f"cannot connect: {wrong}")
                tries = 0 if reason is None else tries + 1
                least, most = self._patience.retry_first, self._patience.retry_most
                pause = pause or min(most, least * 2 ** min(tries, 10))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        finally:
            self._drop()

    async def _once(self) -> tuple[float | None, str | None]:
        """One connection, from connect to loss: (pause before the next or None, what went wrong)."""
        self._gone.clear()
        try:
            async with asyncio.timeout(self._patience.connect):
                _, protocol = await self.loop.create_connection(
                    lambda: _Protocol(self),
                    self.config["host"],
                    self.config["port"],
                    ssl=self._tls,
                )
        except (OSError, TimeoutError) as wrong:
            # asyncio's own words for the same errno would show the address twice.
            number = getattr(wrong, "errno", None) or 0
            said = os.strerror(number) if number > 0 else getattr(wrong, "strerror", None)
            address = f"{self.config['host']}:{self.config['port']}"
            reason = f"cannot connect to {address}: {said or 'no answer'}"
            return None, self._told(LinkState.DOWN, reason)
        self._live = self.protocol = protocol
        try:
            answer = await self._ask(self._login, self._patience.connect)
            if not answer.ok:
                self._told(LinkState.REFUSED, f"login refused: {answer.message}")
                return self._patience.refused, answer.message
            self.authenticated = True
            self.connected.set()
            self._told(LinkState.UP, None)
            return None, await self._listen()
        except Unavailable as wrong:
            return None, self._told(LinkState.DOWN, wrong.detail)
        finally:
            self._drop()

    async def _listen(self) -> str | None:
        """Ping until the link breaks; None: it had been up."""
        while not self._gone.is_set():
            try:
                async with asyncio.timeout(self._patience.ping_every):
                    await self._gone.wait()
            except TimeoutError:
                try:
                    await self._ask(Ping(), self._patience.pong_within)
                except Unavailable as wrong:
                    self._told(LinkState.DOWN, wrong.detail)
                    return None
        self._told(LinkState.DOWN, "the connection was lost")
        return None

    def _drop(self) -> None:
        self.authenticated = False
        self.connected.clear()
        live, self._live = self._live, None
        if live is not None:
            live.close()
            live.transport.abort()

    def _told(self, state: LinkState, reason: str | None) -> str | None:
        # Neither the next try in vain nor the same from the session beside this one is news.
        beside = self.beside.trouble if self.beside is not None else None
        if state is LinkState.UP:
            log.info("%s: up", self.name)
        elif reason not in (self.trouble, beside):
            log.warning("%s: %s: %s", self.name, state.value, reason)
        self.trouble = reason
        self._tell(self._on_state, state, reason)
        return reason

    def _tell(self, listener: Callable[..., None] | None, *news: Any) -> None:
        try:
            if listener is not None:
                listener(*news)
        except Exception:
            self.failures += 1
            log.exception("%s: who listens to the link failed", self.name)

    # --- what the protocol tells ------------------------------------------------------------------

    def opened(self) -> None:
        """A connection stands; the login follows."""
        self._tell(self._on_connection, True)

    def tapped(self, data: bytes) -> None:
        self._tell(self._on_bytes, data)

    def taken(self, messages: list[bytes]) -> None:
        """Whole messages, in the order of the wire."""
        live, on_message = self._live, self._on_message
        for raw in messages:
            try:
                if on_message is not None and raw.startswith(b"Event: "):
                    on_message(raw)
                if live is not None and live.responses and b"ActionID: " in raw:
                    live.answer(raw)
            except Exception:
                self.failures += 1
                log.exception("%s: a message could not be handled", self.name)

    def lost(self, protocol: _Protocol, _error: Exception | None) -> None:
        self._tell(self._on_connection, False)
        if protocol is self._live:
            self._gone.set()
