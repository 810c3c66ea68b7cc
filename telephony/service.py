"""Follows one PBX: bytes in, facts out, commands through. The shell around the pure cores.

Everything that Asterisk sends comes in one line: bytes → message → tracker → facts on the bus, in one
synchronous step without a queue. Beside it run `queue_log`'s tail, the flight recorder's flush, and
`heard`, which says each second how far we have heard. Whatever breaks, the way back is `_resync`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crm_core.bus import Bus
from crm_core.commands import FeedPosition, FeedState, KnownBoot, KnownBoots, OpenCalls
from crm_core.errors import Unavailable
from crm_core.events import (
    BootFound,
    Event,
    Feed,
    FeedAdvanced,
    FeedHeard,
    GapRecorded,
    LinkChanged,
    LinkState,
)
from crm_core.ids import CallId
from crm_core.settings import PbxUrl
from telephony import dialplan
from telephony.ami import messages as ami
from telephony.ami.actions import Action
from telephony.ami.link import AmiSession, Answer, NotConnected, Patience
from telephony.calls.boots import boot_of
from telephony.calls.channels import SiteNames
from telephony.calls.tracker import CallTracker
from telephony.commands import Commands
from telephony.flight_recorder import FlightRecorder
from telephony.members import MemberBook
from telephony.queue_log.merge import QueueLogFold
from telephony.queue_log.parser import QueueLogParser
from telephony.queue_log.tail import QueueLogTail
from telephony.resync import ask_snapshot, ask_started_at

log = logging.getLogger("zuoxi.telephony")

ROWS_EVERY_SECONDS = 0.1
HEARD_EVERY_SECONDS = 1.0
ASK_SECONDS = 30.0
_TRY_AGAIN_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 10.0
"""A snapshot after a quarantined message, at most this often."""

OUR_CONTEXTS = SiteNames(
    inbound=frozenset(
        {dialplan.INBOUND_CONTEXT, dialplan.HOTLINES_CONTEXT, dialplan.QUEUE_ROUTINE}
    ),
    seats=frozenset({dialplan.SEATS_CONTEXT, dialplan.DIAL_ROUTINE}),
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TelephonyService:
    """`run` until cancelled. Facts go to the bus; commands for this PBX are served by `commands`."""

    def __init__(
        self,
        pbx: PbxUrl,
        bus: Bus,
        commands: Commands,
        var: Path,
        patience: Patience | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.pbx = pbx
        self.quarantined = 0
        self.ignored: Counter[bytes] = Counter()
        """Events nobody wants, by name."""
        self._bus, self._now, self._patience = bus, now, patience
        self._recorder = FlightRecorder(var / "flight", pbx.pbx, now)
        self._connection = 0
        self._tracker: CallTracker | None = None
        self._members = MemberBook(pbx.pbx)
        self._boots: list[KnownBoot] = []
        self._boot: KnownBoot | None = None
        self._booted_about: datetime | None = None
        self._fold: QueueLogFold | None = None
        self._heard_until: datetime | None = None
        self._listening = False
        """A snapshot is complete and the link has not broken since."""
        self._resyncing: asyncio.Task[None] | None = None
        self._boot_known = asyncio.Event()
        self._events: AmiSession | None = None
        self._control: AmiSession | None = None
        commands.serve(pbx.pbx, self)

    async def run(self) -> None:
        """Follow this PBX until cancelled. Whatever is away is waited for, with a sentence."""
        self._boots = list(await self._ask(KnownBoots(pbx=self.pbx.pbx)))
        state: FeedState | None = await self._ask(FeedPosition(pbx=self.pbx.pbx, feed=Feed.AMI))
        self._heard_until = state.heard_until if state else None
        self._events = self._session("events", self.pbx.user, self.pbx.secret, "on")
        self._control = self._session(
            "control", self.pbx.control_user, self.pbx.control_secret, "off"
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_heard())
                tasks.create_task(self._follow_queue_log())
                self._events.connect()
                self._control.connect()
        finally:
            await self._events.close_and_wait()
            await self._control.close_and_wait()
            self._recorder.close()

    def _session(self, name: str, user: str, secret: str, events: str) -> AmiSession:
        reads = name == "events"
        return AmiSession(
            name=f"{self.pbx.pbx}/{name}",
            host=self.pbx.host,
            port=self.pbx.port,
            username=user,
            secret=secret,
            events=events,
            tls=self.pbx.tls,
            patience=self._patience,
            on_message=self._raw if reads else None,
            on_state=self._link_state if reads else None,
            on_bytes=self._bytes if reads else None,
            on_connection=self._connection_changed if reads else None,
        )

    async def _ask(self, question: Any) -> Any:
        """The answer of crm_core, however long it takes."""
        while True:
            answer = await self._bus.ask(question, ASK_SECONDS)
            if answer is not None or isinstance(question, FeedPosition):
                return answer
            log.warning("no answer to %s; asking again", type(question).__name__)
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    # --- the line from bytes to facts -------------------------------------------------------------

    def _connection_changed(self, stands: bool) -> None:
        if stands:
            self._connection = self._recorder.opened("events")
        else:
            self._recorder.closed("events", self._connection)

    def _bytes(self, data: bytes) -> None:
        self._recorder.received("events", self._connection, data)

    def _raw(self, raw: bytes) -> None:
        try:
            message = ami.parse(raw, self._now())
        except ami.Malformed as wrong:
            self.quarantined += 1
            log.warning("a message was put into quarantine (%s); looking again", wrong)
            self._look_again()
            return
        if message is None:
            self.ignored[ami.event_name(raw) or b""] += 1
            return
        if isinstance(message, ami.FullyBooted):
            uptime = timedelta(seconds=message.uptime or 0)
            self._booted_about = self._now() - uptime if message.uptime is not None else None
        self._feed(message)

    def _feed(self, message: ami.AmiMessage) -> None:
        for event in self._members.feed(message):
            self._bus.publish(event)
        if self._tracker is not None:
            for event in self._tracker.feed(message):
                self._bus.publish(event)

    def _look_again(self) -> None:
        if self._listening and self._resyncing is None:
            self._resyncing = asyncio.create_task(self._resync(after=_LOOK_AGAIN_SECONDS))

    # --- the link ---------------------------------------------------------------------------------

    def _link_state(self, state: LinkState, reason: str | None) -> None:
        if self._resyncing is not None:
            self._resyncing.cancel()
            self._resyncing = None
        if state is LinkState.UP:
            self._resyncing = asyncio.create_task(self._resync())
            return
        if self._listening:
            self._listening = False
            self._feed(ami.LinkLost(self._now(), True))
        self._publish(LinkChanged, state=state, reason=reason)

    async def _resync(self, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        while True:
            try:
                await self._look()
            except NotConnected:
                return  # the link's own loss begins the next one
            except Unavailable as wrong:
                log.warning("%s: no snapshot: %s", self.pbx.pbx, wrong.detail)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            else:
                self._resyncing = None
                return

    async def _look(self) -> None:
        """One snapshot, from `SnapshotBegan` to `SnapshotEnded`, and the gap it closes."""
        former = self._boot
        boot = self._boot = boot_of(
            await ask_started_at(self._request, self._booted_about), self._boots
        )
        if former != boot:
            self._told_boot(boot)
        if self._tracker is None:
            open_calls = await self._ask(OpenCalls(pbx=self.pbx.pbx))
            self._tracker = CallTracker(self.pbx.pbx, boot.boot, open_calls, OUR_CONTEXTS)
        self._boot_known.set()
        self._feed(ami.SnapshotBegan(self._now(), True, boot.boot))
        await ask_snapshot(self._request)
        self._feed(ami.SnapshotEnded(self._now(), True, boot.boot))
        blind_since = None if self._listening else self._heard_until
        if blind_since is not None:
            self._publish(
                GapRecorded,
                began_at=blind_since,
                boot_changed=former is not None and former != boot,
                calls=self._tracker.live_calls(),
                reason="the link to Asterisk was away",
            )
        self._listening = True
        self._heard_until = self._now()
        self._publish(FeedHeard, feed=Feed.AMI)
        self._publish(LinkChanged, state=LinkState.UP)

    def _told_boot(self, boot: KnownBoot) -> None:
        if boot not in self._boots:
            self._boots.append(boot)
        self._publish(BootFound, at=boot.started_at, boot=boot.boot, started_at=boot.started_at)
        if self._fold is not None:
            self._fold.learn(boot)

    async def _request(self, action: Action) -> Answer:
        if self._events is None:
            raise NotConnected
        return await self._events.request(action)

    async def _keep_heard(self) -> None:
        while True:
            await asyncio.sleep(HEARD_EVERY_SECONDS)
            self._recorder.flush()
            if self._listening and self._events is not None and self._events.authenticated:
                self._heard_until = self._now()
                self._publish(FeedHeard, feed=Feed.AMI)

    def _publish(self, kind: type[Event], **fields: Any) -> None:
        self._bus.publish(kind(**{"at": self._now(), "pbx": self.pbx.pbx, **fields}))

    # --- queue_log --------------------------------------------------------------------------------

    async def _follow_queue_log(self) -> None:
        if self.pbx.queue_log is None:
            log.warning("%s: no queue_log: outcomes are not known, rows say ami_only", self.pbx.pbx)
            return
        state: FeedState | None = await self._ask(
            FeedPosition(pbx=self.pbx.pbx, feed=Feed.QUEUE_LOG)
        )
        # A row names no run of Asterisk. CoreStatus knows it best; without a link, QUEUESTART does.
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._boot_known.wait()
        except TimeoutError:
            log.warning("%s: reading queue_log without a link to Asterisk", self.pbx.pbx)
        self._fold = QueueLogFold(
            self.pbx.pbx, self._boots, state.passes if state else (), self._call_of
        )
        tail = QueueLogTail(self.pbx.queue_log, state.position if state else None)
        parser, told = QueueLogParser(), None
        try:
            while True:
                more = self._read_rows(tail, parser, self._fold)
                if tail.trouble != told:
                    told = tail.trouble
                    log.warning("%s", told or f"{self.pbx.queue_log} is read again")
                await asyncio.sleep(0 if more else ROWS_EVERY_SECONDS)
        finally:
            tail.close()

    def _read_rows(self, tail: QueueLogTail, parser: QueueLogParser, fold: QueueLogFold) -> bool:
        data, position = tail.read()
        if not data:
            return False
        self._recorder.rows(data, 0)
        for row in parser.feed(data):
            for event in fold.feed(row):
                self._bus.publish(event)
                if isinstance(event, BootFound):
                    self._learn(KnownBoot(boot=event.boot, started_at=event.started_at))
        if position is not None:
            self._publish(FeedAdvanced, feed=Feed.QUEUE_LOG, position=position)
        return True

    def _learn(self, boot: KnownBoot) -> None:
        if all(known.boot != boot.boot for known in self._boots):
            self._boots.append(boot)

    def _call_of(self, unique_id: str) -> CallId | None:
        return self._tracker.call_of(unique_id) if self._tracker is not None else None

    # --- for commands -----------------------------------------------------------------------------

    async def control(self, action: Action) -> Answer:
        if self._control is None:
            raise NotConnected
        return await self._control.request(action)

    def channels_of(self, call: CallId) -> tuple[str, ...]:
        return self._tracker.channels_of(call) if self._tracker is not None else ()

    def leg_channel(self, call: CallId, leg: str) -> str | None:
        return self._tracker.leg_channels(call).get(leg) if self._tracker is not None else None
