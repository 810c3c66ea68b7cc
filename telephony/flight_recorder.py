"""The flight recorder: what Asterisk sent, byte for byte, for a disputed call and for golden traces.

A recording is read by people and written on the way of every ringing phone, so its bytes are copied,
never escaped: a line of JSON says what follows, then the bytes stand as they came, then a line feed.
Bytes: `{"at", "pbx", "feed": "ami", "session", "connection", "offset", "bytes": 532}`, 532 bytes and
`\\n`; `{…, "feed": "queue_log", "file", "offset", "bytes"}` for rows. Connections are a line alone:
`{…, "event": "open" | "close"}`. A golden trace is made to be reviewed in a diff: there the bytes are
in the line itself, as `"text"` (`"base64"` where a chunk is no UTF-8 of its own); `read` takes both.

Recovery never needs a recording, so nothing here waits, syncs or raises: a full disk switches it off
with one line in the log, and room switches it on again. What we send (the login's secret) is never in
it.
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from crm_core.errors import Invalid

log = logging.getLogger("zuoxi.flight_recorder")

FILE_BYTES = 64 << 20
KEPT_DAYS = 14
KEPT_BYTES = 8 << 30
"""The oldest go before this is passed: the disk is the database's before it is ours."""
_TRY_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """An entry of a recording. `data` is empty for `event` "open" and "close"."""

    at: datetime
    pbx: str
    feed: str
    data: bytes = b""
    session: str | None = None
    connection: int = 0
    offset: int = 0
    event: str | None = None


class FlightRecorder:
    """Appends to files of `folder`, named by the moment of their first entry, or to the one `file`.

    `now` is asked for the moment of each entry; `flush` is to be called about once a second.
    """

    def __init__(
        self, folder: Path, pbx: str, now: Callable[[], datetime], file: Path | None = None
    ) -> None:
        self._folder = folder
        self._only = file
        self._pbx = pbx
        self._now = now
        self._file: BinaryIO | None = None
        self._size = 0
        self._off_since: datetime | None = None
        self._connections = 0
        self._offsets: dict[int, int] = {}
        self._waiting: list[bytes] = []

    @property
    def off(self) -> bool:
        """Nothing is recorded at the moment: the disk is full or the folder cannot be written."""
        return self._off_since is not None

    def opened(self, session: str) -> int:
        """A connection began; its number is needed for `received`."""
        self._connections += 1
        self._offsets[self._connections] = 0
        self._event(session, self._connections, "open")
        return self._connections

    def closed(self, session: str, connection: int) -> None:
        self._offsets.pop(connection, None)
        self._event(session, connection, "close")

    def received(self, session: str, connection: int, data: bytes) -> None:
        """Bytes of an AMI connection, as they came."""
        offset = self._offsets.get(connection, 0)
        self._offsets[connection] = offset + len(data)
        self._bytes(data, feed="ami", session=session, connection=connection, offset=offset)

    def rows(self, data: bytes, offset: int, file: str = "queue_log") -> None:
        """Bytes of `queue_log`."""
        self._bytes(data, feed="queue_log", file=file, offset=offset)

    def _event(self, session: str, connection: int, event: str) -> None:
        self._waiting.append(
            self._header(feed="ami", session=session, connection=connection, event=event)
        )

    def _bytes(self, data: bytes, **what: Any) -> None:
        self._waiting += (self._header(**what, bytes=len(data)), data, b"\n")

    def _header(self, **what: Any) -> bytes:
        line = {"at": self._now(), "pbx": self._pbx, **what}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)

    def flush(self) -> None:
        """Hand what was recorded to the operating system, and turn over a file that is full."""
        waiting, self._waiting = self._waiting, []
        now = self._now()
        if self._off_since is not None:
            if (now - self._off_since).total_seconds() < _TRY_AGAIN_SECONDS:
                return
            self._off_since = now
        try:
            self._write(waiting, now)
        except OSError as wrong:
            if self._off_since is None:
                log.error("the flight recorder is off: %s (calls are still logged)", wrong.strerror)
            self._off_since = now
            self._shut()
            return
        if self._off_since is not None:
            log.warning("the flight recorder is on again")
            self._off_since = None

    def _write(self, pieces: list[bytes], now: datetime) -> None:
        if not pieces:
            return
        if self._file is None or (self._size > FILE_BYTES and self._only is None):
            self._turn_over(now)
        assert self._file is not None
        data = b"".join(pieces)
        self._file.write(data)
        self._file.flush()
        self._size += len(data)

    def _turn_over(self, now: datetime) -> None:
        self._shut()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._size = 0
        if self._only is not None:
            self._file = self._only.open("ab")
            return
        kept = 0
        # The whole stamp, or the files of a PBX that is called `north-2` would be those of `north`.
        ours = self._folder.glob(f"{self._pbx}-{'[0-9]' * 8}T*")
        for old in sorted(ours, reverse=True):
            told = old.stat()
            kept += told.st_size
            if kept > KEPT_BYTES or now.timestamp() - told.st_mtime > KEPT_DAYS * 86400:
                old.unlink(missing_ok=True)
        name = f"{self._pbx}-{now:%Y%m%dT%H%M%S.%f}.recording"
        self._file = (self._folder / name).open("ab")

    def _shut(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                log.debug("closing a recording on a full disk", exc_info=True)

    def close(self) -> None:
        self.flush()
        self._shut()


def read(path: Path) -> Iterator[Chunk]:
    """The chunks of a recording as it is now. What is cut off at its end is left out.

    Raises `Invalid` where something else is no recording, with the place.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = 0
        while (line := file.readline()).endswith(b"\n"):
            try:
                header = _header(line)
                follow = _bytes_after(header)
                if follow is not None and file.tell() + follow >= size:
                    return  # torn by a crash, or being written
                yield _chunk(header, None if follow is None else _read(file, follow))
            except (ValueError, KeyError, TypeError) as wrong:
                raise Invalid(f"{path}, byte {begin}: not a recording ({wrong})") from None
            begin = file.tell()


def _header(line: bytes) -> dict[str, Any]:
    found = orjson.loads(line)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _bytes_after(header: dict[str, Any]) -> int | None:
    """How many bytes follow this line; None: it is all there is of the entry."""
    count = header.get("bytes")
    if count is None:
        return None
    if type(count) is not int or count < 0:
        raise ValueError(f"{count!r} bytes")
    return count


def _read(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if file.read(1) != b"\n":
        raise ValueError(f"no line feed after {count} bytes")
    return data


def _chunk(header: dict[str, Any], data: bytes | None) -> Chunk:
    if data is None:
        text, encoded = header.get("text"), header.get("base64")
        data = (
            base64.b64decode(encoded, validate=True)
            if encoded is not None
            else (text or "").encode()
        )
    return Chunk(
        at=datetime.fromisoformat(header["at"]),
        pbx=str(header["pbx"]),
        feed=str(header["feed"]),
        data=data,
        session=header.get("session"),
        connection=int(header.get("connection", 0)),
        offset=int(header.get("offset", 0)),
        event=header.get("event"),
    )
