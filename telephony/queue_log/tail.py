"""Follows the file `queue_log` through rotation, truncation and absence; gives whole lines only.

Reads are small and cheap, and never wait. An error of the operating system does not leave this
file: it becomes the sentence `trouble`, and the next `read` tries again.
"""

from __future__ import annotations

import mmap
import os
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

READ_BYTES = 1 << 20
FINGERPRINT_BYTES = 64
HISTORY_SECONDS = 24 * 3600
"""How far back a file without a stored position is read; older history is imported on request."""

QUEUESTART = b"|NONE|NONE|NONE|QUEUESTART|"
POSITION = re.compile(r"(\d+):(\d+):([0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file that survives renaming: inode, offset, and how the file begins.

    The fingerprint tells a file from a later one with the same inode; it covers only bytes before
    `offset`, which an append-only file never changes.
    """

    inode: int
    offset: int
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.inode}:{self.offset}:{self.fingerprint}"


class QueueLogTail:
    """`read` gives what is new since `position` (as an earlier `read` gave it, or None: from the last
    QUEUESTART, at most 24 hours before the file's last row)."""

    trouble: str | None = None
    """A sentence while the file cannot be read, or after rows may have been missed; else None."""

    def __init__(self, path: Path, position: str | None) -> None:
        self._path = path
        self._wanted = _place(position)
        self._file: BinaryIO | None = None
        self._offset = 0

    def read(self, limit: int = READ_BYTES) -> tuple[bytes, str | None]:
        """Whole lines, and the position behind them; None while there has never been a file."""
        told = self.trouble
        try:
            data = self._read(limit)
        except FileNotFoundError:
            self.trouble = f"{self._path} is not there; waiting for Asterisk to write it"
            return b"", self.position
        except OSError as wrong:
            self.trouble = f"{self._path} cannot be read: {wrong.strerror or wrong}"
            self._close()
            return b"", self.position
        if self.trouble is told:
            self.trouble = None
        return data, self.position

    @property
    def position(self) -> str | None:
        return str(self._wanted) if self._wanted else None

    def close(self) -> None:
        """Give the file back; `read` opens it again."""
        self._close()

    def _read(self, limit: int) -> bytes:
        if self._file is not None and self._wanted and not _is_in(self._file, self._wanted):
            self._close()  # truncated; what it held may have been copied aside
        if self._file is None:
            self._open()
        data = self._whole_lines(limit)
        if not data and (following := self._following()):
            # Asterisk may have written a last row between our last read and the rotation.
            data = self._whole_lines(limit)
            if not data:
                self._close()
                self._start(following.open("rb", buffering=0), 0)
                data = self._whole_lines(limit)
        return data

    def _whole_lines(self, limit: int) -> bytes:
        assert self._file is not None
        self._file.seek(self._offset)
        data = self._file.read(limit) or b""
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == limit:
            whole = limit  # longer than any row: the parser throws it away
        self._offset += whole
        if whole:
            self._wanted = _place_in(self._file, self._offset)
        return data[:whole]

    def _open(self) -> None:
        """The file that `position` is in, wherever rotation has put it; else the present one."""
        wanted = self._wanted
        if wanted is None:
            file = self._path.open("rb", buffering=0)
            self._start(file, _last_start(file))
            return
        for path in [self._path, *self._rotated()]:
            try:
                file = path.open("rb", buffering=0)
            except FileNotFoundError:
                continue
            if _is_in(file, wanted):
                self._start(file, wanted.offset)
                return
            file.close()
        self._start(self._path.open("rb", buffering=0), 0)
        self.trouble = f"{self._path}: what was read before is gone from it; rows may be missed"

    def _start(self, file: BinaryIO, offset: int) -> None:
        self._file, self._offset = file, offset
        self._wanted = _place_in(file, offset)

    def _following(self) -> Path | None:
        """Where the rows go on after a rotation: the next file in time, at last the present one."""
        assert self._file is not None
        mine = os.fstat(self._file.fileno())
        try:
            present = self._path.stat()
        except FileNotFoundError:
            return None
        if present.st_ino == mine.st_ino:
            return None
        later = []
        for path in self._rotated():
            found = path.stat()
            if found.st_ino != mine.st_ino and found.st_mtime_ns > mine.st_mtime_ns:
                later.append((found.st_mtime_ns, path))
        return min(later)[1] if later else self._path

    def _rotated(self) -> list[Path]:
        """`queue_log.1`, `queue_log-20261124` …; a compressed one cannot be followed."""
        return [
            path
            for path in self._path.parent.glob(self._path.name + "?*")
            if path.suffix not in (".gz", ".bz2", ".xz", ".zst") and path.is_file()
        ]

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _place(position: str | None) -> Place | None:
    found = POSITION.fullmatch(position or "")
    return Place(int(found[1]), int(found[2]), found[3]) if found else None


def _place_in(file: BinaryIO, offset: int) -> Place:
    return Place(os.fstat(file.fileno()).st_ino, offset, _fingerprint(file, offset))


def _is_in(file: BinaryIO, place: Place) -> bool:
    """Whether this is the file that `place` was taken in, or a copy, and it still reaches so far."""
    status = os.fstat(file.fileno())
    return (
        (status.st_ino == place.inode or place.offset >= FINGERPRINT_BYTES)
        and status.st_size >= place.offset
        and _fingerprint(file, place.offset) == place.fingerprint
    )


def _fingerprint(file: BinaryIO, offset: int) -> str:
    beginning = os.pread(file.fileno(), min(offset, FINGERPRINT_BYTES), 0)
    return blake2b(beginning, digest_size=8).hexdigest()


def _last_start(file: BinaryIO) -> int:
    """Where the last QUEUESTART row of the file's last 24 hours begins; without one, those hours."""
    if not os.fstat(file.fileno()).st_size:
        return 0
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as rows:
        end = len(rows)
        last = _epoch_at(rows, _line_before(rows, end - 1))
        oldest = _first_line_since(rows, last - HISTORY_SECONDS)
        found = rows.rfind(QUEUESTART, oldest)
        while found >= 0:
            begin = _line_before(rows, found)
            if found - begin == 10 and rows[begin:found].isdigit():
                return begin
            found = rows.rfind(QUEUESTART, oldest, found)
        return oldest


def _first_line_since(rows: mmap.mmap, epoch: int) -> int:
    """By bisection: rows are written in the order of time."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        begin = _line_before(rows, middle)
        end = rows.find(b"\n", middle)
        after = end + 1 if end >= 0 else len(rows)
        if _epoch_at(rows, begin) < epoch:
            low = after
        else:
            high = begin
    return low


def _line_before(rows: mmap.mmap, place: int) -> int:
    """Where the line that holds `place` begins."""
    return rows.rfind(b"\n", 0, place) + 1


def _epoch_at(rows: mmap.mmap, begin: int) -> int:
    """The row's time; 0 where the line is not a row."""
    digits = rows[begin : begin + 10]
    return int(digits) if len(digits) == 10 and digits.isdigit() else 0
