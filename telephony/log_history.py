"""The rows of `queue_log` from a moment on, wherever rotation has put them: a few kilobytes at a time.

For those who compare: `telephony.queue_log.tail` follows the file for the product, and what checks the
product must not stand on the same feet. Blocking; a year of rows is never in memory.
"""

from __future__ import annotations

import copy
import gzip
import mmap
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from crm_core.call_log.log_book import Torn
from telephony.queue_log.parser import QueueLogParser, Row

PIECE_BYTES = 1 << 16


def history(path: Path, since: datetime, *, siblings: bool = True) -> Iterator[Row | Torn]:
    """Rows of the file from `since` on, and before them those of its rotated siblings (`.gz` too).

    Raises OSError where a file cannot be read.
    """
    epoch = int(since.timestamp())
    reader = DamageReader(since)
    for file in _files(path, epoch) if siblings else [path]:
        for piece in _pieces(file, epoch):
            yield from reader.feed(piece)
        reader.next_file()


class DamageReader:
    """Rows out of pieces of the file; and between which of them stands something that is no row."""

    def __init__(self, since: datetime) -> None:
        self._parser = QueueLogParser()
        self._last = since
        self._damaged = False

    def next_file(self) -> None:
        """What follows is another file: a row never goes on there."""
        self._parser = QueueLogParser()

    def feed(self, piece: bytes) -> Iterator[Row | Torn]:
        trial = copy.deepcopy(self._parser)
        rows = trial.feed(piece)
        if trial.quarantined == self._parser.quarantined and not self._damaged:
            self._parser = trial
            self._last = rows[-1].at if rows else self._last
            yield from rows
            return
        for line in piece.splitlines(keepends=True):
            yield from self._line(line)

    def _line(self, line: bytes) -> Iterator[Row | Torn]:
        before = self._parser.quarantined
        rows = self._parser.feed(line)
        self._damaged = self._damaged or self._parser.quarantined > before
        for row in rows:
            if self._damaged:
                yield Torn(self._last, row.at)
                self._damaged = False
            self._last = row.at
            yield row


def _files(path: Path, epoch: int) -> list[Path]:
    """The file and those of its siblings that were written to after that moment, the oldest first."""
    found = []
    for each in path.parent.glob(path.name + "?*"):
        if not each.is_file() or each.suffix in (".bz2", ".xz", ".zst"):
            continue
        if each.stat().st_mtime >= epoch and (first := _first_epoch(each)) is not None:
            found.append((first, each))
    return [each for _, each in sorted(found)] + [path]


def _first_epoch(path: Path) -> int | None:
    """The moment of the first row; None: this is no queue_log."""
    try:
        with _opened(path) as file:
            return _epoch_of(file.read(4096).partition(b"\n")[0])
    except (OSError, EOFError):
        return None


def _opened(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _pieces(path: Path, epoch: int) -> Iterator[bytes]:
    with _opened(path) as file:
        if path.suffix != ".gz":
            file.seek(_line_since(file, epoch))
        while piece := file.read(PIECE_BYTES):
            yield piece


def _line_since(file: BinaryIO, epoch: int) -> int:
    """Where the first line of that moment or later begins, by bisection: rows come in order of time."""
    size = file.seek(0, 2)
    if not size:
        return 0
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as rows:
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            begin = rows.rfind(b"\n", 0, middle) + 1
            at = _epoch_of(rows[begin : begin + 11])
            while at is None and begin > low:  # no row: as old as the one before it
                begin = rows.rfind(b"\n", 0, begin - 1) + 1
                at = _epoch_of(rows[begin : begin + 11])
            if at is not None and at >= epoch:
                high = begin
            else:
                end = rows.find(b"\n", middle)
                low = end + 1 if end >= 0 else size
        return low


def _epoch_of(line: bytes) -> int | None:
    """The moment of a row that begins so."""
    digits = line[:10]
    return int(digits) if line[10:11] == b"|" and digits.isdigit() else None
