"""A `queue_log` in a folder, written, turned over, compressed and torn as real ones are."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from telephony.queue_log.parser import QueueLogParser, Row
from telephony.queue_log.tail import QueueLogTail

EPOCH = 1_795_510_000
FULL_DISK = "|lab-1795510000.9|support|1001|COMPLETECALLER|0|2"


class ALog:
    """Its clock goes on by a second with each step, in the rows and in the files' times."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue_log"
        self.now = EPOCH
        self.written: list[str] = []
        """The Uniqueids of all rows that were written whole, in their order."""
        self._open = self.path
        """Where Asterisk writes: after a rename still into the old file."""
        self._is_torn = False
        self.path.touch()
        self._touched(self.path)

    def row(self) -> None:
        self.now += 1
        unique_id = f"lab-{self.now}.{len(self.written)}"
        nth = len(self.written)
        self._write(f"{self.now}|{unique_id}|support|NONE|ABANDON|1|1|{nth}\n".encode())
        self._is_torn = False
        self.written.append(unique_id)

    def torn(self, length: int) -> None:
        """The disk is full in the middle of a row; what comes next is glued to it."""
        row = f"{self.now}{FULL_DISK}"
        self.noise(row[: 1 + length % len(row)].encode())

    def noise(self, data: bytes) -> None:
        """One piece to a line: no line is longer than what is read at once."""
        if not self._is_torn:
            self._write(data)
            self._is_torn = not data.endswith(b"\n")

    def _write(self, data: bytes) -> None:
        with self._open.open("ab") as file:
            file.write(data)
        self._touched(self._open)

    def rename(self) -> None:
        """What logrotate does first, if there is a file: `queue_log` → `.1` → `.2` …"""
        if not self.path.exists():
            return
        older = sorted(self._rotated(), key=_number, reverse=True)
        for path in older:
            suffix = ".gz" if path.suffix == ".gz" else ""
            path.rename(self.path.with_name(f"queue_log.{_number(path) + 1}{suffix}"))
        self._open = self.path.rename(self.path.with_name("queue_log.1"))

    def reload(self) -> None:
        """`logger reload`: from now on Asterisk writes into a new file."""
        if not self.path.exists():
            self.path.touch()
            self._touched(self.path)
        self._open = self.path

    def compress(self) -> None:
        """All turned over files that Asterisk has closed."""
        for path in self._rotated():
            if path.suffix != ".gz" and path != self._open:
                compress(path)

    def _rotated(self) -> list[Path]:
        return list(self.path.parent.glob("queue_log.[0-9]*"))

    def _touched(self, path: Path) -> None:
        self.now += 1
        os.utime(path, ns=(self.now * 10**9, self.now * 10**9))


def _number(path: Path) -> int:
    return int(path.name.split(".")[1])


def compress(path: Path) -> Path:
    """As gzip does: the same times, another inode."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    path.unlink()
    return packed


class Follower:
    """Reads in pieces of any size, and is started anew with its stored position."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position: str | None = None
        self.parser = QueueLogParser()
        self.rows: list[Row] = []
        self.tail = QueueLogTail(path, None)

    def read(self, limit: int) -> bool:
        data, self._position = self.tail.read(limit)
        self.rows += self.parser.feed(data)
        return bool(data)

    def read_all(self) -> None:
        while self.read(200):
            pass

    def restart(self) -> None:
        self.tail.close()
        self.tail = QueueLogTail(self._path, self._position)
        self.parser = QueueLogParser()

    def unique_ids(self) -> list[str]:
        return [row.unique_id for row in self.rows if row.verb == "ABANDON"]
