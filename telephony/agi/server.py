"""A FastAGI server: panoramisk's, made safe.

panoramisk 1.4 as shipped hangs the whole event loop when somebody connects and closes (a port scan will
do), takes the unsolicited HANGUP line for an answer, quotes nothing, waits for ever, and does not find a
route behind a query string. `AgiServer` and `AgiCall` subclass its Application and Request; each defect has
a test. Nobody is asked for a password here: it listens on one address, for Asterisk alone, and whoever
else connects costs nothing but his own connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from panoramisk import fast_agi

log = logging.getLogger("zuoxi.agi")

MOST_CALLS = 200
"""At once; Asterisk's default answers the rest. A call is here for milliseconds."""
MOST_BYTES = 16_384
"""Of what Asterisk tells before the first command: some thirty short lines."""
LONGEST_LINE = 4_096
MOST_LINES = 200
"""Of answers to one command."""
GREETING_SECONDS = 1.0
ANSWER_SECONDS = 1.0

Route = Callable[["AgiCall"], Awaitable[None]]

_ANSWER = re.compile(rb"(\d{3})([ -]?)")


class AgiEnded(Exception):
    """The other side is gone, silent, or no Asterisk."""


class AgiServer(fast_agi.Application):  # type: ignore[misc]
    """`add_route(path, endpoint)` as in panoramisk; `start`, and `close` ends every call."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._calls: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Raises `OSError` where the address is taken."""
        self._server = await asyncio.start_server(
            self.handler, host, port, limit=LONGEST_LINE, backlog=MOST_CALLS
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
            await self._server.wait_closed()

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its greeting to its end; it never harms another."""
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._calls) >= MOST_CALLS:
                log.warning("%d calls are at the door: one more was sent on", MOST_CALLS)
                return
            self._calls.add(task)
            async with asyncio.timeout(GREETING_SECONDS):
                headers = await _greeting(reader)
            await self._serve(headers, reader, writer)
        except (AgiEnded, OSError, TimeoutError, ValueError) as wrong:
            # ValueError: a line without an end
            log.debug("at the door: %s", wrong or type(wrong).__name__)
        except Exception:
            log.exception("a call at the door could not be answered; it goes on without")
        finally:
            self._calls.discard(task)
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # whoever does not read would keep what was written for him
            else:
                writer.close()

    async def _serve(
        self,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        path, _, query = headers.get("agi_network_script", "").partition("?")
        route: Route | None = self._route.get(path)
        if route is None:
            raise AgiEnded(f"nobody answers at {path[:40]!r}")
        asked = {key: values[0] for key, values in parse_qs(query, max_num_fields=10).items()}
        await route(AgiCall(self, headers, reader, writer, asked))


async def _greeting(reader: asyncio.StreamReader) -> dict[str, str]:
    """`agi_…: value` lines to the blank one. Raises `AgiEnded`."""
    headers: dict[str, str] = {}
    size = 0
    while True:
        raw = await reader.readline()
        size += len(raw)
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not raw.endswith(b"\n") or size > MOST_BYTES:
            raise AgiEnded("no greeting of Asterisk's")
        if not line:
            return headers
        key, colon, value = line.partition(": ")
        if colon:
            headers.setdefault(key, value)


class AgiCall(fast_agi.Request):  # type: ignore[misc]
    """One call of Asterisk's: `headers` as it greeted, `query` of the address it asked at."""

    def __init__(
        self,
        app: AgiServer,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        query: Mapping[str, str],
    ) -> None:
        super().__init__(app, headers, reader, writer)
        self.query = query

    async def send_command(self, command: str, *arguments: str) -> bool:
        """Say it, and wait for the answer: whether Asterisk did it. Raises `AgiEnded`, `TimeoutError`."""
        line = " ".join([command, *(quoted(each) for each in arguments)])
        self.writer.write(line.encode() + b"\n")
        async with asyncio.timeout(ANSWER_SECONDS):
            await self.writer.drain()
            return await self._answer()

    async def _answer(self) -> bool:
        in_usage = False
        for _ in range(MOST_LINES):
            raw: bytes = await self.reader.readline()
            if not raw.endswith(b"\n"):
                raise AgiEnded("the call is gone")
            found = _ANSWER.match(raw)
            if found is None:
                continue  # HANGUP comes unasked; the lines of a usage stand between two 520
            if found[1] == b"520" and found[2] == b"-" and not in_usage:
                in_usage = True
                continue
            if found[1] != b"100":
                return found[1] == b"200" and not raw.startswith(b"200 result=-1")
        raise AgiEnded("no answer of Asterisk's")


def quoted(value: str) -> str:
    """As Asterisk's parser reads one argument. Raises `ValueError`: a line break is a second command."""
    if not value.isprintable():
        raise ValueError("a control character cannot be said to Asterisk")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
