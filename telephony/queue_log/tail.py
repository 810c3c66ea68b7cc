"""Follows the file `queue_log` through rotation, compression, truncation and absence.

Gives whole lines only. Reads are small and cheap, and never wait. An error of the operating system does
not leave this file: it becomes the sentence `trouble`, and the next `read` tries again.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from telephony.queue_log.files import Beginning, Damaged, LogFile, Place, rotated

READ_BYTES = 1 << 20
HISTORY_SECONDS = 24 * 3600
"""How far back a file without a stored position is read; older history is imported on request."""

QUEUESTART = b"|NONE|NONE|NONE|QUEUESTART|"


class QueueLogTail:
    """`read` gives what is new since `position` (as an earlier `read` gave it, or None: from the last
    QUEUESTART, at most 24 hours before the file's last row)."""

    trouble: str | None = None
    """A sentence while the file cannot be read, or after rows may have been missed; else None."""

    def __init__(self, path: Path, position: str | None) -> None:
        self._path = path
        self._wanted = Place.of(position)
        self._file: LogFile | None = None
        self._offset = 0
        self._was_cut = False
        self.missed = 0
        """How often rows may have been missed: the file was cut short, or is gone or damaged."""

    def read(self, limit: int = READ_BYTES) -> tuple[bytes, str | None]:
        """Whole lines, and the position behind them; None while there has never been a file."""
        told = self.trouble
        try:
            data = self._read(limit)
        except FileNotFoundError:
            self.trouble = f"{self._path} is not there; waiting for Asterisk to write it"
            return b"", self.position
        except OSError as wrong:
            which = wrong.filename or (self._file.path if self._file else self._path)
            self.trouble = f"{which} cannot be read: {wrong.strerror or wrong}"
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
        if self._file is not None and not self._file.is_compressed and self._cut_short(self._file):
            self._close()  # what it held may have been copied aside
        if self._file is None:
            self._open()
        data = self._whole_lines(limit)
        if not data and (following := self._following()):
            # Asterisk may have written a last row between our last read and the rotation.
            data = self._whole_lines(limit)
            if not data:
                self._close()
                self._start(LogFile(following), 0)
                data = self._whole_lines(limit)
        return data

    def _cut_short(self, file: LogFile) -> bool:
        if self._wanted is None or file.holds(self._wanted):
            return False
        self._was_cut = True
        return True

    def _whole_lines(self, limit: int) -> bytes:
        assert self._file is not None
        try:
            data = self._file.read_at(self._offset, limit)
        except Damaged as wrong:
            self._miss(f"{self._file.path} is damaged after byte {self._offset} ({wrong})")
            following = self._following() or self._path
            self._close()
            self._start(LogFile(following), 0)
            return self._whole_lines(limit)
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == limit:
            whole = limit  # longer than any row: the parser throws it away
        self._offset += whole
        if whole:
            self._wanted = self._file.place(self._offset)
        return data[:whole]

    def _open(self) -> None:
        """The file that `position` is in, wherever rotation has put it; else the present one."""
        wanted, was_cut = self._wanted, self._was_cut
        if wanted is None:
            file = LogFile(self._path)
            self._start(file, _last_start(file))
            return
        found = self._holding(wanted)
        cut = was_cut or self._was_cut
        self._was_cut = False
        if found is not None:
            self._start(found, wanted.offset)
            if cut:
                self._miss(f"{self._path} was cut short in its place (copytruncate)")
            return
        self._start(LogFile(self._path), 0)
        self._miss(f"{self._path}: what was read before is gone from it")

    def _holding(self, wanted: Place) -> LogFile | None:
        try:
            file = LogFile(self._path)
        except FileNotFoundError:
            pass
        else:
            if file.holds(wanted):
                return file
            self._was_cut |= file.status.st_ino == wanted.inode
            file.close()
        for path in rotated(self._path):
            try:
                file = LogFile(path)
            except FileNotFoundError:
                continue
            try:
                if file.holds(wanted):
                    return file
            except Damaged:
                pass  # not unpacked so far: it cannot give what follows either
            file.close()
        return None

    def _miss(self, what: str) -> None:
        self.missed += 1
        self.trouble = f"{what}; rows may be missed"

    def _start(self, file: LogFile, offset: int) -> None:
        self._file, self._offset = file, offset
        self._wanted = file.place(offset)

    def _following(self) -> Path | None:
        """Where the rows go on after a rotation: the next file in time, at last the present one."""
        file = self._file
        assert file is not None
        status = file.status
        try:
            with LogFile(self._path) as present:
                if present.status.st_ino == status.st_ino:
                    return None
                # Somebody's copies of the file that is being read, or of the present one.
                known = [mine := Beginning.of(file), Beginning.of(present)]
        except FileNotFoundError:
            if status.st_nlink == 0:
                self.trouble = f"{self._path} was deleted; reading what Asterisk has open still"
            return None
        later = []
        for path in rotated(self._path):
            try:
                with LogFile(path) as beside:
                    found = Beginning.of(beside)
            except (FileNotFoundError, Damaged):
                continue
            copied = any(found.is_copy_of(other) for other in known)
            if found.text and found.is_after(mine) and not copied:
                later.append((found.order, path))
        return min(later)[1] if later else self._path

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _last_start(file: LogFile) -> int:
    """Where the last QUEUESTART row of the file's last 24 hours begins; without one, those hours."""
    if file.is_compressed or not file.status.st_size:
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
