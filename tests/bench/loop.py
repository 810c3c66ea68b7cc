"""One thread that writes on time and reads at once: epoll by hand, spinning before each appointment.

An event loop's timer is a millisecond late, which is more than what is measured here.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

SPIN_SECONDS = 0.002

Reader = Callable[[float], None]
"""Called with the moment at which the kernel said that there is something to read."""


class Loop:
    """Who reads what, and `turn`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}

    def read(self, sock: socket.socket, reader: Reader) -> None:
        """Call `reader` whenever `sock` has something."""
        sock.setblocking(False)
        self._readers[sock.fileno()] = reader
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def leave(self, sock: socket.socket) -> None:
        self._epoll.unregister(sock.fileno())
        del self._readers[sock.fileno()]

    def turn(self, until: float) -> None:
        """Serve who has something; return at the latest at `until` (of `time.perf_counter`)."""
        left = until - time.perf_counter()
        ready = self._epoll.poll(left - SPIN_SECONDS if left > SPIN_SECONDS else 0.0)
        if ready:
            now = time.perf_counter()
            for number, _ in ready:
                reader = self._readers.get(number)
                if reader is not None:
                    reader(now)

    def wait(self, what: str, is_so: Callable[[], bool], seconds: float) -> None:
        """Turn until it is so. Raises `TimeoutError` with `what`."""
        until = time.perf_counter() + seconds
        while not is_so():
            if time.perf_counter() > until:
                raise TimeoutError(f"not within {seconds:g} s: {what}")
            self.turn(min(until, time.perf_counter() + 0.05))

    def rest(self, seconds: float) -> None:
        """Serve for so long."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.turn(until)
