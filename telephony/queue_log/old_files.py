"""Old files of one `queue_log`, given in any order and overlapping: their rows in one order, each once.

Rotated files are pieces of one book, and copies of pieces. So rows of the same second are put together
like pages that somebody copied: a row that stands in several files is told as often as in the one that
has it most often.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, cast

from crm_core.errors import Invalid
from telephony.queue_log.files import FIRST_ROW, GZIP, LOOKED_AT_BYTES
from telephony.queue_log.parser import QueueLogParser, Row, SetAside

READ_BYTES = 1 << 16
"""Of a damaged archive what comes before the damaged piece is read."""

OneSecond = tuple[datetime, int, list[Row]]
"""A second, the file's place among the files, and its rows in their order."""


@dataclass(frozen=True, slots=True)
class BadPiece:
    """A piece of a file that tells nothing that can be trusted."""

    path: Path
    piece: SetAside

    def __str__(self) -> str:
        return f"{self.path} line {self.piece.line}: {self.piece.reason}: {self.piece.text[:200]!r}"


@dataclass(slots=True)
class OldFiles:
    """`rows` once. Raises `Invalid` for a file that cannot be read, before the first row."""

    paths: Sequence[Path]
    bad: list[BadPiece] = field(default_factory=list)
    read: int = 0
    """Rows so far, those that stand in several files as often as they stand there."""

    def rows(self) -> Iterator[Row]:
        """All rows of all files, oldest first; whatever cannot be read is in `bad`."""
        files = sorted(((_began(path), path) for path in self.paths), key=itemgetter(0))
        if len(files) == 1:
            yield from self._rows_of(files[0][1])
            return
        seconds = [_seconds(self._rows_of(path), place) for place, (_, path) in enumerate(files)]
        merged = heapq.merge(*seconds, key=itemgetter(0, 1))
        for _, same in groupby(merged, key=itemgetter(0)):
            pages = [rows for _, _, rows in same]
            yield from pages[0] if len(pages) == 1 else _together(pages)

    def _rows_of(self, path: Path) -> Iterator[Row]:
        def set_aside(piece: SetAside) -> None:
            self.bad.append(BadPiece(path, piece))

        parser = QueueLogParser(set_aside)
        with _open(path) as file:
            while True:
                try:
                    data = file.read(READ_BYTES)
                except (EOFError, zlib.error, gzip.BadGzipFile) as wrong:
                    set_aside(
                        SetAside(parser.line + 1, "", f"the file is damaged from here ({wrong})")
                    )
                    data = b""
                if not data:
                    break
                rows = parser.feed(data)
                self.read += len(rows)
                yield from rows
        parser.close()


def _seconds(rows: Iterator[Row], place: int) -> Iterator[OneSecond]:
    """Rows by their second. A clock that was set back does not turn their order round."""
    now, page = None, []
    for row in rows:
        if now is None or row.at > now:
            if now is not None:
                yield now, place, page
            now, page = row.at, [row]
        else:
            page.append(row)
    if now is not None:
        yield now, place, page


def _together(pages: Sequence[list[Row]]) -> list[Row]:
    """One page that has all rows of each, in the order of each."""
    found = pages[0]
    for page in pages[1:]:
        if page == found:
            continue
        theirs, here = Counter(found), 0
        longer = list(found)
        for row in page:
            if theirs[row] > 0:
                theirs[row] -= 1
                here = max(here, longer.index(row) + 1)
            else:
                here = here or len(longer)
                longer.insert(here, row)
                here += 1
        found = longer
    return found


def _open(path: Path) -> BinaryIO:
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP)) == GZIP
        return cast("BinaryIO", gzip.open(path)) if packed else path.open("rb")
    except OSError as wrong:
        raise Invalid(f"cannot read {path}: {wrong.strerror or wrong}") from None


def _began(path: Path) -> int:
    """When the file's first row was written. Raises `Invalid` for what holds none."""
    with _open(path) as file:
        try:
            found = FIRST_ROW.search(file.read(LOOKED_AT_BYTES))
        except (EOFError, zlib.error, gzip.BadGzipFile) as wrong:
            raise Invalid(f"{path} cannot be unpacked: {wrong}") from None
        is_empty = not file.seek(0) and not file.read(1)
    if found is None and not is_empty:
        raise Invalid(f"{path} is no queue_log: there is no row at its beginning")
    return int(found[1]) if found else 0
