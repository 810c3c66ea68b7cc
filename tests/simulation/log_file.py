"""The file `queue_log` as Asterisk writes it: late, turned over, torn by a full disk."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from tests.simulation.clock import Clock
from tests.simulation.truth import Row

DOUBTED = 3
"""So many rows beside a torn one the parser may rightly leave out."""


class LogFile:
    """Real bytes in a real file: the product's tail follows it."""

    def __init__(self, clock: Clock, path: Path) -> None:
        self.path = path
        self.late_until = self.full_until = 0.0
        self.tears = 0
        self._clock = clock
        self._waiting: deque[Row] = deque()
        self._doubtful = 0
        self._unfinished = False
        """The file ends in a torn row."""
        self._turned_over = 0
        self._file: int | None = None

    def write(self, row: Row) -> None:
        self._waiting.append(row)
        self.flush()

    def flush(self) -> None:
        """What the writing thread has to write, unless it is late."""
        if self._clock.now < self.late_until:
            return
        data = b""
        while self._waiting:
            data += self._bytes_of(self._waiting.popleft())
        if data:
            if self._file is None:
                self._file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            os.write(self._file, data)

    def _bytes_of(self, row: Row) -> bytes:
        full = self._clock.now < self.full_until
        if full and self._unfinished:
            row.lost = True
            return b""
        if full or self.tears:
            self.tears = max(0, self.tears - (not full))
            row.lost, self._doubtful, self._unfinished = True, DOUBTED, True
            return row.text[: len(row.text) * 2 // 3]
        self._unfinished = False
        if self._doubtful:
            self._doubtful -= 1
            row.doubtful = True
        return row.text

    def turn_over(self) -> None:
        """As logrotate does: the next row makes a new file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self.path.exists():
            self._turned_over += 1
            os.rename(self.path, f"{self.path}.{100 - self._turned_over}")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()
