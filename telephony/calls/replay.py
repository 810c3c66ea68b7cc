"""A recording of the flight recorder, folded into the rows that were written when it was live.

The same rows whatever the pieces in which TCP brought the bytes. Pure: `zuoxi replay` reads the file
and prints the rows; golden traces compare them with what was expected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from crm_core.call_log.joining import whole
from crm_core.call_log.records import CallRecord
from crm_core.call_log.timeline import record
from crm_core.commands import KnownBoot
from crm_core.events import CallEvent, CallStarted, Event, LegStarted, TimelineEvent
from crm_core.ids import CallId, PbxId
from telephony.ami import messages as ami
from telephony.ami.reading import Malformed, Reader
from telephony.calls.boots import boot_of, started_at
from telephony.calls.channels import SiteNames
from telephony.calls.tracker import CallTracker
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.parser import QueueLogParser

BLANK_LINE = b"\r\n\r\n"
LISTS_OF_A_SNAPSHOT = 4
"""Status, QueueStatus, CoreShowChannels and BridgeList; one that is refused counts too."""


class Chunk(Protocol):
    """A line of a recording (`telephony.flight_recorder.Chunk`)."""

    @property
    def at(self) -> datetime: ...
    @property
    def pbx(self) -> str: ...
    @property
    def feed(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def session(self) -> str | None: ...
    @property
    def connection(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def event(self) -> str | None: ...


def replay(chunks: Iterable[Chunk], names: SiteNames | None = None) -> list[CallRecord]:
    """The calls of this recording, sorted by call_id."""
    by_pbx: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_pbx[chunk.pbx].append(chunk)
    timelines: dict[CallId, list[TimelineEvent]] = defaultdict(list)
    for pbx, some in by_pbx.items():
        for fact in facts_of(PbxId(pbx), some, names):
            if isinstance(fact, CallEvent):
                timelines[fact.call].append(fact)  # type: ignore[arg-type]
    calls = whole(timelines)
    return [record(calls[call]) for call in sorted(calls)]


def facts_of(
    pbx: PbxId, chunks: Sequence[Chunk], names: SiteNames | None = None
) -> Iterator[Event]:
    """Every fact that a recording of one PBX tells: first those of AMI, then those of queue_log."""
    listener = _Listener(pbx, names)
    calls: dict[str, CallId] = {}
    for chunk in chunks:
        if chunk.feed != "ami" or chunk.session not in (None, "events"):
            continue
        for fact in listener.hear(chunk):
            if isinstance(fact, CallStarted | LegStarted):
                calls.setdefault(fact.unique_id, fact.call)
            yield fact
    # Halves of Local channels have no leg: the tracker alone knows whose they were.
    fold = QueueLogFold(
        pbx,
        listener.boots,
        call_of=lambda unique_id: calls.get(unique_id) or listener.call_of(unique_id),
    )
    parser = QueueLogParser()
    for chunk in chunks:
        if chunk.feed == "queue_log":
            for row in parser.feed(chunk.data):
                yield from fold.feed(row)


class _Listener:
    """What `telephony.service` does with the bytes of a link, without a link."""

    def __init__(self, pbx: PbxId, names: SiteNames | None) -> None:
        self.boots: list[KnownBoot] = []
        self._pbx, self._names = pbx, names
        self._reader = Reader()
        self._tracker: CallTracker | None = None
        self._connection: int | None = None
        self._tail = b""
        self._greeted = False
        self._beginning = BLANK_LINE
        self._booted_about: datetime | None = None
        self._lists_to_come = 0
        self._heard_until: datetime | None = None

    def call_of(self, unique_id: str) -> CallId | None:
        return self._tracker.call_of(unique_id) if self._tracker is not None else None

    def hear(self, chunk: Chunk) -> Iterator[Event]:
        if chunk.connection != self._connection or chunk.event is not None:
            if self._tracker is not None:
                yield from self._tracker.feed(ami.LinkLost(self._heard_until or chunk.at, True))
            self._connection, self._tail, self._greeted = chunk.connection, b"", False
            # A recording that begins in the middle of a connection begins in a torn message.
            self._beginning = b"\r\n" if chunk.offset == 0 else BLANK_LINE
            self._lists_to_come = 0
        if chunk.data:
            self._heard_until = chunk.at
        self._tail += chunk.data
        if not self._greeted:
            _, found, rest = self._tail.partition(self._beginning)
            if not found:
                return
            self._tail, self._greeted = rest, True
        *messages, self._tail = self._tail.split(BLANK_LINE)
        for raw in messages:
            yield from self._message(raw, chunk.at)

    def _message(self, raw: bytes, at: datetime) -> Iterator[Event]:
        if raw.startswith(b"Response: "):
            yield from self._response(raw, at)
            return
        try:
            message = self._reader.read(raw, at)
        except Malformed:
            return
        if isinstance(message, ami.FullyBooted) and message.uptime is not None:
            self._booted_about = at - timedelta(seconds=message.uptime)
        if message is not None:
            yield from self._tracker_at(at).feed(message)
        elif b"\r\nEventList: Complete" in raw:
            yield from self._list_over(at)

    def _response(self, raw: bytes, at: datetime) -> Iterator[Event]:
        headers = dict(
            line.partition(": ")[::2] for line in raw.decode("ascii", "replace").split("\r\n")
        )
        if "CoreStartupDate" in headers:
            date, time = headers["CoreStartupDate"], headers.get("CoreStartupTime", "")
            if started := started_at(date, time, self._booted_about):
                boot = boot_of(started, self.boots)
                self.boots = [*(each for each in self.boots if each != boot), boot]
                yield from self._tracker_at(at).feed(ami.SnapshotBegan(at, True, boot.boot))
                self._lists_to_come = LISTS_OF_A_SNAPSHOT
        elif headers["Response"] == "Error":
            yield from self._list_over(at)

    def _list_over(self, at: datetime) -> Iterator[Event]:
        if self._lists_to_come:
            self._lists_to_come -= 1
            if self._lists_to_come == 0:
                boot = self.boots[-1].boot
                yield from self._tracker_at(at).feed(ami.SnapshotEnded(at, True, boot))

    def _tracker_at(self, at: datetime) -> CallTracker:
        if self._tracker is None:
            if not self.boots:
                self.boots.append(boot_of(at, ()))
            self._tracker = CallTracker(self._pbx, self.boots[-1].boot, (), self._names)
        return self._tracker
