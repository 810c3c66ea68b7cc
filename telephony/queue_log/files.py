"""The files that `queue_log` is written into and turned over to: plain, or compressed by logrotate.

A file is known by how it begins, because rotation renames it, compression gives it another inode, and
a later file may get the same inode again.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

FINGERPRINT_BYTES = 64
FIRST_SECOND_BYTES = 11
"""The epoch and pipe that a row begins with: two files of one Asterisk do not share them."""

LOOKED_AT_BYTES = 4096
"""Where a file's first row is looked for: what stands before it was torn."""

GZIP = b"\x1f\x8b"
UNREADABLE_HERE = (".bz2", ".xz", ".zst", ".lz4", ".zip")
POSITION = re.compile(r"(\d+):(\d+):([0-9a-f]*)")
FIRST_ROW = re.compile(rb"(?:\A|\n)(\d{10})\|")


class Damaged(Exception):
    """A compressed file cannot be unpacked beyond some place. The text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file that survives renaming and compression: inode, offset, how the file begins.

    The fingerprint covers only bytes before `offset`, which an append-only file never changes; offsets
    are those of the unpacked bytes.
    """

    inode: int
    offset: int
    fingerprint: str

    @staticmethod
    def of(position: str | None) -> Place | None:
        """As `str` wrote it; None for anything else."""
        found = POSITION.fullmatch(position or "")
        return Place(int(found[1]), int(found[2]), found[3]) if found else None

    def __str__(self) -> str:
        return f"{self.inode}:{self.offset}:{self.fingerprint}"


class LogFile:
    """One file, open. Raises `OSError` where it cannot be read and `Damaged` where not unpacked.

    Compressed files are unpacked as they are read: going to a place costs unpacking all before it, once
    (0.3 s for 100 MB).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = path.open("rb", buffering=0)
        self._unpacked: gzip.GzipFile | None = None
        if path.suffix == ".gz" and os.pread(self.fileno(), len(GZIP), 0) == GZIP:
            self._unpacked = gzip.GzipFile(fileobj=self._raw, mode="rb")

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        wrong: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def fileno(self) -> int:
        return self._raw.fileno()

    @property
    def is_compressed(self) -> bool:
        return self._unpacked is not None

    @property
    def status(self) -> os.stat_result:
        return os.fstat(self.fileno())

    def read_at(self, offset: int, limit: int) -> bytes:
        if self._unpacked is None:
            return os.pread(self.fileno(), limit, offset)
        try:
            self._unpacked.seek(offset)
            return self._unpacked.read(limit) if self._unpacked.tell() == offset else b""
        except (EOFError, zlib.error, gzip.BadGzipFile) as wrong:
            raise Damaged(str(wrong)) from None

    def place(self, offset: int) -> Place:
        return Place(self.status.st_ino, offset, self._fingerprint(offset))

    def holds(self, place: Place) -> bool:
        """Whether this is the file that `place` was taken in, or a copy, and it still reaches so far."""
        status = self.status
        known = place.offset >= FIRST_SECOND_BYTES or status.st_ino == place.inode
        return known and self._fingerprint(place.offset) == place.fingerprint and self._has(place)

    def _has(self, place: Place) -> bool:
        if self._unpacked is None:
            return self.status.st_size >= place.offset
        return not place.offset or bool(self.read_at(place.offset - 1, 1))

    def _fingerprint(self, offset: int) -> str:
        beginning = self.read_at(0, min(offset, FINGERPRINT_BYTES))
        return blake2b(beginning, digest_size=8).hexdigest()

    def close(self) -> None:
        if self._unpacked is not None:
            self._unpacked.close()
        self._raw.close()


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a file begins, and when: what tells its neighbours in time, and copies of it."""

    text: bytes
    epoch: int | None
    """Of the first row. None: there is none near the beginning."""
    changed_ns: int

    @staticmethod
    def of(file: LogFile) -> Beginning:
        text = file.read_at(0, LOOKED_AT_BYTES)
        found = FIRST_ROW.search(text)
        epoch = int(found[1]) if found else None
        return Beginning(text[:FINGERPRINT_BYTES], epoch, file.status.st_mtime_ns)

    def is_copy_of(self, other: Beginning) -> bool:
        short, long = sorted((self.text, other.text), key=len)
        return len(short) >= FIRST_SECOND_BYTES and long.startswith(short)

    @property
    def order(self) -> tuple[int, int]:
        return self.epoch or 0, self.changed_ns

    def is_after(self, other: Beginning) -> bool:
        """Changed later, and beginning no earlier: an old file that was copied or touched is not."""
        known = self.epoch is not None and other.epoch is not None
        return self.changed_ns > other.changed_ns and (not known or self.order >= other.order)


def rotated(path: Path) -> list[Path]:
    """`queue_log.1`, `queue_log-20261124`, `queue_log.2.gz` …: the plain ones first.

    While a file is being compressed both are there, and only the plain one is whole.
    """
    beside = [
        path.with_name(name)
        for name in os.listdir(path.parent)
        if name.startswith(path.name) and name != path.name and not name.endswith(UNREADABLE_HERE)
    ]
    return sorted(
        (each for each in beside if each.is_file()), key=lambda each: each.suffix == ".gz"
    )
