"""A small TCP proxy that does to a connection what networks do: late, slow, cut, dead, doubled.

It knows nothing of the protocol but where an AMI message ends, which doubling needs. It runs in a
thread of its own, so that a test that waits for a process does not hold it up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self, TypeVar

CHUNK = 65_536
MESSAGE_ENDS = b"\r\n\r\n"

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Weather:
    """What holds for all connections. Only the proxy's own thread reads and changes it."""

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: int | None = None
    held: bool = False
    """Nothing is read: what is sent piles up in the kernels' buffers, and comes later."""
    swallowed: bool = False
    """Half-open: what is sent is lost, and nobody is told."""
    doubled: bool = False
    """Each whole AMI event towards the client comes twice."""
    refused: bool = False
    """A new connection is closed at once."""
    cut_after: int | None = None
    """So many bytes more towards the client, and the connection ends: in the middle of a message."""


@dataclass(eq=False, slots=True)
class Connection:
    name: int
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    said: bytes = b""
    """How the client began: its login."""

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class FaultProxy:
    """`with FaultProxy("127.0.0.1", 5038, seed) as proxy`: connect to `proxy.port` instead."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self.port = 0
        self._target = host, port
        self._dice = Random(seed)
        self._weather = Weather()
        self._connections: set[Connection] = set()
        self._names = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{port}", daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    # --- what can be done to it, from any thread --------------------------------------------------

    def change(self, **weather: object) -> None:
        """From now on; see `Weather`."""

        def do() -> None:
            for name, value in weather.items():
                setattr(self._weather, name, value)

        self._there(do)

    def heal(self) -> None:
        """All is well again; what stands goes on."""

        def do() -> None:
            self._weather = Weather()

        self._there(do)

    def cut(self, login: bytes = b"") -> int:
        """End the connections whose client's first words have `login` in them; how many."""

        def do() -> int:
            found = [each for each in self._connections if login in each.said]
            for each in found:
                each.cut()
            return len(found)

        return self._there(do)

    @property
    def connections(self) -> int:
        return self._there(lambda: len(self._connections))

    def standing(self) -> frozenset[int]:
        """Names of the connections that stand; a new one has another name."""
        return self._there(lambda: frozenset(each.name for each in self._connections))

    def _there(self, do: Callable[[], Answer]) -> Answer:
        async def in_its_thread() -> Answer:
            return do()

        return asyncio.run_coroutine_threadsafe(in_its_thread(), self._loop).result(10)

    # --- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for each in list(self._connections):
            each.cut()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather.refused:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._names += 1
        here = Connection(self._names, writer, to_server)
        self._connections.add(here)
        up = asyncio.create_task(self._pump(here, reader, to_server, down=False))
        down = asyncio.create_task(self._pump(here, from_server, writer, down=True))
        try:
            with suppress(asyncio.CancelledError):  # asyncio would call the test's end an error
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in (up, down):
                pump.cancel()
            here.cut()
            self._connections.discard(here)

    async def _pump(
        self,
        here: Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        down: bool,
    ) -> None:
        try:
            while True:
                while self._weather.held:  # noqa: ASYNC110  whoever holds it tells nobody
                    await asyncio.sleep(0.02)
                data = await reader.read(CHUNK)
                if not data:
                    return
                if not down and len(here.said) < 1_000:
                    here.said += data[:1_000]
                await self._pass(data, writer, down=down)
        except OSError:
            return

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, *, down: bool) -> None:
        weather = self._weather
        if weather.swallowed:
            return
        if weather.delay_seconds or weather.jitter_seconds:
            await asyncio.sleep(
                weather.delay_seconds + self._dice.random() * weather.jitter_seconds
            )
        if weather.bytes_per_second is not None:
            await asyncio.sleep(len(data) / weather.bytes_per_second)
        if down and weather.doubled:
            data = doubled(data)
        if down and weather.cut_after is not None:
            if len(data) >= weather.cut_after:
                writer.write(data[: weather.cut_after])
                await writer.drain()
                weather.cut_after = None
                raise ConnectionAbortedError
            weather.cut_after -= len(data)
        writer.write(data)
        await writer.drain()


def doubled(data: bytes) -> bytes:
    """Each event that is whole in this piece twice; answers and torn ends once."""
    *whole, rest = data.split(MESSAGE_ENDS)
    found = []
    for place, each in enumerate(whole):
        message = each + MESSAGE_ENDS
        # The first may be the end of a message that began in the piece before.
        twice = each.startswith(b"Event: ") and b"\r\nActionID: " not in each and place > 0
        found.append(message * 2 if twice else message)
    return b"".join(found) + rest
