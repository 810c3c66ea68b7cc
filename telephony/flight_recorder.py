"""The flight recorder: what Asterisk sent, byte for byte, for a disputed call and for golden traces.

One JSON object a line. Bytes: `{"at", "pbx", "feed": "ami", "session", "connection", "offset",
"text"}` (`"base64"` where the chunk is no UTF-8 of its own), `{…, "feed": "queue_log", "file",
"offset", "text"}` for rows; `{…, "event": "open" | "close"}` for connections. Recovery never needs
it, so nothing here waits, syncs or raises: a full disk switches it off with one line in the log, and
room switches it on again. What we send (the login's secret) is never in it.
"""

from __future__ import annotations

import base64
import logging
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
    """A line of a recording. `data` is empty for `event` "open" and "close"."""

    at: datetime
    pbx: str
    feed: str
    data: bytes = b""
    session: str | None = None
    connection: int = 0
    offset: int = 0
    event: str | None = None


class FlightRecorder:
    """Appends to files of `folder`, named by the moment of their first line, or to the one `file`.

    `now` is asked for the moment of each line; `flush` is to be called about once a second.
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
        self._lines: list[bytes] = []

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
        self._bytes(
            {"feed": "ami", "session": session, "connection": connection, "offset": offset}, data
        )

    def rows(self, data: bytes, offset: int, file: str = "queue_log") -> None:
        """Bytes of `queue_log`."""
        self._bytes({"feed": "queue_log", "file": file, "offset": offset}, data)

    def _event(self, session: str, connection: int, event: str) -> None:
        self._line({"feed": "ami", "session": session, "connection": connection, "event": event})

    def _bytes(self, what: dict[str, Any], data: bytes) -> None:
        try:
            self._line({**what, "text": data.decode("utf-8")})
        except UnicodeDecodeError:
            self._line({**what, "base64": base64.b64encode(data).decode("ascii")})

    def _line(self, what: dict[str, Any]) -> None:
        line = {"at": self._now(), "pbx": self._pbx, **what}
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))

    def flush(self) -> None:
        """Hand what was recorded to the operating system, and turn over a file that is full."""
        lines, self._lines = self._lines, []
        now = self._now()
        if self._off_since is not None:
            if (now - self._off_since).total_seconds() < _TRY_AGAIN_SECONDS:
                return
            self._off_since = now
        try:
            self._write(lines, now)
        except OSError as wrong:
            if self._off_since is None:
                log.error("the flight recorder is off: %s (calls are still logged)", wrong.strerror)
            self._off_since = now
            self._shut()
            return
        if self._off_since is not None:
            log.warning("the flight recorder is on again")
            self._off_since = None

    def _write(self, lines: list[bytes], now: datetime) -> None:
        if not lines:
            return
        if self._file is None or (self._size > FILE_BYTES and self._only is None):
            self._turn_over(now)
        assert self._file is not None
        data = b"".join(lines)
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
        for old in sorted(self._folder.glob(f"{self._pbx}-*.jsonl"), reverse=True):
            told = old.stat()
            kept += told.st_size
            if kept > KEPT_BYTES or now.timestamp() - told.st_mtime > KEPT_DAYS * 86400:
                old.unlink(missing_ok=True)
        name = f"{self._pbx}-{now:%Y%m%dT%H%M%S.%f}.jsonl"
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
    """The chunks of a recording. A torn last line is left out; another bad line raises `Invalid`."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return  # torn by a crash
            try:
                yield _chunk(orjson.loads(line))
            except (ValueError, KeyError, TypeError) as wrong:
                raise Invalid(f"{path}, line {number}: not a recording ({wrong})") from None


def _chunk(line: dict[str, Any]) -> Chunk:
    text, encoded = line.get("text"), line.get("base64")
    data = (
        base64.b64decode(encoded, validate=True) if encoded is not None else (text or "").encode()
    )
    return Chunk(
        at=datetime.fromisoformat(line["at"]),
        pbx=str(line["pbx"]),
        feed=str(line["feed"]),
        data=data,
        session=line.get("session"),
        connection=int(line.get("connection", 0)),
        offset=int(line.get("offset", 0)),
        event=line.get("event"),
    )
