"""No process outlives the test run that started it, not even when that run is killed."""

from __future__ import annotations

import subprocess


class Guard:
    """Waits beside a process that we started, and ends it by its pid when we are gone.

    We hold one end of a pipe; whatever ends us closes it. (The kernel's own signal at a parent's death
    is no use: it comes when the *thread* ends that started the process.)
    """

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        self._waiter = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r word || kill -9 "$0"', str(started.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """The process has ended, or is about to be ended, by us."""
        assert self._waiter.stdin is not None
        self._waiter.stdin.write(b"dismissed\n")
        self._waiter.stdin.close()
        self._waiter.wait(5)
