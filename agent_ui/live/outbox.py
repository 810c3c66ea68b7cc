"""What waits to go to one socket: in order, bounded, and cut when the other side does not read."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from agent_ui.live.straight import Write

MOST_FRAMES = 256
MOST_BYTES = 1_000_000


class Later(Protocol):
    """A frame whose content is still being looked up; the ones behind it wait for it."""

    ready: asyncio.Future[object]

    def text(self) -> bytes: ...


class Outbox:
    """Filled by the hub without waiting, emptied by the socket's one sender.

    Where nothing waits and `write` can take a frame, it is on its way before `put` returns: a ringing
    phone waits for no task. `ended` is why nothing more will go out: a close code and a reason, told
    to the other side.
    """

    __slots__ = ("_bytes", "_taken", "_waiter", "_waiting", "_write", "ended")

    def __init__(self, write: Write | None = None) -> None:
        self._write = write
        self._waiting: deque[bytes | Later] = deque()
        self._bytes = 0
        self._taken = False
        """The sender has a frame in hand: nothing may overtake it."""
        self._waiter: asyncio.Future[None] | None = None
        self.ended: tuple[int, str] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: bytes | Later) -> bool:
        """Whether it is on its way already."""
        if self.ended is not None:
            return False
        if isinstance(frame, bytes):
            free = not self._waiting and not self._taken
            if free and self._write is not None and self._write(frame):
                return True
            self._bytes += len(frame)
        if len(self._waiting) >= MOST_FRAMES or self._bytes > MOST_BYTES:
            self.end(4408, "too slow: come back with the last seq")
            return False
        self._waiting.append(frame)
        self._wake()
        return False

    def end(self, code: int, reason: str) -> None:
        """Nothing more: what waits is dropped, the sender closes."""
        if self.ended is None:
            self.ended = (code, reason)
            self._waiting.clear()
            self._wake()

    async def take(self) -> bytes | None:
        """The next frame, once the one before is sent; None: it ended."""
        self._taken = False
        while not self._waiting:
            if self.ended is not None:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        frame = self._waiting.popleft()
        self._taken = True
        if isinstance(frame, bytes):
            self._bytes -= len(frame)
            return frame
        await asyncio.wait((frame.ready,))
        return frame.text()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
