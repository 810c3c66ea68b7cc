"""What waits to go to one socket: in order, bounded, and cut when the other side does not read."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

MOST_FRAMES = 256
MOST_BYTES = 1_000_000


class Later(Protocol):
    """A frame whose content is still being looked up; the ones behind it wait for it."""

    ready: asyncio.Future[object]

    def text(self) -> str: ...


class Outbox:
    """Filled by the hub without waiting, emptied by the socket's one sender.

    `ended` is why nothing more will go out: a close code and a reason, told to the other side.
    """

    __slots__ = ("_bytes", "_waiter", "_waiting", "ended")

    def __init__(self) -> None:
        self._waiting: deque[str | Later] = deque()
        self._bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self.ended: tuple[int, str] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: str | Later) -> None:
        if self.ended is not None:
            return
        self._bytes += len(frame) if isinstance(frame, str) else 0
        if len(self._waiting) >= MOST_FRAMES or self._bytes > MOST_BYTES:
            self.end(4408, "too slow: come back with the last seq")
            return
        self._waiting.append(frame)
        self._wake()

    def end(self, code: int, reason: str) -> None:
        """Nothing more: what waits is dropped, the sender closes."""
        if self.ended is None:
            self.ended = (code, reason)
            self._waiting.clear()
            self._wake()

    async def take(self) -> str | None:
        """The next frame; None: it ended."""
        while not self._waiting:
            if self.ended is not None:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        frame = self._waiting.popleft()
        if isinstance(frame, str):
            self._bytes -= len(frame)
            return frame
        await asyncio.wait((frame.ready,))
        return frame.text()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
