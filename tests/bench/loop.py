"""One thread that writes on time and reads at once: epoll by hand, woken by a timer of the kernel's.

An event loop's timer is a millisecond late, which is more than what is measured here. Nothing spins:
who waits sleeps, as a browser does, and is woken by what comes.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import time
from collections.abc import Callable

Reader = Callable[[float], None]
"""Called with the moment at which the kernel said that there is something to read."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLOCK_MONOTONIC = 1


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("every", _TimeSpec), ("after", _TimeSpec))


class Loop:
    """Who reads what, and `turn`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}
        self._timer: int = _LIBC.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._epoll.register(self._timer, select.EPOLLIN)

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
        if left > 0:
            self._wake_after(left)
        ready = self._epoll.poll(None if left > 0 else 0.0)
        now = time.perf_counter()
        for number, _ in ready:
            reader = self._readers.get(number)
            if reader is not None:
                reader(now)

    def _wake_after(self, seconds: float) -> None:
        nanoseconds = int(seconds * 1e9) + 1
        after = _TimeSpec(nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000)
        # Setting it anew also takes back what it said before.
        _LIBC.timerfd_settime(self._timer, 0, ctypes.byref(_TimerSpec(_TimeSpec(), after)), None)

    def wait(self, what: str, is_so: Callable[[], bool], seconds: float) -> None:
        """Turn until it is so. Raises `TimeoutError` with `what`."""
        until = time.perf_counter() + seconds
        while not is_so():
            if time.perf_counter() > until:
                raise TimeoutError(f"not within {seconds:g} s: {what}")
            self.turn(min(until, time.perf_counter() + 0.02))

    def rest(self, seconds: float) -> None:
        """Serve for so long."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.turn(until)
